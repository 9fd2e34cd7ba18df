"""A cluster on one machine: a node that takes uploads, and peers that install, each with a line of its own.

Peers reach the blob store, and nothing else, through a relay that counts what they fetch and may hold it to a
rate, so that lines are the limit and not the machine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from longshore_client import Activation, Client
from longshore_storage.catalogue import open_catalogue
from tests.services.processes import ServerProcess, serve

from .going_live import until_live
from .relay import Relay, relay_to
from .services import Services
from .stage import Bench, Place


@dataclass(frozen=True)
class Cluster:
    """``lines`` are the peers', in the order in which their environments were given."""

    receiver: ServerProcess
    lines: list[Relay]
    place: Place

    @property
    def fetched_bytes(self) -> int:
        """What came over all lines so far, with everything that HTTP adds."""
        return sum(line.received_bytes for line in self.lines)


@asynccontextmanager
async def cluster(
    bench: Bench, started: Services, environments: Sequence[str], *, bytes_per_s: int | None = None
) -> AsyncIterator[Cluster]:
    """A peer in each of ``environments``, which may be named several times."""
    async with AsyncExitStack() as stack:
        place = stack.enter_context(bench.place())
        database = started.postgres.url(stack.enter_context(started.postgres.fresh_database()))
        catalogue = open_catalogue(database)
        await catalogue.migrate()
        await catalogue.close()
        env = {
            **place.settings,
            "LONGSHORE_DATABASE__URL": database,
            "LONGSHORE_COORDINATION__URL": started.etcd.url(stack.enter_context(started.etcd.fresh_prefix())),
        }
        receiver = await stack.enter_async_context(serve(data_dir=place.folder / "receiver", env=env))
        lines = []
        for number, environment in enumerate(environments):
            line = stack.enter_context(relay_to(place.minio.endpoint, received_bytes_per_s=bytes_per_s))
            own = {
                **env,
                "LONGSHORE_BLOBS__URL": env["LONGSHORE_BLOBS__URL"].replace(
                    place.minio.endpoint, line.address
                ),
                "LONGSHORE_NODE__NAME": f"peer{number}",
                "LONGSHORE_NODE__ENVIRONMENT": environment,
                "LONGSHORE_NODE__ROLES": "install",
            }
            data_dir = place.folder / f"peer{number}"
            await stack.enter_async_context(serve(data_dir=data_dir, env=own))
            lines.append(line)
        yield Cluster(receiver, lines, place)


async def live_everywhere(client: Client, deployment_id: str, nodes: int) -> list[Activation]:
    """Wait until it is live; what each node did. Raises ``RuntimeError`` when it was not on so many."""
    await until_live(client, deployment_id)
    done = [activation async for activation in client.activations(deployment_id)]
    if len(done) != nodes:
        raise RuntimeError(f"deployment {deployment_id} went live on {len(done)} nodes, not on {nodes}")
    return done
