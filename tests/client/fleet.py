"""Nodes on the same PostgreSQL, MinIO and etcd, as processes that a test may kill."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.faults.nodes import NodeProcess, Nursery


class Fleet:
    """Starts nodes in ``folder``, each with a data folder of its own and ``env``."""

    def __init__(self, nursery: Nursery, folder: Path, env: Mapping[str, str]) -> None:
        self._nursery = nursery
        self._folder = folder
        self._env = env

    @asynccontextmanager
    async def node(self, name: str, *, roles: str = "receive,control,install") -> AsyncIterator[NodeProcess]:
        """A node, for as long as the block runs or until it is killed."""
        env = {**self._env, "LONGSHORE_NODE__NAME": name, "LONGSHORE_NODE__ROLES": roles}
        async with self._nursery.serve(self._folder / name, env=env) as node:
            yield node
