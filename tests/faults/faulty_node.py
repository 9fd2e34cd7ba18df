"""A node on SQLite and on MinIO behind a proxy that does wrong, and what must hold of it afterwards."""

from __future__ import annotations

import asyncio
import itertools
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from longshore.v1 import deployment_service_pb2 as pb
from longshore.v1.deployment_pb2 import Deployment
from longshore_storage.catalogue import open_catalogue
from tests.bundles.trees import File, Tree, make_tar
from tests.services.store_proxy import StoreProxy
from tests.storage.catalogue.rows import make_unfinished_old

from .calls import (
    PROJECT,
    Refused,
    Stub,
    Uploading,
    assert_succeeded,
    connected,
    deployed,
    get,
    outcome,
    refused,
    upload,
)
from .invariants import Stores, read_state, unreadable_payloads, violations
from .nodes import Ended, NodeProcess, Nursery
from .trees import V1, V2, live_tree

SMALL: Tree = {**V1, "data/large": File(random.Random(2).randbytes(1_000_000))}
SMALL_PAYLOAD = make_tar(SMALL)


def large_tree(seed: int) -> Tree:
    """More than the node takes in at once, so that some is durable while the rest is with the client."""
    return {**V2, "data/large": File(random.Random(seed).randbytes(6_000_000))}


# A node that soon gives up waiting and asks often, keeps no tree but the live one, and collects at once.
IMPATIENT: Mapping[str, str] = {
    "LONGSHORE_BLOBS__SILENCE_TIMEOUT_S": "1",
    "LONGSHORE_BLOBS__RETRY_FOR_S": "1",
    "LONGSHORE_POLL_S": "1",
    "LONGSHORE_NODE__KEPT_RELEASES": "0",
    "LONGSHORE_COLLECTING__EVERY_S": "0",
    "LONGSHORE_COLLECTING__GRACE_S": "0",
    "LONGSHORE_COLLECTING__KEEP_UNNAMED_S": "0",
}
# One that waits for as long as any test lasts.
PATIENT: Mapping[str, str] = {**IMPATIENT, "LONGSHORE_BLOBS__RETRY_FOR_S": "60"}
# What collects at the end: a sound store on a busy machine may be silent for more than a second.
_CALM: Mapping[str, str] = {**PATIENT, "LONGSHORE_BLOBS__SILENCE_TIMEOUT_S": "20"}


@dataclass(frozen=True)
class FaultyNode:
    """A running node on which the small release is live, and all that tests look at."""

    process: NodeProcess
    stub: Stub
    first: Deployment
    admin: Callable[..., Awaitable[Ended]]

    @property
    def live(self) -> Tree | None:
        return live_tree(self.process.data_dir)

    async def resumed(self, uploading: Uploading) -> int:
        """Send what is missing until the deployment is live; where that began in the end.

        It is sent again where the server asks for bytes again, and a few times where this store, whose
        silence is borne for a second only, was slow.
        """
        for attempt in itertools.count(2):
            try:
                began_at = (await upload(self.stub, uploading, attempt=attempt)).began_at
                break
            except grpc.aio.AioRpcError as error:
                reason = refused(error).reason
                if reason != "CHUNK_MISSING" and not (reason == "DEPENDENCY_UNAVAILABLE" and attempt < 6):
                    raise
        assert_succeeded(await outcome(self.stub, uploading.deployment_id))
        return began_at

    async def installed(self, version: str) -> Deployment:
        """Make a release live whose tree is no longer here; how that ended."""
        deployment_id = str(uuid.uuid4())
        await self.stub.DeployRelease(
            pb.DeployReleaseRequest(deployment_id=deployment_id, project=PROJECT, version=version)
        )
        return await outcome(self.stub, deployment_id)

    async def scrub(self) -> None:
        """Look through everything that is stored; nothing may be wrong any more."""
        scrubbed = await self.admin("scrub", "--rate", "0")
        assert scrubbed.status == 0, scrubbed

    async def download(self, *, offset: int = 0) -> tuple[bytes, Refused | None]:
        """The first release from ``offset`` on, as far as it came, and what ended it early."""
        request = pb.DownloadPayloadRequest(project=PROJECT, version=self.first.version, offset=offset)
        received = bytearray()
        try:
            async for message in self.stub.DownloadPayload(request):
                assert message.offset in (offset, offset + len(received))
                received += message.data
        except grpc.aio.AioRpcError as error:
            return bytes(received), refused(error)
        return bytes(received), None

    @asynccontextmanager
    async def others_are_answered(self) -> AsyncIterator[None]:
        """While the block runs, what needs no blobs must be answered, and what is live must stay."""
        ended, live = asyncio.Event(), self.live

        async def ask() -> None:
            while True:
                last = ended.is_set()
                assert (await get(self.stub, self.first.deployment_id)).payload_present
                await self.stub.ListDeployments(pb.ListDeploymentsRequest())
                assert self.live == live
                if last:
                    return
                await asyncio.sleep(0.05)

        async with asyncio.TaskGroup() as group:
            group.create_task(ask())
            yield
            ended.set()


@asynccontextmanager
async def faulty_node(
    nursery: Nursery, place: Path, proxy: StoreProxy, s3_url: str, env: Mapping[str, str]
) -> AsyncIterator[FaultyNode]:
    """A node as ``env`` says. At its end nothing may be wrong, and nothing be left after collecting."""
    data_dir = place / "node"
    env = {**env, "LONGSHORE_BLOBS__URL": proxy.url(s3_url)}
    stores = Stores(f"sqlite:///{data_dir}/longshore.db", s3_url)

    def admin(*argv: str) -> Awaitable[Ended]:
        """A command beside the node, or after it."""
        return nursery.run("admin", *argv, "--data-dir", str(data_dir), env=env, deadline_s=30)

    async with (
        nursery.serve(data_dir, env=env, small_packs=True) as process,
        connected(process) as stub,
    ):
        first = await deployed(stub, Uploading(SMALL_PAYLOAD))
        yield FaultyNode(process, stub, first, admin)
    catalogue = open_catalogue(stores.database_url)
    await make_unfinished_old(catalogue)
    await catalogue.close()
    collected = await nursery.run(
        "admin", "gc", "--data-dir", str(data_dir), env={**env, **_CALM}, deadline_s=90
    )
    assert collected.status == 0, collected
    state = await read_state(stores)
    wrong = violations(state) + await unreadable_payloads(stores, state)
    assert not wrong, wrong
    left = {table: state[table] for table in ("upload", "pin", "manifest_draft", "condemned")}
    assert not any(left.values()), left
    objects = {key for key in state.objects if not key.startswith("catalogues/")}
    named = {row.key for row in state["pack_file"]} | {row.manifest_key for row in state["payload"]}
    assert objects == named, objects ^ named


@contextmanager
def told(case: object) -> Iterator[None]:
    """Name the case in whatever fails in the block: a node is used for many."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"case: {case}")
        raise
