"""A follower that is cut off after every message and asks the next node with the last number it was told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import cycle

import grpc

from longshore.v1 import deployment_pb2, deployment_service_pb2_grpc, progress_pb2
from longshore.v1 import deployment_service_pb2 as pb
from tests.faults.calls import channel_to

_D = deployment_pb2.DeploymentStatus
_TERMINAL = {
    _D.DEPLOYMENT_STATUS_SUCCEEDED,
    _D.DEPLOYMENT_STATUS_PARTIAL,
    _D.DEPLOYMENT_STATUS_FAILED,
    _D.DEPLOYMENT_STATUS_CANCELLED,
    _D.DEPLOYMENT_STATUS_SUPERSEDED,
}
_PATIENCE_S = 1.0
_PAUSE_S = 0.1

Events = list[progress_pb2.ProgressEvent]


async def hop(addresses: Sequence[str], deployment_id: str) -> Events:
    """Follow to the end, at each node one message with events or a second; every event, in order.

    A node that is away is left out. Fails on an event that is told twice, too early, or behind the end.
    """
    events: Events = []
    for address in cycle(addresses):
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await _listen(address, deployment_id, events)
        except TimeoutError:
            pass
        except grpc.aio.AioRpcError as error:
            if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND):
                raise
            await asyncio.sleep(_PAUSE_S)
        if events and _is_terminal(events[-1]):
            return events
    raise AssertionError("there is no node to ask")


async def tell_the_same(addresses: Sequence[str], deployment_id: str, events: Events) -> None:
    """Ask every node for the whole sequence: it must be ``events``, with one terminal one at its end."""
    assert [_is_terminal(event) for event in events] == [False] * (len(events) - 1) + [True]
    for address in addresses:
        told: Events = []
        while not (told and _is_terminal(told[-1])):
            await _listen(address, deployment_id, told)
        assert told == events, address


async def _listen(address: str, deployment_id: str, events: Events) -> None:
    """Take one message with events from a node."""
    request = pb.StreamProgressRequest(
        deployment_id=deployment_id, after_sequence=events[-1].sequence if events else 0
    )
    async with channel_to(address) as channel:
        stub: deployment_service_pb2_grpc.DeploymentServiceAsyncStub = (
            deployment_service_pb2_grpc.DeploymentServiceStub(channel)
        )
        async for response in stub.StreamProgress(request):
            for event in response.events:
                assert event.sequence == len(events) + 1, f"{address} told {event} after {len(events)}"
                assert not (events and _is_terminal(events[-1])), f"{address} told {event} behind the end"
                events.append(event)
            if response.events:
                return


def _is_terminal(event: progress_pb2.ProgressEvent) -> bool:
    return event.status_changed.to_status in _TERMINAL
