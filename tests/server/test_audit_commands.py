"""`longshore admin audit`: sealed, verified and exported as a person does it; sealed by nodes."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from longshore_server.commands import admin
from longshore_server.settings import load_settings
from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import append_only
from longshore_storage.catalogue.audit_seals import count_unsealed, seals_after
from longshore_storage.errors import Misconfigured
from tests.storage.auditing.trails import Trail

from .calls import deploy_to_end
from .contents import canonical_tar, small_tree
from .running import RunningNode, StartNode, embedded


@pytest.fixture
async def node(start_node: StartNode) -> AsyncIterator[RunningNode]:
    """A node that leaves sealing to the command, with some history."""
    async with start_node(audit={"seal_every_s": 0}) as running:
        await deploy_to_end(running, canonical_tar(small_tree()))
        yield running


async def audit(node: RunningNode, *arguments: str) -> Result:
    command = ["audit", *arguments, "--data-dir", str(node.data_dir)]
    return await asyncio.to_thread(CliRunner().invoke, admin, command)


@embedded
async def test_sealed_verified_and_changed(node: RunningNode) -> None:
    unsealed = await audit(node, "verify")
    assert (unsealed.exit_code, "entries not sealed yet" in unsealed.stdout) == (0, True), unsealed.output
    sealed = await audit(node, "seal")
    assert "entries sealed, in 1 batch" in sealed.stdout, sealed.output
    proved = await audit(node, "verify", "-o", "json")
    told = json.loads(proved.stdout)
    assert (proved.exit_code, told["batches"], told["unsealed_entries"], told["findings"]) == (0, 1, 0, [])
    assert told["entries"] > 1
    async with node.catalogue.transaction() as transaction, append_only.lifted(transaction):
        await transaction.execute(text("UPDATE audit_entry SET principal = 'nobody' WHERE id = 2"))
        await transaction.execute(text("DELETE FROM audit_entry WHERE id = 3"))
    wrong = await audit(node, "verify")
    assert wrong.exit_code == 1
    assert "changed: batch 1, entry 2: it is not as it was sealed" in wrong.stdout
    assert "removed: batch 1, entry 3: it was sealed, and is gone" in wrong.stdout
    assert "2  things wrong" in wrong.stdout


@embedded
async def test_a_restored_database_is_told_and_explained(node: RunningNode) -> None:
    await audit(node, "seal")
    async with node.catalogue.transaction() as transaction, append_only.lifted(transaction):
        await transaction.execute(text("DELETE FROM audit_seal"))
    forked = await audit(node, "verify")
    assert (forked.exit_code, "restored from a backup" in forked.stdout) == (1, True)
    explained = await audit(node, "verify", "--restored", "2020-01-01", "2120-01-01T00:00Z")
    assert (explained.exit_code, "expected, forked: batch 1" in explained.stdout) == (0, True)
    assert "1  thing that a restore explains" in explained.stdout
    known: tuple[str, ...] = ("--restored", "2020-01-01", "2020-02-01")
    assert (await audit(node, "verify", *known)).exit_code == 1
    known += ("--restored", "2020-01-01", "2120-01-01")
    both = json.loads((await audit(node, "verify", *known, "-o", "json")).stdout)
    assert (both["total"], both["expected"], both["findings"][0]["expected"]) == (0, 1, True)
    unclear = await audit(node, "verify", "--restored", "monday", "2120-01-01")
    assert (unclear.exit_code, "must be a day or a moment" in unclear.output) == (2, True)


@embedded
async def test_what_is_gone_is_held_against_how_long_it_was_kept(node: RunningNode) -> None:
    async with open_blob_store(f"file://{node.data_dir}/blobs") as blobs:
        trail = Trail(node.catalogue, blobs)
        await trail.sealed_before(timedelta(days=10), ["one"])
        await trail.seal(timedelta(days=5))
    told = await audit(node, "verify")
    assert (told.exit_code, "kept for ever: `audit.keep_for_s` is 0" in told.stdout) == (1, True)
    kept = [await audit(node, "verify", "--kept-for", str(86_400 * days)) for days in (5, 11)]
    assert [each.exit_code for each in kept] == [0, 1], kept[0].output


@embedded
async def test_exported_as_json_lines(node: RunningNode, tmp_path: Path) -> None:
    whole = await audit(node, "export")
    lines = whole.stdout.splitlines()
    entries = [json.loads(line) for line in lines]
    assert entries[0]["action"] == "deployment.accepted"
    assert [entry["id"] for entry in entries] == sorted(entry["id"] for entry in entries)
    last = entries[-1]["time"]
    until = await audit(node, "export", "--until", last)
    since = await audit(node, "export", "--since", last)
    assert until.stdout + since.stdout == whole.stdout
    assert since.stdout
    assert not (await audit(node, "export", "--since", "2100-01-01")).stdout
    file = tmp_path / "trail.jsonl"
    written = await audit(node, "export", "-o", str(file))
    assert (file.read_text(), written.stdout) == (whole.stdout, "")
    assert file.stat().st_mode & 0o777 == 0o600
    await audit(node, "seal")
    (anchor,) = [path for path in (node.data_dir / "blobs" / "audit").rglob("*") if path.is_file()]
    _, *digests = anchor.read_text().splitlines()
    assert [line.split(" ")[1] for line in digests] == [
        hashlib.sha256(line.encode()).hexdigest() for line in lines
    ]


@embedded
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["export", "--since", "yesterday"], "must be a day or a moment"),
        (["export", "-o", "/nowhere/at/all.jsonl"], "No such file or directory"),
        (["verify", "--kept-for", "nan"], "'nan' is no number"),
        (["verify", "--kept-for", "inf"], "'inf' is no number"),
    ],
)
async def test_wrong_usage_is_told(node: RunningNode, arguments: list[str], why: str) -> None:
    refused = await audit(node, *arguments)
    assert refused.exit_code in (1, 2)
    assert why in refused.stderr


async def test_nodes_seal_by_themselves(start_node: StartNode, stores: dict[str, Any]) -> None:
    async with start_node(audit={"seal_every_s": 0.05}) as node:
        await deploy_to_end(node, canonical_tar(small_tree()))
        async with asyncio.timeout(30):
            unsealed = 1
            while unsealed:
                async with node.catalogue.reading() as transaction:
                    unsealed = await count_unsealed(transaction)
                    seals = await seals_after(transaction, 0, limit=1000)
        assert seals


def test_a_slip_of_the_pen_does_not_empty_the_trail() -> None:
    with pytest.raises(Misconfigured, match="a day"):
        load_settings(None, {"audit": {"keep_for_s": 365}})
    assert load_settings(None, {"audit": {"keep_for_s": 86_400}}).audit.keep_for_s == 86_400
