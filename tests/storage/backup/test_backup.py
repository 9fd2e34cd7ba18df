"""A backup of a catalogue, and what becomes of it in another one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import zstandard

from longshore_storage.backup import BackupHeader, back_up, check_backup, restore
from longshore_storage.catalogue import Catalogue, open_catalogue, tables
from longshore_storage.catalogue.audit_trail import list_audit, record_audit
from longshore_storage.catalogue.rows import Actor
from longshore_storage.errors import BackupUnusable, ConstraintViolated

from .every_table import all_rows, fill

ADMIN = Actor("admin")
Open = Callable[[str], Awaitable[Catalogue]]


@pytest.fixture
async def open_empty(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    """Opens a migrated, empty catalogue: ``await open_empty("sqlite")``."""
    opened: list[Catalogue] = []

    async def open_one(kind: str) -> Catalogue:
        url = f"sqlite:///{tmp_path}/{len(opened)}.db"
        if kind == "postgresql":
            url = request.getfixturevalue("postgres_database")
        catalogue = open_catalogue(url)
        opened.append(catalogue)
        await catalogue.migrate()
        return catalogue

    yield open_one
    for catalogue in opened:
        await catalogue.close()


async def take(catalogue: Catalogue, path: Path, **options: Any) -> BackupHeader:
    return await back_up(catalogue, path, server_version="1.2.3", **options)


async def restored_rows(catalogue: Catalogue) -> dict[str, list[tuple[Any, ...]]]:
    """All but the one that tells of the restore."""
    rows = await all_rows(catalogue)
    told = [row for row in rows["audit_entry"] if "database.restored" in row]
    assert len(told) == 1
    rows["audit_entry"].remove(told[0])
    return rows


@pytest.mark.parametrize(
    ("source", "target"), [("sqlite", "sqlite"), ("sqlite", "postgresql"), ("postgresql", "sqlite")]
)
async def test_every_row_of_every_table_comes_back(
    source: str, target: str, open_empty: Open, tmp_path: Path
) -> None:
    first, second = await open_empty(source), await open_empty(target)
    await fill(first)
    header = await take(first, tmp_path / "backup")
    assert check_backup(tmp_path / "backup") == header
    assert (header.database, header.server_version) == (source, "1.2.3")
    assert await restore(second, tmp_path / "backup", replace=False, actor=ADMIN) == header
    kept = await all_rows(first)
    assert await restored_rows(second) == kept
    assert all(len(rows) == 3 for rows in kept.values())
    # Numbers that count up by themselves go on.
    async with second.transaction() as transaction:
        await record_audit(transaction, Actor("anna"), "tried")
    async with second.reading() as transaction:
        assert (await list_audit(transaction, principal="anna", limit=1))[0].action == "tried"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_into_what_is_there(kind: str, open_empty: Open, tmp_path: Path) -> None:
    catalogue = await open_empty(kind)
    await fill(catalogue)
    before = await all_rows(catalogue)
    await take(catalogue, tmp_path / "backup")
    async with catalogue.transaction() as transaction:
        await record_audit(transaction, Actor("anna"), "since then")
    with pytest.raises(BackupUnusable, match="is not empty"):
        await restore(catalogue, tmp_path / "backup", replace=False, actor=ADMIN)
    await restore(catalogue, tmp_path / "backup", replace=True, actor=ADMIN)
    assert await restored_rows(catalogue) == before
    # What keeps the audit trail from being changed is there as before.
    with pytest.raises(ConstraintViolated, match="append-only"):
        async with catalogue.transaction() as transaction:
            await transaction.execute(tables.audit_entry.update().values(message="another"))


async def test_pages_of_rows_large_and_small(open_empty: Open, tmp_path: Path) -> None:
    first, second = await open_empty("sqlite"), await open_empty("sqlite")
    async with first.transaction() as transaction:
        await transaction.execute(
            tables.workflow_content.insert(),
            [
                {"sha256": f"{number:064}", "content": b"x" * size}
                for number, size in enumerate([1_500_000] * 3 + [10] * 3000)
            ],
        )
    await take(first, tmp_path / "backup")
    await restore(second, tmp_path / "backup", replace=False, actor=ADMIN)
    kept = await all_rows(first)
    assert len(kept["workflow_content"]) == 3003
    assert await restored_rows(second) == kept


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_it_is_of_one_instant(
    kind: str, open_empty: Open, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    catalogue = await open_empty(kind)
    written = False

    def write(*_: Any) -> None:
        """What another process commits while the first table is read."""
        nonlocal written
        statement = (
            "INSERT INTO environment (name, create_time) VALUES ('later', '2026-01-01 00:00:00.000000')"
        )
        if not written:
            written = True
            if kind == "sqlite":
                with sqlite3.connect(tmp_path / "0.db") as connection:
                    connection.execute(statement)
            else:
                url = request.getfixturevalue("postgres_database").replace("+psycopg", "")
                with psycopg.connect(url) as connection:
                    connection.execute(statement)

    await take(catalogue, tmp_path / "backup", tell=write)
    assert [row[0] for row in (await all_rows(catalogue))["environment"]] == ["later"]
    assert b"later" not in zstandard.ZstdDecompressor().stream_reader(
        (tmp_path / "backup").read_bytes()
    ).read(1 << 20)


async def test_a_restore_that_breaks_off_leaves_what_was(open_empty: Open, tmp_path: Path) -> None:
    first, second = await open_empty("sqlite"), await open_empty("postgresql")
    await fill(first)
    await take(first, tmp_path / "backup")
    async with second.transaction() as transaction:
        await record_audit(transaction, Actor("anna"), "was here")
    before = await all_rows(second)

    def break_off(done: int, total: int, words: str) -> None:
        if done == total:
            raise KeyError

    with pytest.raises(KeyError):
        await restore(second, tmp_path / "backup", replace=True, actor=ADMIN, tell=break_off)
    assert await all_rows(second) == before


async def test_nothing_is_left_of_a_backup_that_breaks_off(open_empty: Open, tmp_path: Path) -> None:
    catalogue = await open_empty("sqlite")

    def break_off(*_: Any) -> None:
        raise KeyError

    folder = tmp_path / "backups"
    folder.mkdir()
    with pytest.raises(KeyError):
        await take(catalogue, folder / "backup", tell=break_off)
    assert list(folder.iterdir()) == []
    (folder / "backup").write_text("another one")
    with pytest.raises(FileExistsError):
        await take(catalogue, folder / "backup")
    assert (folder / "backup").read_text() == "another one"


class TestUnusable:
    async def taken(self, open_empty: Open, tmp_path: Path) -> Path:
        catalogue = await open_empty("sqlite")
        await fill(catalogue)
        await take(catalogue, tmp_path / "backup")
        return tmp_path / "backup"

    async def test_wherever_it_ends_or_a_byte_is_another(self, open_empty: Open, tmp_path: Path) -> None:
        path = await self.taken(open_empty, tmp_path)
        whole = path.read_bytes()
        lines = _lines(whole)
        for place in range(0, len(whole) - 1, 97):
            path.write_bytes(whole[:place])
            with pytest.raises(BackupUnusable):
                check_backup(path)
            damaged = bytearray(whole)
            damaged[place] ^= 0x55
            path.write_bytes(damaged)
            try:
                check_backup(path)
            except BackupUnusable:
                continue
            # What zstd does not use: all that counts is there.
            assert _lines(bytes(damaged)) == lines

    async def test_each_line_counts(self, open_empty: Open, tmp_path: Path) -> None:
        path = await self.taken(open_empty, tmp_path)
        lines = _lines(path.read_bytes())
        target = await open_empty("sqlite")
        for number in range(0, len(lines), 9):
            for changed in (
                lines[:number] + lines[number + 1 :],
                [*lines[:number], b"[]", *lines[number + 1 :]],
            ):
                _write(path, changed)
                with pytest.raises(BackupUnusable):
                    check_backup(path)
        with pytest.raises(BackupUnusable):
            await restore(target, path, replace=False, actor=ADMIN)
        assert not any((await all_rows(target)).values())

    async def test_of_another_format_or_schema(self, open_empty: Open, tmp_path: Path) -> None:
        path = await self.taken(open_empty, tmp_path)
        lines = _lines(path.read_bytes())
        header = json.loads(lines[0])
        for changes, words in (
            ({"longshore_backup": 2}, "use the version of Longshore that wrote it, or a later one"),
            ({"schema": "9999"}, "restore it with that version"),
            ({"time": "yesterday"}, "its first line is not whole"),
        ):
            _write(path, [json.dumps({**header, **changes}).encode(), *lines[1:]])
            with pytest.raises(BackupUnusable, match=words):
                check_backup(path)

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"SQLite format 3\x00" + bytes(100), id="a database"),
            pytest.param(zstandard.compress(b"tar" * 1000), id="another zstd"),
            pytest.param(zstandard.compress(b"[" * 60_000 + b"\n"), id="nested"),
            pytest.param(zstandard.compress(bytes(1 << 26)), id="a bomb"),
        ],
    )
    def test_of_something_else(self, content: bytes, tmp_path: Path) -> None:
        path = tmp_path / "backup"
        path.write_bytes(content)
        with pytest.raises(BackupUnusable, match=r"is no backup|is damaged"):
            check_backup(path)
        with pytest.raises(BackupUnusable, match="cannot be read"):
            check_backup(tmp_path / "none")


def _lines(content: bytes) -> list[bytes]:
    return zstandard.ZstdDecompressor().stream_reader(content).read().splitlines()


def _write(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(zstandard.compress(b"".join(line + b"\n" for line in lines)))
