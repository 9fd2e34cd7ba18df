"""Nodes that are killed while receivers are to be told: at least once, whatever lay in between."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

from tests.server.notifying.receiver import Receiver, receiving
from tests.services.ports import ReservedPort

from .calls import Uploading, connected, deployed
from .nodes import Nursery
from .trees import PAYLOAD_1, PAYLOAD_2


async def come(receiver: Receiver, number: int) -> None:
    await asyncio.to_thread(receiver.wait_for, lambda seen: len(seen.come) >= number)


async def test_before_it_is_written_down_and_before_it_is_known_to_be_delivered(
    nursery: Nursery, place: Path
) -> None:
    data_dir = place / "node"
    with receiving() as receiver:
        env = {"LONGSHORE_NOTIFICATIONS": json.dumps([receiver.settings(place, events=["succeeded"])])}
        # It knows no receivers, so all that is left of the change is its event.
        async with nursery.serve(data_dir) as node, connected(node) as stub:
            await deployed(stub, Uploading(PAYLOAD_1))
            await node.kill()
        pids: list[int] = []
        receiver.before_answer = lambda _: os.kill(pids[0], signal.SIGKILL)
        receiver.may_go_on.clear()
        async with nursery.serve(data_dir, env=env) as node:
            pids.append(node.pid)
            receiver.may_go_on.set()
            assert (await node.ended()).status == -signal.SIGKILL
        receiver.before_answer = lambda _: None
        async with nursery.serve(data_dir, env=env) as node, connected(node) as stub:
            await come(receiver, 2)
            # Nothing comes a third time: what comes next is something else.
            await deployed(stub, Uploading(PAYLOAD_2))
            await come(receiver, 3)
    ids = [each.told["id"] for each in receiver.come]
    assert ids[0] == ids[1] != ids[2]
    assert receiver.come[0].body == receiver.come[1].body


async def test_another_node_goes_on_when_the_one_that_delivers_is_killed(
    nursery: Nursery, place: Path, env: dict[str, str]
) -> None:
    with ReservedPort() as port:
        entry = Receiver(port.number).settings(place)
        told = {**env, "LONGSHORE_NOTIFICATIONS": json.dumps([entry]), "LONGSHORE_COORDINATION__LEASE_S": "2"}
        async with (
            nursery.serve(place / "a", env={**told, "LONGSHORE_NODE__NAME": "a"}) as first,
            nursery.serve(place / "b", env={**told, "LONGSHORE_NODE__NAME": "b"}) as second,
        ):
            async with connected(first) as stub:
                ended = await deployed(stub, Uploading(PAYLOAD_1))
            await first.kill()
            with receiving(port.number) as receiver:
                await come(receiver, 1)
                assert receiver.come[0].told["deployment"]["id"] == ended.deployment_id
                assert receiver.come[0].told["event"] == "succeeded"
            assert second.running
