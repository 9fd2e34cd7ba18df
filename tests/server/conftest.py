"""A node in this process, built by the same composition root, on the embedded default or on real services."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from longshore_server.deploying.visibility import Visibility
from longshore_server.node import running_node
from longshore_server.settings import load_settings
from longshore_storage.catalogue import Catalogue, open_catalogue
from tests.server.running import RunningNode, Serve, StartNode
from tests.services.migrated import MigratedFile
from tests.services.processes import ServerProcess, serve


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands take what they are given to read for a terminal, and ask."""
    monkeypatch.setattr("longshore_server.commands.asking.has_terminal", lambda: True)


@pytest.fixture(params=["embedded", "services"])
def stores(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Settings of the stores: nothing for the embedded default, else PostgreSQL, MinIO and etcd."""
    if request.param == "embedded":
        return {}
    return {
        "database": {"url": request.getfixturevalue("migrated_postgres")},
        "blobs": {"url": request.getfixturevalue("s3_url")},
        "coordination": {"url": request.getfixturevalue("etcd_url"), "lease_s": 3},
    }


@pytest.fixture
def start_node(tmp_path: Path, stores: dict[str, Any], migrated_file: MigratedFile) -> StartNode:
    """Start a node: ``async with start_node("a") as running``."""

    @asynccontextmanager
    async def start(
        name: str = "one", visibility: Visibility | None = None, **options: Any
    ) -> AsyncIterator[RunningNode]:
        settings = load_settings(
            None,
            {
                "data_dir": tmp_path / name,
                "listen": "127.0.0.1:0",
                "poll_s": 1,
                **stores,
                **options,
                "node": {"name": name, **options.get("node", {})},
            },
        )
        if settings.embedded_database and not settings.data_dir.exists():
            settings.data_dir.mkdir(mode=0o700)
            migrated_file.copy(settings.data_dir / "longshore.db")
        async with (
            running_node(settings, visibility=visibility) as node,
            grpc.aio.insecure_channel(node.address) as channel,
        ):
            catalogue = open_catalogue(settings.database_url)
            try:
                yield RunningNode(node, settings.data_dir, channel, catalogue)
            finally:
                await catalogue.close()

    return start


@pytest.fixture
async def node(start_node: StartNode) -> AsyncIterator[RunningNode]:
    async with start_node() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind in turn, with our schema and nothing in it."""
    if request.param == "sqlite":
        file: MigratedFile = request.getfixturevalue("migrated_file")
        return file.copy(tmp_path / "longshore.db")
    return str(request.getfixturevalue("migrated_postgres"))


@pytest.fixture
async def catalogue(database_url: str) -> AsyncIterator[Catalogue]:
    """A catalogue with nothing in it."""
    catalogue = open_catalogue(database_url)
    try:
        yield catalogue
    finally:
        await catalogue.close()


@pytest.fixture
async def database(migrated_postgres: str) -> AsyncIterator[Catalogue]:
    catalogue = open_catalogue(migrated_postgres)
    yield catalogue
    await catalogue.close()


@pytest.fixture
def start(database: Catalogue, migrated_postgres: str, s3_url: str, etcd_url: str, tmp_path: Path) -> Serve:
    """Start a node as a process: its data folder is its name's."""

    def serve_as(name: str, **env: str) -> AbstractAsyncContextManager[ServerProcess]:
        return serve(
            data_dir=tmp_path / name,
            env={
                "LONGSHORE_DATABASE__URL": migrated_postgres,
                "LONGSHORE_BLOBS__URL": s3_url,
                "LONGSHORE_COORDINATION__URL": etcd_url,
                "LONGSHORE_COORDINATION__LEASE_S": "2",
                "LONGSHORE_POLL_S": "0.5",
                "LONGSHORE_NODE__NAME": name,
                **{f"LONGSHORE_{key}": value for key, value in env.items()},
            },
        )

    return serve_as
