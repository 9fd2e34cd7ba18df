"""``longshore doctor``: the good is told as good, and each fault by its part, with what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from click.testing import CliRunner
from sqlalchemy import update

from longshore_server.commands.doctor import doctor
from longshore_server.doctor import Finding, State, look_at_everything
from longshore_server.settings import load_settings
from longshore_storage.catalogue import tables

from .calls import deploy_to_end
from .contents import canonical_tar, small_tree
from .running import RunningNode, StartNode, services


async def looked(data_dir: Path, stores: dict[str, Any]) -> dict[str, Finding]:
    settings = load_settings(None, {"data_dir": data_dir, **stores})
    return {finding.part: finding async for finding in look_at_everything(settings)}


async def test_all_is_well(node: RunningNode, stores: dict[str, Any]) -> None:
    await deploy_to_end(node, canonical_tar(small_tree("one")))
    found = await looked(node.data_dir, stores)
    # It is as this machine allows.
    assert "connections" in found.pop("open files").what
    assert {part: finding.state for part, finding in found.items()} == dict.fromkeys(
        (
            *("data folder", "database", "blob store", "copies", "coordination", "nodes", "rollouts"),
            *("queue", "payloads", "collecting"),
        ),
        State.OK,
    ) | ({"copies": State.WARN} if stores else {})
    told = "MinIO with a single drive, and what that loses is lost" if stores else "as safe as its disk"
    assert told in found["copies"].what


async def test_what_is_damaged_or_away_is_told(node: RunningNode, stores: dict[str, Any]) -> None:
    await deploy_to_end(node, canonical_tar(small_tree("one")))
    async with node.catalogue.transaction() as transaction:
        now = await transaction.now()
        await transaction.execute(update(tables.payload).values(damage="a chunk is gone"))
        await transaction.execute(update(tables.node).values(report_time=now.replace(year=now.year - 1)))
    found = await looked(node.data_dir, stores)
    assert found["payloads"].state is State.BAD
    assert "deploy their content again" in found["payloads"].advice
    assert (found["nodes"].state, "one" in found["nodes"].what) == (State.WARN, True)


async def test_a_node_that_was_stopped_just_now(start_node: StartNode, stores: dict[str, Any]) -> None:
    async with start_node("one") as node:
        assert (await looked(node.data_dir, stores))["nodes"] == Finding("nodes", State.OK, "1 running")
    found = (await looked(node.data_dir, stores))["nodes"]
    assert (found.state, found.what) == (State.WARN, "1 of 1 is away: one")


@services
async def test_nothing_listens(stores: dict[str, Any], tmp_path: Path) -> None:
    away = {
        "database": {"url": "postgresql://nobody@127.0.0.1:1/none"},
        "blobs": {"url": stores["blobs"]["url"].rsplit("/", 1)[0] + "/no-such-bucket"},
        "coordination": {"url": "etcd://127.0.0.1:1/longshore"},
    }
    found = await looked(tmp_path, away)
    assert found["database"].state is found["coordination"].state is State.BAD
    assert "see whether it runs" in found["database"].advice
    assert found["blob store"].state is State.BAD
    assert "nodes" not in found


def test_the_command(tmp_path: Path) -> None:
    never = CliRunner().invoke(doctor, ["--data-dir", str(tmp_path / "data"), "-o", "json"])
    assert never.exit_code == 1
    told = [json.loads(line) for line in never.output.splitlines() if line.startswith("{")]
    assert {one["part"]: one["state"] for one in told}["database"] == "bad"


@services
async def test_no_secret_is_shown(stores: dict[str, Any], tmp_path: Path) -> None:
    for finding in (await looked(tmp_path, stores)).values():
        told = f"{finding.what} {finding.advice}"
        assert urlsplit(stores["blobs"]["url"]).password not in told.split("/")
        assert f":{urlsplit(stores['blobs']['url']).password}@" not in told
        assert "password" not in told


def test_looking_makes_nothing(tmp_path: Path) -> None:
    CliRunner().invoke(doctor, ["--data-dir", str(tmp_path / "data")])
    (tmp_path / "empty").mkdir()
    CliRunner().invoke(doctor, ["--data-dir", str(tmp_path / "empty")])
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]
