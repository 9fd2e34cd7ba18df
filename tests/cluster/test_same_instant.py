"""Two nodes are asked to deploy one project in the same instant, a hundred times over.

Every version is one release, each is acknowledged to one of them, and the newest is live in the end, on both
nodes. Now and then both are asked by the same id: that is one deployment, whoever answers first.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

import grpc

from longshore.v1 import deployment_service_pb2 as pb
from tests.faults.calls import PROJECT, Stub, Uploading, connected, refused, upload

from .fleet import Fleet

ROUNDS: Final = 100
SAME_ID_EVERY: Final = 10
# The first are asked beside rollouts, which take longer than the asking; then nobody drives till the end.
UNDRIVEN_FROM: Final = 25


class Asking:
    """Asks two nodes in the same instant, and keeps what they answer by deployment id."""

    def __init__(self, *stubs: Stub) -> None:
        self._stubs = stubs
        self.versions: dict[str, set[str]] = {}

    async def ask(self, number: int) -> None:
        """The ``number``-th time."""
        uploads = [_uploading(b"%d" % which) for which in range(len(self._stubs))]
        if not number % SAME_ID_EVERY:
            uploads = [uploads[0]] * len(uploads)
        await asyncio.gather(*map(self._upload, self._stubs, uploads))

    async def _upload(self, stub: Stub, uploading: Uploading) -> None:
        try:
            answer = (await upload(stub, uploading)).deployment
        except grpc.aio.AioRpcError as error:
            reason = refused(error).reason
            if reason == "CONFLICT":
                # The other node ends it just now: called again, this one has the answer, too.
                await self._upload(stub, uploading)
            # Or it is at it, by the same id.
            elif reason != "UPLOAD_IN_PROGRESS":
                raise
            return
        self.versions.setdefault(answer.deployment_id, set()).add(answer.version)


def _uploading(payload: bytes) -> Uploading:
    """A new deployment; what is stored already costs no bytes, and leaves nothing to do but the recording."""
    return Uploading(payload, file_name="file", queue_policy=pb.QUEUE_POLICY_SUPERSEDE)


async def test_a_hundred_times(fleet: Fleet) -> None:
    await fleet.start("a", "b")
    driver = await fleet.run("driver", "control")
    first, second = fleet.nodes.values()
    async with connected(first) as one, connected(second) as other:
        asking = Asking(one, other)
        for number in range(ROUNDS):
            if number == UNDRIVEN_FROM:
                await driver.kill()
            await asking.ask(number)
    await fleet.run("driver", "control")
    told = asking.versions
    assert len(told) == 2 * ROUNDS - ROUNDS // SAME_ID_EVERY
    # The same version whoever answers, and no version twice.
    assert Counter(version for versions in told.values() for version in versions) == Counter(
        f"1.0.{patch}" for patch in range(len(told))
    )

    await fleet.until_state(lambda state: all(row.end_time for row in state["deployment"]))
    state = await fleet.check()
    assert {(row.deployment_id, row.version) for row in state["release"]} == {
        (deployment_id, version) for deployment_id, (version,) in told.items()
    }
    assert {row.status for row in state["deployment"]} == {"SUCCEEDED", "SUPERSEDED"}
    newest = max(state["deployment"], key=lambda row: row.queue_order)
    (place,) = state["project_environment"]
    assert place.live_deployment_id == newest.id
    for name in fleet.nodes:
        assert (fleet.folder_of(name) / f"live/{PROJECT}").resolve().name == f"{PROJECT}@{newest.version}"
