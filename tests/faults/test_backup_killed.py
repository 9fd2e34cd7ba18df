"""Kill -9 of a backup and of a restore at steps of each kind: nothing of it or all, and then once more."""

from __future__ import annotations

import itertools
import shutil
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from longshore_storage.backup import check_backup
from longshore_storage.catalogue import open_catalogue
from tests.storage.backup.every_table import all_rows, fill

from .nodes import Ended, Nursery
from .stores import LEASE_S, migrate

# How many statements lie between two of those before which it is killed.
_EVERY = 40

Rows = dict[str, list[tuple[Any, ...]]]


async def rows_of(database_url: str) -> Rows:
    """Every row of a database but those of the audit trail, in which a restore leaves one more."""
    catalogue = open_catalogue(database_url)
    try:
        return {name: rows for name, rows in (await all_rows(catalogue)).items() if name != "audit_entry"}
    finally:
        await catalogue.close()


async def filled(database_url: str, rows: int) -> Rows:
    await migrate(database_url)
    catalogue = open_catalogue(database_url)
    try:
        await fill(catalogue, rows)
    finally:
        await catalogue.close()
    return await rows_of(database_url)


def was_killed(ended: Ended) -> bool:
    assert ended.status in (0, -signal.SIGKILL), ended
    return ended.status != 0


def steps(kind: str, *, every: int = 1) -> Iterable[str]:
    return (f"{kind}-{number}" for number in itertools.count(1, every))


async def test_a_backup(nursery: Nursery, place: Path) -> None:
    data_dir, kept = place / "node", place / "kept"
    data_dir.mkdir()
    kept.mkdir()
    rows = await filled(f"sqlite:///{data_dir}/longshore.db", 3)
    path = kept / "monday.backup"
    command = ["admin", "backup", str(path), "--data-dir", str(data_dir)]
    killed = 0
    for schedules in (steps("before-statement", every=_EVERY), steps("before-disk")):
        for schedule in schedules:
            ended = await nursery.run(*command, crash=schedule, data_dir=kept)
            if not was_killed(ended):
                break
            killed += 1
            # Its last step comes when it has its name.
            if path.exists():
                check_backup(path)
                refused = await nursery.run(*command)
                assert refused.status == 1
                assert "choose another name" in refused.stderr
                path.unlink()
        check_backup(path)
        assert [each.name for each in kept.iterdir()] == [path.name]
        path.unlink()
    assert killed >= 3
    assert await rows_of(f"sqlite:///{data_dir}/longshore.db") == rows


async def test_a_restore(nursery: Nursery, place: Path) -> None:
    template, other = place / "template", place / "other"
    template.mkdir()
    other.mkdir()
    before = await filled(f"sqlite:///{template}/longshore.db", 3)
    after = await filled(f"sqlite:///{other}/longshore.db", 5)
    path = place / "monday.backup"
    assert (await nursery.run("admin", "backup", str(path), "--data-dir", str(other))).status == 0
    killed = 0
    for schedules in (
        steps("before-statement", every=_EVERY),
        steps("before-commit"),
        steps("after-commit"),
    ):
        for schedule in schedules:
            data_dir = place / schedule
            shutil.copytree(template, data_dir)
            url = f"sqlite:///{data_dir}/longshore.db"
            restore = ["admin", "restore", str(path), "--replace", "--yes", "--data-dir", str(data_dir)]
            if not was_killed(await nursery.run(*restore, crash=schedule, data_dir=data_dir)):
                assert await rows_of(url) == after
                break
            killed += 1
            assert await rows_of(url) == (after if schedule.startswith("after-commit") else before)
            assert (await nursery.run(*restore)).status == 0
            assert await rows_of(url) == after
    assert killed >= 5


async def test_a_restore_into_postgresql(
    nursery: Nursery, place: Path, postgres_database: str, etcd_url: str
) -> None:
    before = await filled(postgres_database, 3)
    other = place / "other"
    other.mkdir()
    await filled(f"sqlite:///{other}/longshore.db", 5)
    path = place / "monday.backup"
    assert (await nursery.run("admin", "backup", str(path), "--data-dir", str(other))).status == 0
    env = {
        "LONGSHORE_DATABASE__URL": postgres_database,
        "LONGSHORE_COORDINATION__URL": etcd_url,
        # So long the lock of one that was killed is waited for.
        "LONGSHORE_COORDINATION__LEASE_S": str(LEASE_S),
    }
    restore = ["admin", "restore", str(path), "--replace", "--yes"]
    for schedule in ("before-statement-40", "before-commit-1"):
        assert was_killed(await nursery.run(*restore, env=env, crash=schedule))
        assert await rows_of(postgres_database) == before
    assert was_killed(await nursery.run(*restore, env=env, crash="after-commit-1"))
    after = await rows_of(postgres_database)
    assert after != before
    assert (await nursery.run(*restore, env=env)).status == 0
    assert await rows_of(postgres_database) == after
