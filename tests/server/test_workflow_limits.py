"""Workflows at every limit: what is told of them fits into a message, and validating is bounded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
import pytest

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import workflow_pb2 as w
from longshore_bundles.workflows import read_all_workflows
from longshore_server.rpc import sent_files, workflow_calls
from longshore_server.rpc.wire_limits import LARGEST_MESSAGE_BYTES
from longshore_server.workflows import MOST_FILE_BYTES, MOST_FILES, validating

from .calls import MIB, deploy_to_end, refused
from .manifests import pack, workflow
from .running import RunningNode, embedded

S = grpc.StatusCode
Request = catalog.ValidateWorkflowsRequest
WIDE = "\N{GRINNING FACE}"
TARGET = Request(target=w.ValidationTarget(pack="netops"))
FILES = {"workflows/roll.yaml": workflow()}

pytestmark = embedded


def heavy(number: int) -> str:
    """As much to tell as one can have: tags, a description, warnings."""
    tags = ", ".join(f"{tag}{WIDE * 250}" for tag in range(50))
    unknown = "".join(f"{'k' * 1_000}{key}: 1\n" for key in range(30))
    return f"{workflow(f'Flow {number}').replace('[ops]', f'[{tags}]')}description: {WIDE * 2_000}\n{unknown}"


def sent(files: Mapping[str, str]) -> list[Request]:
    return [Request(file=w.WorkflowFile(path=path, content=text.encode())) for path, text in files.items()]


async def validate(node: RunningNode, *requests: Request) -> catalog.ValidateWorkflowsResponse:
    return await node.catalog.ValidateWorkflows(iter(requests))


async def names(node: RunningNode) -> tuple[list[str], list[int]]:
    """All that a project has, page by page, and how many bytes each page had."""
    found: list[str] = []
    sizes: list[int] = []
    token = ""
    while not sizes or token:
        request = catalog.ListWorkflowsRequest(project="netops", page_token=token, page_size=500)
        page = await node.catalog.ListWorkflows(request)
        found += [one.name for one in page.workflows]
        sizes.append(page.ByteSize())
        token = page.next_page_token
    return found, sizes


async def test_much_to_tell_fits_into_every_answer(node: RunningNode) -> None:
    flows = {f"flow{number:03d}": heavy(number) for number in range(60)}
    await deploy_to_end(node, pack(workflows=flows))
    found, sizes = await names(node)
    assert found == list(flows)
    assert len(sizes) == 2
    assert max(sizes) <= LARGEST_MESSAGE_BYTES
    synced = await node.catalog.SyncWorkflows(catalog.SyncWorkflowsRequest(project="netops"))
    assert (synced.loaded, synced.total_registered, synced.total_errors) == (60, 60, 0)
    assert synced.ByteSize() <= LARGEST_MESSAGE_BYTES
    assert (len(synced.registered[0].warnings), synced.registered[0].total_warnings) == (20, 30)
    target = w.ValidationTarget(project="netops", version="1.0.0")
    for told in (await validate(node, Request(target=target)), await validate(node, TARGET, *sent(FILES))):
        assert told.error_count == 0
        assert told.ByteSize() <= LARGEST_MESSAGE_BYTES


async def test_a_definition_that_does_not_fit_is_left_out(node: RunningNode) -> None:
    long = "x" * 900_000
    text = f"{workflow()}vars:\n  one: &one {long}\n  two: *one\n  three: *one\n"
    await deploy_to_end(node, pack(workflows={"roll": text}))
    told = await node.catalog.GetWorkflow(catalog.GetWorkflowRequest(project="netops", name="roll"))
    assert told.workflow.registered
    assert told.source.decode() == text
    assert not told.definition_json
    assert told.ByteSize() <= LARGEST_MESSAGE_BYTES


async def test_a_path_that_is_a_message_long_is_cut(node: RunningNode) -> None:
    files = {f"workflows/{WIDE * (MIB * 3 // 4)}.yaml": "tasks: 1", **FILES}
    told = await validate(node, TARGET, *sent(files))
    assert told.error_count > 0
    assert told.ByteSize() < MIB


class TestValidating:
    async def test_more_than_it_takes(self, node: RunningNode) -> None:
        many = {f"workflows/x{number}.yaml": "" for number in range(MOST_FILES + 1)}
        large = {f"workflows/x{number}.yaml": "x" * MIB for number in range(MOST_FILE_BYTES // MIB)}
        for files in (many, large):
            with refused(S.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED") as told:
                await validate(node, TARGET, *sent(files))
            assert "send fewer at once" in told.message

    async def test_what_does_not_go_by_the_rules(self, node: RunningNode) -> None:
        target_behind = [TARGET, *sent(FILES), TARGET]
        for requests in ([], sent(FILES), [TARGET, TARGET], target_behind, [Request()], [TARGET, Request()]):
            with refused(S.INVALID_ARGUMENT, "UPLOAD_PROTOCOL"):
                await validate(node, *requests)

    async def test_a_file_twice_or_beside_a_release(self, node: RunningNode) -> None:
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST"):
            await validate(node, TARGET, *sent(FILES), *sent(FILES))
        stored = Request(target=w.ValidationTarget(project="netops", version="1.0.0"))
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST"):
            await validate(node, stored, *sent(FILES))
        with refused(S.NOT_FOUND, "RELEASE_NOT_FOUND"):
            await validate(node, stored)

    async def test_who_sends_nothing_keeps_nobody_out(self, node: RunningNode) -> None:
        held = [_Held(node) for _ in range(50)]
        told = await asyncio.gather(*(validate(node, TARGET, *sent(FILES)) for _ in range(8)))
        assert [one.validated for one in told] == [1] * 8
        for one in held:
            one.call.cancel()

    async def test_who_does_not_send_is_ended(
        self, node: RunningNode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sent_files, "_SENT_WITHIN_S", 0.2)
        with refused(S.DEADLINE_EXCEEDED, "UPLOAD_IDLE"):
            await _Held(node).call

    async def test_who_is_cancelled_holds_its_place_until_its_thread_has_ended(
        self, node: RunningNode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun, let_go = threading.Semaphore(0), threading.Event()

        def held(*values: Any, **how: Any) -> Any:
            begun.release()
            let_go.wait(30)
            return read_all_workflows(*values, **how)

        monkeypatch.setattr(validating, "read_all_workflows", held)
        monkeypatch.setattr(workflow_calls, "_PLACE_WITHIN_S", 0.2)
        calls = [
            node.catalog.ValidateWorkflows(iter([TARGET, *sent(FILES)]))
            for _ in range(workflow_calls._VALIDATED_AT_ONCE)
        ]
        for _ in calls:
            assert await asyncio.to_thread(begun.acquire, timeout=20)
        for call in calls:
            call.cancel()
        try:
            for _ in range(3):
                with refused(S.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED") as told:
                    await validate(node, TARGET, *sent(FILES))
            assert "and none ended within" in told.message
        finally:
            let_go.set()
        async with asyncio.timeout(20):
            while await self._refusal(node) is not None:
                await asyncio.sleep(0.01)

    @staticmethod
    async def _refusal(node: RunningNode) -> grpc.aio.AioRpcError | None:
        try:
            await validate(node, TARGET, *sent(FILES))
        except grpc.aio.AioRpcError as error:
            return error
        return None


class _Held:
    """A call that sends its target and never ends."""

    def __init__(self, node: RunningNode) -> None:
        self.call = node.catalog.ValidateWorkflows(self._requests())

    async def _requests(self) -> AsyncIterator[Request]:
        yield TARGET
        await asyncio.Event().wait()
