"""A node on real services: PostgreSQL, etcd and MinIO, each syncing what it promises to keep."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.stage import Bench
from longshore_storage.catalogue import open_catalogue
from tests.services.binaries import ETCD, find
from tests.services.child import Command
from tests.services.etcd_cluster import EtcdCluster, EtcdMember
from tests.services.postgres_programs import find_postgres
from tests.services.postgres_service import PostgresService
from tests.services.processes import ServerProcess, serve


class DurablePostgres(PostgresService):
    """The tests' service with what they leave out: what is committed is on the disk."""

    def command(self) -> Command:
        command = super().command()
        return replace(command, argv=[*command.argv, "--fsync=on", "--full_page_writes=on"])


class _DurableMember(EtcdMember):
    def command(self) -> Command:
        command = super().command()
        return replace(command, argv=[each for each in command.argv if each != "--unsafe-no-fsync"])


class DurableEtcd(EtcdCluster):
    """One member, which syncs what it has agreed to."""

    def __init__(self, program: Path, folder: Path) -> None:
        super().__init__(program, folder, size=1)
        for member in self.members:
            member.close()
        self.members = [_DurableMember(program, folder, "durable", None)]
        self.endpoints = [member.endpoint for member in self.members]
        self._be_new()


@dataclass(frozen=True)
class Services:
    """What runs besides the bench's own MinIO."""

    postgres: PostgresService
    etcd: EtcdCluster

    @asynccontextmanager
    async def node(
        self, bench: Bench, database: str, *, env: Mapping[str, str] | None = None
    ) -> AsyncIterator[ServerProcess]:
        """A node with every role, over a database that is there, a bucket and a prefix of its own."""
        with bench.place() as place, self.etcd.fresh_prefix() as prefix:
            variables = {
                **place.settings,
                "LONGSHORE_NODE__ROLES": "receive,control,install",
                "LONGSHORE_DATABASE__URL": self.postgres.url(database),
                "LONGSHORE_COORDINATION__URL": self.etcd.url(prefix),
                **(env or {}),
            }
            async with serve(data_dir=place.folder / "node", env=variables) as server:
                yield server


async def migrated(url: str) -> None:
    """Bring a database to this version's schema, as an administrator does before the first node."""
    catalogue = open_catalogue(url)
    try:
        await catalogue.migrate()
    finally:
        await catalogue.close()


@contextmanager
def services(bench: Bench) -> Iterator[Services]:
    """Start them for as long as the block runs."""
    folder = bench.folder
    with (
        DurablePostgres(find_postgres(folder), folder / "postgres") as postgres,
        DurableEtcd(find(ETCD, bench.say).path, folder / "etcd") as etcd,
    ):
        yield Services(postgres, etcd)
