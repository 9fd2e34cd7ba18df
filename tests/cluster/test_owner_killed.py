"""The owner of a rollout is killed at each step of it: another takes over, and goes on where the rows are.

No owner lives for more than one write: each takes over, writes once, and is killed when its next write is
about to be committed. So in one rollout over three nodes, one by one with a gate before the last, an owner
dies behind every write, and in every one before it is committed; one dies in taking over. Once it goes
through, once it is cancelled at the gate and taken back. A follower hops from node to node all the while.
"""

from __future__ import annotations

import asyncio
import itertools
import signal

import pytest

from tests.faults.trees import V1, V2

from .fleet import DEADLINE_S, NAMES, WAS_CANCELLED, WENT_THROUGH, Fleet, activations, audit
from .hopping import hop, tell_the_same

# The first of an owner's writes is the taking over: each gets one more done, but the one that dies in that.
DIES_IN = (3, 1)
THEN_IN = 3
# How many each node has obeyed in the end: two releases before, then back to the first, and back again.
GENERATIONS = {"succeeded": [3, 3, 3], "cancelled": [4, 4, 2]}


async def relay(fleet: Fleet, deployment_id: str) -> int:
    """Let one owner after the other drive a rollout until it has ended; how many were killed."""
    ending = asyncio.create_task(fleet.until(deployment_id, lambda found: found.status.terminal))
    for number, dies_in in enumerate(itertools.chain(DIES_IN, itertools.repeat(THEN_IN))):
        owner = await fleet.run(f"owner-{number}", "control", driving=f"kill-write-{dies_in}")
        dying = asyncio.create_task(owner.ended(deadline_s=DEADLINE_S))
        await asyncio.wait([dying, ending], return_when=asyncio.FIRST_COMPLETED)
        if ending.done():
            dying.cancel()
            await ending
            return number
        assert (await dying).status == -signal.SIGKILL
    raise AssertionError("not reached")


@pytest.mark.parametrize(("ends", "done"), [("succeeded", WENT_THROUGH), ("cancelled", WAS_CANCELLED)])
async def test_at_each_step(fleet: Fleet, ends: str, done: list[str]) -> None:
    deployment_id = await fleet.begin(await fleet.start_undriven())
    decide = fleet.promote if ends == "succeeded" else fleet.cancel_at_the_gate
    async with asyncio.TaskGroup() as group:
        following = group.create_task(hop(fleet.addresses, deployment_id))
        group.create_task(decide(deployment_id))
        killed = await relay(fleet, deployment_id)
    # At least five writes: fewer, and what is counted is no longer where it was.
    assert killed >= 5
    await fleet.has(V1 if ends == "succeeded" else V2)
    state = await fleet.check()
    assert audit(state, deployment_id=deployment_id) == done
    # No node was sent anywhere twice.
    assert [len(activations(state, name)) for name in NAMES] == GENERATIONS[ends]
    await tell_the_same(fleet.addresses, deployment_id, following.result())
