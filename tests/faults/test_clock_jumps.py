"""A node whose clock is set by hours while it works: nothing is given up, kept or refused for it.

The embedded node, whose database has no other clock than the machine's.
"""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from longshore.v1 import deployment_service_pb2 as pb
from tests.services.processes import serve

from .calls import Stub, UploadCall, Uploading, assert_succeeded, connected, deployed, outcome, upload
from .trees import PAYLOAD_1, PAYLOAD_2, V2, live_tree

_PATCH = Path(__file__).with_name("shifted_clock")
_HOURS = timedelta(hours=5)
_FORWARDS_AND_BACKWARDS = pytest.mark.parametrize("shift", [_HOURS, -_HOURS], ids=["forwards", "backwards"])


class Clock:
    """The node's clock, and the environment that gives it one."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set(timedelta())
        paths = [str(_PATCH), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.env = {"PYTHONPATH": os.pathsep.join(paths), "SHIFTED_CLOCK": str(self._file)}

    def set(self, shift: timedelta) -> None:
        beside = self._file.with_suffix(".new")
        beside.write_text(str(round(shift.total_seconds())))
        beside.replace(self._file)


@dataclass(frozen=True)
class OtherSession(Uploading):
    """The same upload, by another client."""

    def header(self, attempt: int) -> pb.DeployRequest:
        request = super().header(attempt)
        request.header.session_id = str(uuid.uuid4())
        return request


@pytest.fixture
def clock(place: Path) -> Clock:
    return Clock(place)


async def told_by_the_new_time(stub: Stub, deployment_id: str, shift: timedelta) -> None:
    """Wait for an event that the rollout's driver has written since the clock was set."""
    async with asyncio.timeout(20):
        async for response in stub.StreamProgress(pb.StreamProgressRequest(deployment_id=deployment_id)):
            for event in response.events:
                ahead = event.time.ToDatetime(UTC) - datetime.now(UTC)
                if abs(ahead - shift) < timedelta(hours=1):
                    return
    raise AssertionError("the stream ended before")


@_FORWARDS_AND_BACKWARDS
async def test_a_rollout_goes_on(place: Path, clock: Clock, shift: timedelta) -> None:
    """A node whose last report is hours old by the new time is not given up for that."""
    ticks = 'echo begun; while [ -e "$D/hold" ]; do echo tick; sleep 1; done'
    hook = {"when": "before_switch", "command": ["sh", "-c", ticks], "environment": {"D": str(place)}}
    env = {**clock.env, "LONGSHORE_NODE__HOOKS": json.dumps([hook]), "LONGSHORE_POLL_S": "0.05"}
    async with serve(data_dir=place / "node", env=env) as node, connected(node) as stub:
        await deployed(stub, Uploading(PAYLOAD_1))
        (place / "hold").touch()
        second = Uploading(PAYLOAD_2)
        await upload(stub, second)
        await told_by_the_new_time(stub, second.deployment_id, timedelta())
        clock.set(shift)
        await told_by_the_new_time(stub, second.deployment_id, shift)
        (place / "hold").unlink()
        assert_succeeded(await outcome(stub, second.deployment_id))
        assert live_tree(place / "node") == V2


@_FORWARDS_AND_BACKWARDS
async def test_an_upload_that_broke_off_is_gone_on_with(place: Path, clock: Clock, shift: timedelta) -> None:
    """By another client, whom a heartbeat that lies hours ahead must not keep out for hours."""
    uploading = Uploading(PAYLOAD_1)
    async with serve(data_dir=place / "node", env=clock.env) as node, connected(node) as stub:
        call = UploadCall(stub, uploading)
        await call.accepted()
        await call.send(0, 100_000)
        node.kill()
    clock.set(shift)
    async with serve(data_dir=place / "node", env=clock.env) as node, connected(node) as stub:
        await deployed(stub, OtherSession(PAYLOAD_1, deployment_id=uploading.deployment_id))
