"""What every adapter of the port promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from longshore_storage.errors import CoordinationUnavailable, LockLost
from longshore_storage.ports import Coordination, HeldLock, Member

from .backends import Backend, until

Clients = tuple[Coordination, Coordination]


async def test_only_one_holds_a_lock_and_each_gets_it(clients: Clients) -> None:
    holders = 0
    fences: list[int] = []

    async def work(client: Coordination) -> None:
        nonlocal holders
        async with client.lock("rollout/default/web") as lock:
            holders += 1
            assert holders == 1
            assert lock.name == "rollout/default/web"
            fences.append(lock.fence)
            await asyncio.sleep(0.005)
            assert holders == 1
            holders -= 1

    await asyncio.gather(*(work(clients[number % 2]) for number in range(30)))
    assert len(fences) == 30
    assert fences == sorted(set(fences))


async def test_first_come_first_served(backend: Backend, clients: Clients) -> None:
    order: list[int] = []

    async def work(number: int) -> None:
        async with clients[number % 2].lock("queue"):
            order.append(number)

    def queue_is(length: int) -> bool:
        return backend.queued("queue") == length

    async with asyncio.TaskGroup() as waiters, clients[0].lock("queue"):
        for number in range(6):
            waiters.create_task(work(number))
            await until(partial(queue_is, number + 2))
        assert order == []
    assert order == list(range(6))


async def test_cancelled_waiter_leaves_the_queue(backend: Backend, clients: Clients) -> None:
    first, second = clients
    served: list[str] = []

    async def work(name: str) -> None:
        async with second.lock("queue"):
            served.append(name)

    async with first.lock("queue"):
        gives_up = asyncio.create_task(work("gives up"))
        await until(lambda: backend.queued("queue") == 2)
        stays = asyncio.create_task(work("stays"))
        await until(lambda: backend.queued("queue") == 3)
        gives_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gives_up
        assert backend.queued("queue") == 2
    await stays
    assert served == ["stays"]


async def test_anybody_sees_who_holds_what_and_how_many_wait(backend: Backend) -> None:
    first, second = backend.client("one"), backend.client("two")
    assert await second.locks() == []
    async with first.lock("rollout/default/web"), second.lock("collecting"), asyncio.TaskGroup() as group:
        waiters = [group.create_task(_hold(second, "rollout/default/web")) for _ in range(2)]
        await until(lambda: backend.queued("rollout/default/web") == 3)
        # A lock whose name goes on behind another's is a lock of its own.
        async with second.lock("rollout/default"):
            assert await second.locks() == [
                HeldLock("collecting", "two", 0),
                HeldLock("rollout/default", "two", 0),
                HeldLock("rollout/default/web", "one", 2),
            ]
        for waiter in waiters:
            waiter.cancel()
    assert await first.locks() == []
    await first.close()
    await second.close()


async def _hold(client: Coordination, name: str) -> None:
    async with client.lock(name):
        pass


async def test_waiting_can_be_timed(backend: Backend, clients: Clients) -> None:
    async with clients[0].lock("busy"):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3), clients[1].lock("busy"):
                pytest.fail("two holders")
        assert backend.queued("busy") == 1


async def test_cancelled_at_any_moment_leaves_nothing(backend: Backend, clients: Clients) -> None:
    first, second = clients

    async def work() -> None:
        async with second.lock("busy"):
            await asyncio.sleep(0)

    for steps in range(0, 60, 3):
        task = asyncio.create_task(work())
        for _ in range(steps):
            await asyncio.sleep(0.0005)
        task.cancel()
        await asyncio.wait([task])
    await until(lambda: backend.queued("busy") == 0)
    async with first.lock("busy"):
        assert backend.queued("busy") == 1


async def test_a_failed_block_gives_the_lock_back(backend: Backend, clients: Clients) -> None:
    with pytest.raises(ZeroDivisionError):
        async with clients[0].lock("fragile"):
            raise ZeroDivisionError
    assert backend.queued("fragile") == 0
    async with clients[1].lock("fragile"):
        pass


async def test_a_cancelled_holder_gives_the_lock_back(backend: Backend, clients: Clients) -> None:
    holding = asyncio.Event()

    async def work() -> None:
        async with clients[0].lock("cancelled"):
            holding.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await holding.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert backend.queued("cancelled") == 0
    async with clients[1].lock("cancelled"):
        pass


async def test_a_lock_is_not_re_entrant(clients: Clients) -> None:
    async with clients[0].lock("once"):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), clients[0].lock("once"):
                pytest.fail("entered twice")


@pytest.mark.parametrize("other", ["rollout/default/web/2", "rollout/default", "rollout/default/we"])
async def test_other_names_are_other_locks(clients: Clients, other: str) -> None:
    async with asyncio.timeout(5), clients[0].lock("rollout/default/web"), clients[1].lock(other):
        pass


async def test_closing_a_client_ends_what_it_holds(backend: Backend, clients: Clients) -> None:
    client, other = backend.client(), clients[1]
    holding = asyncio.Event()

    async def work() -> None:
        async with client.lock("closing"):
            holding.set()
            await asyncio.Event().wait()

    async def wait_in_vain() -> None:
        async with client.lock("closing"):
            pytest.fail("a closed client holds a lock")

    async with client.membership(Member("n1", "one", 1)):
        task = asyncio.create_task(work())
        await holding.wait()
        waiter = asyncio.create_task(wait_in_vain())
        await until(lambda: backend.queued("closing") == 2)
        await client.close()
        with pytest.raises(LockLost, match="closing"):
            await task
        with pytest.raises(CoordinationUnavailable, match="closed"):
            await waiter
        async with asyncio.timeout(5), other.lock("closing"):
            assert await other.members() == []
    await client.close()


async def test_a_closed_client_is_unavailable(backend: Backend) -> None:
    client = backend.client()
    await client.check()
    await client.close()
    await client.close()
    for refused in (client.check(), client.members(), client.signal("kind", "ident")):
        with pytest.raises(CoordinationUnavailable, match="closed"):
            await refused
    with pytest.raises(CoordinationUnavailable, match="closed"):
        async with client.lock("late"):
            pytest.fail("a closed client holds a lock")


async def test_members_come_and_go(clients: Clients) -> None:
    first, second = clients
    one = Member("11", "one", 3, {"environment": "default", "roles": "install", "note": "naïve ☂"})
    two = Member("22", "two", 1)

    async def seen(client: Coordination, expected: list[Member]) -> bool:
        return list(await client.members()) == expected

    async def seen_by_both(expected: list[Member]) -> None:
        for client in clients:
            await until(partial(seen, client, expected))

    await seen_by_both([])
    async with second.membership(two):
        await seen_by_both([two])
        async with first.membership(one):
            await seen_by_both([one, two])
        assert await first.members() == [two]
    assert await second.members() == []


async def test_a_node_that_starts_again_replaces_itself(clients: Clients) -> None:
    first, second = clients

    async def seen(boot_number: int) -> bool:
        return [member.boot_number for member in await first.members()] == [boot_number]

    old = first.membership(Member("11", "one", 1))
    await old.__aenter__()
    await until(partial(seen, 1))
    async with second.membership(Member("11", "one", 2)):
        await until(partial(seen, 2))
        await old.__aexit__(None, None, None)
        assert await seen(2)


async def test_signals_wake_every_listener_of_their_kind(clients: Clients) -> None:
    first, second = clients
    async with (
        first.signals("deployment") as heard_by_first,
        second.signals("deployment") as heard_by_second,
        second.signals("assignment") as of_another_kind,
    ):
        await first.signal("deployment", "d-1")
        await second.signal("deployment", "default/web")
        await second.signal("assignment", "a-1")
        assert await read(heard_by_first, 2) == ["d-1", "default/web"]
        assert await read(heard_by_second, 2) == ["d-1", "default/web"]
        assert await read(of_another_kind, 1) == ["a-1"]


async def test_a_kind_is_not_the_beginning_of_another(clients: Clients) -> None:
    async with clients[0].signals("node") as heard:
        await clients[1].signal("nodes", "x")
        await clients[1].signal("node", "y")
        assert await read(heard, 1) == ["y"]


async def test_signals_are_coalesced_while_nobody_reads(clients: Clients) -> None:
    first, second = clients
    async with first.signals("deployment") as busy, first.signals("deployment") as attentive:
        for _ in range(20):
            await second.signal("deployment", "d-1")
        await second.signal("deployment", "last")
        async with asyncio.timeout(10):
            while await anext(attentive) != "last":
                pass
            heard = [await anext(busy)]
            while heard[-1] != "last":
                heard.append(await anext(busy))
    assert heard[0] == "d-1"
    assert len(heard) < 20


async def test_signals_from_before_are_not_heard(clients: Clients) -> None:
    await clients[0].signal("deployment", "before")
    async with clients[1].signals("deployment") as heard:
        await clients[0].signal("deployment", "after")
        assert await read(heard, 1) == ["after"]


async def test_listening_ends_with_its_block(clients: Clients) -> None:
    async with clients[0].signals("deployment") as heard:
        pass
    assert [ident async for ident in heard] == []
    await clients[1].signal("deployment", "nobody listens")


@pytest.mark.parametrize("name", ["", "/", "a/", "/a", "a//b"])
async def test_names_have_a_form(clients: Clients, name: str) -> None:
    client = clients[0]
    with pytest.raises(ValueError, match="parts joined"):
        async with client.lock(name):
            pytest.fail("locked")
    with pytest.raises(ValueError, match="parts joined"):
        await client.signal("deployment", name)
    with pytest.raises(ValueError, match="must not be empty nor contain"):
        await client.signal(name, "x")
    with pytest.raises(ValueError, match="must not be empty nor contain"):
        async with client.membership(Member(name, "one", 1)):
            pytest.fail("announced")


async def read(heard: AsyncIterator[str], count: int) -> list[str]:
    async with asyncio.timeout(10):
        return [await anext(heard) for _ in range(count)]
