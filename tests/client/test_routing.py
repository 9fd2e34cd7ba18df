"""Which server a call goes to next, when it waits, and when it is given up."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from longshore_client import errors
from longshore_client.addresses import checked_addresses
from longshore_client.connection import Connection
from longshore_client.credentials import ANONYMOUS
from longshore_client.policy import CallPolicy
from longshore_client.routing import Route, is_the_servers_own, passes_by_itself

AWAY = errors.Unavailable("away")
LACKING = errors.RoleMissing("lacks the role", reason="ROLE_MISSING")
LOST = errors.Conflict("lost a race", reason="CONFLICT", retry_after_s=0.5)


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    opened = Connection(("a:1", "b:2", "c:3"), CallPolicy(timeout_s=1), ANONYMOUS)
    yield opened
    await opened.close()


def _failing(route: Route, *failures: errors.LongshoreError) -> list[tuple[str, float]]:
    """Where each try went, and how long it was until the next."""
    return [(route.server.address, route.pause_s(error)) for error in failures]


async def test_all_others_are_tried_at_once_and_then_there_is_a_pause(connection: Connection) -> None:
    route = Route(connection)
    tried = _failing(route, *[AWAY] * 7)
    assert tried == [("a:1", 0), ("b:2", 0), ("c:3", 0.2), ("a:1", 0), ("b:2", 0), ("c:3", 0.4), ("a:1", 0)]


async def test_who_answered_last_is_first_for_others(connection: Connection) -> None:
    route = Route(connection)
    _failing(route, AWAY)
    route.answered()
    assert [server.address for server in connection.servers] == ["b:2", "c:3", "a:1"]
    assert Route(connection).server.address == "b:2"


async def test_progress_between_failures_makes_no_loop_without_a_pause(connection: Connection) -> None:
    route = Route(connection, most_rounds=3)
    pauses = []
    for _ in range(12):
        route.progressed()
        pauses += [pause for _, pause in _failing(route, AWAY)]
    assert pauses == [0, 0, 0.2] * 4


async def test_a_lost_race_is_run_again_where_it_was(connection: Connection) -> None:
    assert _failing(Route(connection), AWAY, LOST, LOST) == [("a:1", 0), ("b:2", 0.5), ("b:2", 0.5)]


async def test_what_is_the_same_everywhere_is_raised_as_it_is(connection: Connection) -> None:
    refusal = errors.ReleaseNotFound("no such release", reason="RELEASE_NOT_FOUND")
    route = Route(connection)
    _failing(route, AWAY)
    with pytest.raises(errors.ReleaseNotFound) as caught:
        route.pause_s(refusal)
    assert caught.value is refusal


async def test_rounds_in_vain_end_it_and_every_server_is_named(connection: Connection) -> None:
    route = Route(connection, most_rounds=2)
    _failing(route, LACKING, AWAY, LACKING, LACKING, AWAY)
    with pytest.raises(errors.Unavailable) as caught:
        route.pause_s(LACKING)
    assert caught.value.message == (
        "none of the 3 servers can do it: a:1: lacks the role; b:2: away; c:3: lacks the role"
    )


async def test_what_no_server_can_do_is_not_tried_twice(connection: Connection) -> None:
    route = Route(connection)
    _failing(route, LACKING, LACKING)
    with pytest.raises(errors.RoleMissing) as caught:
        route.pause_s(LACKING)
    assert caught.value.reason == "ROLE_MISSING"


async def test_patience_ends_at_a_pause_and_not_before_all_were_tried(connection: Connection) -> None:
    route = Route(connection, patience_s=0.1)
    assert _failing(route, AWAY, AWAY) == [("a:1", 0), ("b:2", 0)]
    with pytest.raises(errors.Unavailable):
        route.pause_s(AWAY)


async def test_who_holds_an_upload_is_looked_at_sooner_than_advised(connection: Connection) -> None:
    busy = errors.UploadInProgress("busy", reason="UPLOAD_IN_PROGRESS", retry_after_s=20.0)
    route = Route(connection, passes=lambda error: True)
    assert [pause_s for _, pause_s in _failing(route, *[busy] * 7)] == [0.5, 1, 2, 4, 8, 15, 15]


async def test_of_several_advices_the_shortest_counts(connection: Connection) -> None:
    route = Route(connection)
    draining = [errors.Draining("drains", reason="DRAINING", retry_after_s=each) for each in (3.0, 1.0)]
    assert _failing(route, *draining, AWAY)[-1] == ("c:3", 1.0)


def test_what_is_a_servers_own() -> None:
    own = {
        *(errors.Unavailable, errors.DependencyUnavailable, errors.Draining, errors.ServerBusy),
        *(errors.RoleMissing, errors.Misconfigured, errors.StorageFull, errors.TimedOut, errors.ServerFault),
        *(errors.HandshakeFailed, errors.ConnectionEnded),
    }
    for name in dir(errors):
        kind = getattr(errors, name)
        if isinstance(kind, type) and issubclass(kind, errors.LongshoreError):
            if kind is errors.DeploymentFailed:
                continue
            assert is_the_servers_own(kind("")) is (kind in own), name
    assert not is_the_servers_own(errors.ServerFault("", reason="INTERNAL"))
    assert not passes_by_itself(errors.UploadInProgress("", reason="UPLOAD_IN_PROGRESS"))


def test_a_quota_is_waited_for_only_where_there_is_room_soon() -> None:
    def exceeded(retry_after_s: float | None) -> errors.QuotaExceeded:
        return errors.QuotaExceeded("", reason="QUOTA_EXCEEDED", retry_after_s=retry_after_s)

    assert passes_by_itself(exceeded(0.2))
    assert not passes_by_itself(exceeded(3600))
    assert not passes_by_itself(exceeded(None))


def test_addresses_with_commas_between_them() -> None:
    assert checked_addresses("a:1") == ("a:1",)
    assert checked_addresses(" a:1, [::1]:7420 ,a:1") == ("a:1", "[::1]:7420")
    for wrong in ("", "a:1,", "a:1;b:2", "a:1,http://b:2", "a:0", "a:1 b:2"):
        with pytest.raises(ValueError, match="HOST:PORT"):
            checked_addresses(wrong)


async def test_waits_are_those_of_the_policy() -> None:
    policy = CallPolicy(first_wait_s=1, longest_wait_s=3, longest_advised_wait_s=2)
    opened = Connection(("a:1",), policy, ANONYMOUS)
    try:
        tried = _failing(Route(opened), *[AWAY] * 3)
        assert [pause for _, pause in tried] == [1, 2, 3]
        advised = errors.Conflict("lost a race", reason="CONFLICT", retry_after_s=60)
        assert _failing(Route(opened), advised) == [("a:1", 2)]
    finally:
        await opened.close()
