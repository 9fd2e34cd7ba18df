"""How long a rollout may be without an owner: two lease times and two seconds, whatever became of its owner.

That one was killed is measured by ``make bench``. Here it is stopped, as on a machine that hangs, while it
waits at a gate or in the middle of a transaction whose row locks whoever comes needs; or it runs and is cut
off from etcd. The time is counted from the fault until the other one has the rollout, and includes what was
left of the lease.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.faults.driving import HALTS
from tests.faults.nodes import NodeProcess
from tests.faults.trees import V1
from tests.services.etcd_cluster import EtcdCluster
from tests.services.toxiproxy import Proxy, ToxiproxyService

from .fleet import DEADLINE_S, WENT_THROUGH, Fleet, audit

# So long that the machine's load does not decide.
LEASE_S = 5
WITHIN_S = 2 * LEASE_S + 2
_LEASE = {"LONGSHORE_COORDINATION__LEASE_S": str(LEASE_S)}
_TAKEN_OVER = "rollout.taken_over"
_POLL_S = 0.05


@pytest.fixture
def proxies(toxiproxy_service: ToxiproxyService, etcd_cluster: EtcdCluster) -> Iterator[list[Proxy]]:
    """Between the owner and each member of etcd."""
    with ExitStack() as stack:
        yield [stack.enter_context(toxiproxy_service.proxy(one)) for one in etcd_cluster.endpoints]


async def waits_in_the_queue(fleet: Fleet) -> None:
    """Return when somebody holds the rollout's lock, and another one waits for it."""
    async with asyncio.timeout(DEADLINE_S), fleet.client as client:
        while not [lock async for lock in client.locks() if lock.project and lock.waiting]:
            await asyncio.sleep(_POLL_S)


async def takes_over_in_time(heir: NodeProcess, fault_at: float) -> None:
    """Return when the heir has the rollout. ``fault_at`` is the monotonic time at which the fault began."""
    await heir.logged(_TAKEN_OVER, deadline_s=DEADLINE_S)
    taken_s = time.monotonic() - fault_at
    assert taken_s <= WITHIN_S, f"after {taken_s:.1f} s, of at most {WITHIN_S} s"


async def goes_through(fleet: Fleet, deployment_id: str) -> None:
    """The heir drives: what is promoted goes live everywhere, and everything was done once."""
    await fleet.promote(deployment_id)
    await fleet.succeeded(deployment_id)
    await fleet.has(V1)
    state = await fleet.check()
    assert audit(state, deployment_id=deployment_id) == WENT_THROUGH


@pytest.mark.parametrize("fault", ["stopped", "cut", "silent"])
async def test_of_an_owner_at_a_gate(
    fleet: Fleet, proxies: list[Proxy], etcd_prefix: str, fault: str
) -> None:
    version = await fleet.start_undriven()
    etcd = f"etcd://{','.join(proxy.address for proxy in proxies)}/{etcd_prefix}"
    owner = await fleet.run("owner", "control", env={**_LEASE, "LONGSHORE_COORDINATION__URL": etcd})
    deployment_id = await fleet.begin(version)
    await fleet.until(deployment_id, lambda found: bool(found.waiting_gate_id))
    heir = await fleet.run("heir", "control", env=_LEASE)
    await waits_in_the_queue(fleet)
    assert _TAKEN_OVER not in heir.stderr
    fault_at = time.monotonic()
    if fault == "stopped":
        owner.send(signal.SIGSTOP)
    for proxy in proxies:
        if fault == "cut":
            await asyncio.to_thread(proxy.cut)
        elif fault == "silent":
            await asyncio.to_thread(proxy.silence)
    await takes_over_in_time(heir, fault_at)
    await goes_through(fleet, deployment_id)
    # It goes on, or has found out by itself, and does nothing more.
    owner.send(signal.SIGCONT)
    await owner.logged('"reason": "no answer in time"', deadline_s=DEADLINE_S)


async def test_of_an_owner_in_an_open_transaction(fleet: Fleet) -> None:
    deployment_id = await fleet.begin(await fleet.start_undriven())
    owner = await fleet.run("owner", "control", env=_LEASE, driving="stop-write-3")
    await owner.logged(HALTS, deadline_s=DEADLINE_S)
    fault_at = time.monotonic()
    heir = await fleet.run("heir", "control", env=_LEASE)
    # Its start is no part of the time: it waits long before the lease has ended.
    assert time.monotonic() - fault_at < LEASE_S
    await takes_over_in_time(heir, fault_at)
    await goes_through(fleet, deployment_id)
