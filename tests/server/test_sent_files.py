"""Files that are held to be validated: of one caller a part of the room, and given back with the call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from longshore.v1 import catalog_service_pb2 as pb
from longshore.v1 import workflow_pb2
from longshore_server.refusal import Reason, Refusal
from longshore_server.rpc import sent_files
from longshore_server.rpc.sent_files import SentFiles
from longshore_storage.catalogue.rows import Actor


async def _requests() -> AsyncIterator[pb.ValidateWorkflowsRequest]:
    yield pb.ValidateWorkflowsRequest(target=workflow_pb2.ValidationTarget(pack="netops"))
    yield pb.ValidateWorkflowsRequest(file=workflow_pb2.WorkflowFile(path="a.yaml", content=b"x" * 10_000))


def _from(address: str) -> Actor:
    """Somebody of a node that asks nobody who they are."""
    return Actor("anonymous", f"{address}:5000")


async def test_one_caller_leaves_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent_files, "_MOST_BYTES_OF_ONE", 25_000)
    monkeypatch.setattr(sent_files, "_MOST_BYTES", 65_000)
    files = SentFiles()
    async with AsyncExitStack() as held:

        async def hold(actor: Actor) -> None:
            await held.enter_async_context(files.received(_requests(), actor))

        for actor in Actor("alice"), _from("192.0.2.1"):
            for _ in range(2):
                await hold(actor)
            with pytest.raises(Refusal, match="your other calls") as caught:
                await hold(actor)
            assert (caught.value.reason, caught.value.retry_after_s) == (Reason.LIMIT_EXCEEDED, 5)
        for address in "192.0.2.2", "192.0.2.3":
            await hold(_from(address))
        with pytest.raises(Refusal, match="as it can"):
            await hold(Actor("bob"))
    async with files.received(_requests(), Actor("alice")) as (target, sent):
        assert (target.pack, len(sent["a.yaml"])) == ("netops", 10_000)
