"""Rows of a later version, with names that this one does not know: they are shown, and never guessed at."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from longshore_client import Client, DeploymentStatus, Terms
from longshore_client.errors import Misconfigured
from tests.bundles.trees import Tree, make_tar

from .nodes import Nursery
from .trees import V1, V2, live_tree

SURGE = {"canary_steps": [], "max_surge": 2}
IMPATIENT = {"LONGSHORE_POLL_S": "0.2"}


async def pieces(tree: Tree) -> AsyncIterator[bytes]:
    yield make_tar(tree)


class Rows:
    """The database of a node, beside it."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "longshore.db"

    def write(self, statement: str, *values: Any) -> None:
        with sqlite3.connect(self._path, timeout=20) as connection:
            connection.execute(statement, values)
        connection.close()


async def test_what_is_only_shown(nursery: Nursery, place: Path) -> None:
    data_dir = place / "node"
    rows = Rows(data_dir)
    async with nursery.serve(data_dir) as node, Client(node.address) as client:
        deployment_id = (await client.deploy(pieces(V1), project="web")).deployment_id
        ended = await client.wait(deployment_id)
        bodies: dict[str, dict[str, Any]] = {
            "tide_turned": {"height_m": 3},
            "nodes_stepped": {"steps": [step("WARMING", since="noon")]},
            "canary_step_passed": {"step": 1, "total_steps": 2, "promoted_by": "", "by_vote": True},
            "content_examined": {**examined("FATAL"), "weight": 1},
            "status_changed": {"from_status": "", "to_status": "ADRIFT", "reason": "TIDE", "why": ""},
        }
        # Before the event that ends it, behind which nobody listens.
        rows.write(
            "UPDATE event SET sequence = sequence + ? "
            "WHERE sequence = (SELECT last_sequence FROM deployment)",
            len(bodies),
        )
        for kind, body in bodies.items():
            rows.write(
                "INSERT INTO event (deployment_id, sequence, time, kind, message, body, awaits_notice) "
                "SELECT id, last_sequence, end_time, ?, ?, ?, 0 FROM deployment",
                kind,
                f"a sentence on {kind}",
                json.dumps(body),
            )
            rows.write("UPDATE deployment SET last_sequence = last_sequence + 1")
        error = {"reason": "TIDE", "message": "too high", "findings": [], "total_findings": 0}
        rows.write(
            "UPDATE deployment SET status_reason = 'tide', kind = 'REPLAY', queue_policy = 'SWIM', "
            "failure_policy = 'SWIM', bundle_kind = 'BOAT', error = ?, strategy = ?",
            json.dumps(error),
            json.dumps(SURGE),
        )
        rows.write(
            "UPDATE release SET kind = 'BOAT', install_method = 'BOAT', source = ?",
            json.dumps({"kind": "SEA", "url": "", "ref": "", "checksum": "", "verified": False, "depth": 3}),
        )
        rows.write("UPDATE node SET roles = ?", json.dumps(["receive", "control", "install", "sail"]))
    async with nursery.serve(data_dir) as node, Client(node.address) as client:
        told = [getattr(one, "message", "") async for one in client.follow(deployment_id)]
        assert {f"a sentence on {kind}" for kind in bodies} <= set(told)
        async with asyncio.timeout(20):
            assert await anext(client.watch_deployments())
        (listed,) = [one async for one in client.list()]
        assert listed == await client.get(deployment_id)
        assert (listed.status, listed.status_reason) == (ended.status, "tide")
        assert listed.error is not None
        assert listed.error.message == "too high"
        (release,) = [one async for one in client.releases("web")]
        assert release.version == ended.version
        assert [one async for one in client.nodes()]
        assert await client.project("web")
        # The release goes live again beside all that.
        again = await client.deploy_release("web", release.version)
        assert (await client.wait(again.deployment_id)).status is DeploymentStatus.SUCCEEDED
        assert "Traceback" not in node.stderr


async def test_terms_of_a_rollout_are_left_to_who_knows_them(nursery: Nursery, place: Path) -> None:
    data_dir = place / "node"
    rows = Rows(data_dir)
    async with nursery.serve(data_dir, env=IMPATIENT) as node, Client(node.address) as client:
        await client.wait((await client.deploy(pieces(V1), project="web")).deployment_id)
        rows.write("UPDATE project_environment SET strategy = ?", json.dumps(SURGE))
        assert (await client.project("web")).environments
        queued = await client.deploy(pieces(V2), project="web")
        await node.logged("rollout.left", times=2)
        assert "max_surge" in node.stderr
        assert (await client.get(queued.deployment_id)).status is DeploymentStatus.QUEUED
        assert live_tree(data_dir) == V1
        rows.write("UPDATE project_environment SET strategy = ?", json.dumps({"canary_steps": []}))
        assert (await client.wait(queued.deployment_id)).status is DeploymentStatus.SUCCEEDED
        assert live_tree(data_dir) == V2
        assert "Traceback" not in node.stderr


async def test_terms_behind_a_gate_are_not_lost(nursery: Nursery, place: Path) -> None:
    """Who knows only some of them refuses to promote; a client then asks the next node."""
    data_dir = place / "node"
    rows = Rows(data_dir)
    async with nursery.serve(data_dir) as node, Client(node.address) as client:
        staged = await client.deploy(pieces(V1), project="web", terms=Terms(stage_only=True))
        rows.write("UPDATE deployment SET strategy = ?", json.dumps(SURGE))
        with pytest.raises(Misconfigured, match="does not know max_surge: ask a node of a later version"):
            await client.promote(staged.deployment_id, staged.waiting_gate_id)
        assert (await client.get(staged.deployment_id)).status is DeploymentStatus.STAGED


async def test_a_rollout_under_way_is_not_taken_over(nursery: Nursery, place: Path) -> None:
    data_dir = place / "node"
    rows = Rows(data_dir)
    async with nursery.serve(data_dir) as node, Client(node.address) as client:
        rolling = (await client.deploy(pieces(V1), project="web")).deployment_id
        await client.wait(rolling)
    for columns in ("strategy = ?, failure_policy = ''", "strategy = NULL, failure_policy = ?"):
        value = json.dumps(SURGE) if columns.startswith("strategy = ?") else "SWIM"
        rows.write(f"UPDATE deployment SET status = 'ROLLING_OUT', end_time = NULL, {columns}", value)
        async with nursery.serve(data_dir, env=IMPATIENT) as node, Client(node.address) as client:
            await node.logged("rollout.left", times=2)
            assert (await client.get(rolling)).status is DeploymentStatus.ROLLING_OUT
            assert "rollout.taken_over" not in node.stderr


def step(status: str, **more: str) -> dict[str, str]:
    return {"node_id": "n", "node_name": "one", "status": status, "message": "", **more}


def examined(severity: str) -> dict[str, Any]:
    finding = {"code": "TIDE", "severity": severity, "message": "", "path": "", "line": 0, "column": 3}
    return {
        "content_sha256": "",
        "entries": 1,
        "unpacked_size_bytes": 1,
        "findings": [finding],
        "total_findings": 1,
    }
