"""The owner of a rollout stands still before each of its writes, and goes on when another has taken over.

No owner gets more than one write done: then it is stopped (SIGSTOP) before its next step, another takes over
when its lease has run out, does one write, and is stopped too. Now the first goes on, with a write that is
due and that nobody else makes: its epoch is too low, and nothing changes. In another case the owner is
stopped in an open transaction, with every row locked that whoever takes over needs.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
from typing import Any

from tests.faults.driving import HALTS, LATE_STEP, REFUSED
from tests.faults.invariants import State
from tests.faults.nodes import NodeProcess
from tests.faults.trees import V1, V2

from .fleet import DEADLINE_S, WENT_THROUGH, Fleet, audit, is_restless
from .hopping import hop, tell_the_same

# All that an owner writes.
OWNED = ("deployment", "event", "audit_entry", "assignment", "rollout_node", "project_environment")


def owned(state: State) -> dict[str, list[Any]]:
    return {table: sorted(map(repr, state[table])) for table in OWNED}


async def stopped(owner: NodeProcess, ending: asyncio.Task[Any]) -> bool:
    """Wait until an owner stands still; False when the rollout has ended instead."""
    stopping = asyncio.create_task(owner.logged(HALTS, deadline_s=DEADLINE_S))
    await asyncio.wait([stopping, ending], return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        stopping.cancel()
        await ending
        return False
    await stopping
    return True


async def goes_on_in_vain(fleet: Fleet, owner: NodeProcess) -> None:
    """Let an old owner go on while the new one stands still, and something is due."""
    await fleet.until_state(lambda state: not is_restless(state))
    before = owned(await fleet.state())
    owner.send(signal.SIGCONT)
    await owner.logged(LATE_STEP, deadline_s=DEADLINE_S)
    assert f"{LATE_STEP}{REFUSED}" in owner.stderr
    assert owned(await fleet.state()) == before
    await owner.kill()


async def relay(fleet: Fleet, deployment_id: str) -> int:
    """Let one owner after the other drive a rollout until it has ended; how many were stopped."""
    ending = asyncio.create_task(fleet.until(deployment_id, lambda found: found.status.terminal))
    before: NodeProcess | None = None
    for number in itertools.count():
        owner = await fleet.run(f"owner-{number}", "control", driving="stop-step-2")
        if not await stopped(owner, ending):
            return number
        if before is not None:
            await goes_on_in_vain(fleet, before)
        before = owner
    raise AssertionError("not reached")


async def test_before_each_step(fleet: Fleet) -> None:
    deployment_id = await fleet.begin(await fleet.start_undriven())
    async with asyncio.TaskGroup() as group:
        following = group.create_task(hop(fleet.addresses, deployment_id))
        group.create_task(fleet.promote(deployment_id))
        assert await relay(fleet, deployment_id) >= 4
    await fleet.succeeded(deployment_id)
    await fleet.has(V1)
    state = await fleet.check()
    assert audit(state, deployment_id=deployment_id) == WENT_THROUGH
    await tell_the_same(fleet.addresses, deployment_id, following.result())


async def test_in_an_open_transaction(fleet: Fleet) -> None:
    deployment_id = await fleet.begin(await fleet.start_undriven())
    owner = await fleet.run("owner", "control", driving="stop-write-3")
    await owner.logged(HALTS, deadline_s=DEADLINE_S)
    heir = await fleet.run("heir", "control")
    async with asyncio.TaskGroup() as group:
        following = group.create_task(hop(fleet.addresses, deployment_id))
        group.create_task(fleet.promote(deployment_id))
        await fleet.succeeded(deployment_id)
    ended = owned(await fleet.state())
    owner.send(signal.SIGCONT)
    await owner.logged("rollout.interrupted", deadline_s=DEADLINE_S)
    assert owned(await fleet.state()) == ended
    await tell_the_same(fleet.addresses, deployment_id, following.result())
    # It is as good as before.
    await heir.kill()
    await fleet.release(V2)
    await fleet.has(V2)
    await fleet.check()
