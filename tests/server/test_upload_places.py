"""Who takes bytes: so many at once, others wait in order and are told so, more are refused at the door."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import grpc
from sqlalchemy import ColumnElement, and_, literal, select

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_storage.catalogue import tables

from .calls import (
    MIB,
    UploadCall,
    data_messages,
    deploy,
    events_of,
    get,
    header,
    interrupted,
    new_id,
    refused,
    until,
)
from .contents import canonical_tar, large_tree, small_tree
from .running import RunningNode, StartNode, counts, embedded

S = grpc.StatusCode
TAR = canonical_tar(small_tree())
LARGE = canonical_tar(large_tree())
NOTHING = {"release": 0, "payload": 0, "upload": 0, "upload_segment": 0, "pin": 0}


async def rows(node: RunningNode, count: int, condition: ColumnElement[bool]) -> None:
    """Wait until so many rows are as wanted."""
    async with asyncio.timeout(20):
        while True:
            async with node.catalogue.reading() as transaction:
                if len(await transaction.all(select(literal(1)).where(condition))) == count:
                    return
            await asyncio.sleep(0.01)


async def waiting(node: RunningNode, deployment_id: str) -> d.Deployment:
    """Wait until a deployment, which need not exist yet, waits for its turn."""
    row = tables.deployment.c
    await rows(node, 1, and_(row.id == deployment_id, row.status_reason == "waiting"))
    return await get(node, deployment_id)


async def taking_bytes(node: RunningNode, uploads: int) -> None:
    """Wait until so many uploads have taken their first bytes."""
    await rows(node, uploads, tables.upload.c.way != "")


class TestWaiting:
    async def test_it_is_told_and_comes_to_an_end(self, start_node: StartNode) -> None:
        async with start_node(uploads={"at_once": 1}) as node:
            first, second = new_id(), new_id()
            async with UploadCall(node, header(first)) as call:
                await call.send(data_messages(TAR[:1000]))
                await taking_bytes(node, 1)
                other = asyncio.create_task(deploy(node, TAR, second))
                told = await waiting(node, second)
                assert told.status == d.DEPLOYMENT_STATUS_RECEIVING
                assert told.status_message.startswith("1 uploads take bytes on this node")
                await call.send(data_messages(TAR, start=1000))
                await call.answer()
            made = await other
            assert (made.status, made.status_reason) == (d.DEPLOYMENT_STATUS_QUEUED, "")
            told_in_order = [event.message for event in await events_of(node, second)]
            waits = told_in_order.index(f"Waits for its turn: {told.status_message}")
            assert told_in_order[waits + 1] == "Its turn has come"
            assert told_in_order[waits + 2].startswith("Validating")

    @embedded
    async def test_its_turn_clears_what_was_told(self, start_node: StartNode) -> None:
        async with start_node(uploads={"at_once": 1}) as node:
            second = new_id()
            async with UploadCall(node, header()) as call, UploadCall(node, header(second)) as waiter:
                await call.send(data_messages(TAR[:1000]))
                await taking_bytes(node, 1)
                await waiter.send(data_messages(TAR[:1000]))
                await waiting(node, second)
                await call.send(data_messages(TAR, start=1000))
                await call.answer()
                seen = await until(node, second, lambda seen: seen.status_reason != "waiting")
                assert (seen.status_reason, seen.status_message) == ("", "")
                await waiter.send(data_messages(TAR, start=1000))
                await waiter.answer()

    @embedded
    async def test_first_come_first_served(self, start_node: StartNode) -> None:
        async with start_node(uploads={"at_once": 1}) as node:
            async with UploadCall(node, header()) as call:
                await call.send(data_messages(TAR[:1000]))
                await taking_bytes(node, 1)
                others = []
                for number in range(4):
                    deployment_id = new_id()
                    tar = canonical_tar(small_tree(str(number)))
                    others.append(asyncio.create_task(deploy(node, tar, deployment_id)))
                    told = await waiting(node, deployment_id)
                    assert told.status_message.endswith(f"{number} waited already")
                await call.send(data_messages(TAR, start=1000))
                await call.answer()
            made = [(await other).version for other in others]
            assert made == ["1.0.1", "1.0.2", "1.0.3", "1.0.4"]

    @embedded
    async def test_who_goes_away_leaves_the_queue(self, start_node: StartNode) -> None:
        async with start_node(uploads={"at_once": 1, "waiting": 1}) as node:
            gone = new_id()
            async with UploadCall(node, header()) as call:
                await call.send(data_messages(TAR[:1000]))
                await taking_bytes(node, 1)
                async with UploadCall(node, header(gone)) as waiter:
                    await waiter.send(data_messages(TAR))
                    await waiting(node, gone)
                await interrupted(node, gone)
                again = asyncio.create_task(deploy(node, TAR, gone))
                await waiting(node, gone)
                await call.send(data_messages(TAR, start=1000))
                await call.answer()
            assert (await again).status == d.DEPLOYMENT_STATUS_QUEUED

    @embedded
    async def test_what_is_stored_waits_for_its_turn_to_be_examined(self, start_node: StartNode) -> None:
        async with start_node(uploads={"at_once": 1}) as node:
            made = await deploy(node, LARGE)
            deployment_id = new_id()
            async with UploadCall(node, header()) as call:
                await call.send(data_messages(TAR[:1000]))
                await taking_bytes(node, 1)
                values = {"payload_sha256": made.payload_sha256, "payload_size_bytes": len(LARGE)}
                other = asyncio.create_task(deploy(node, LARGE, deployment_id, **values))
                assert (await waiting(node, deployment_id)).transfer.durable_bytes == 0
                await call.send(data_messages(TAR, start=1000))
                await call.answer()
            assert (await other).transfer.received_bytes == 0


class TestTooMany:
    async def test_nothing_is_begun(self, start_node: StartNode) -> None:
        async with start_node(uploads={"at_once": 1, "waiting": 1}) as node:
            recorded, waits, refused_id = new_id(), new_id(), new_id()
            await deploy(node, TAR, recorded)
            async with UploadCall(node, header()) as call:
                async with UploadCall(node, header(waits)):
                    for _ in range(3):
                        with refused(S.RESOURCE_EXHAUSTED, "TOO_MANY_UPLOADS") as told:
                            async with UploadCall(node, header(refused_id)):
                                pass
                    assert told.retry_after_s == 5
                    assert "uploads.at_once" in told.message
                    assert "uploads.waiting" in told.message
                    assert "in 5 s" in told.message
                    with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
                        await get(node, refused_id)
                    # What needs no place is answered.
                    assert (await deploy(node, TAR, recorded)).version == "1.0.0"
                await interrupted(node, waits)
                async with UploadCall(node, header(refused_id)) as let_in:
                    # A broken one stays as it is, and goes on later.
                    with refused(S.RESOURCE_EXHAUSTED, "TOO_MANY_UPLOADS"):
                        async with UploadCall(node, header(waits)):
                            pass
                    assert (await get(node, waits)).status_reason == "interrupted"
                    await let_in.send(data_messages(TAR))
                    await let_in.answer()
                await call.send(data_messages(TAR))
                await call.answer()
            assert (await deploy(node, TAR, waits)).status == d.DEPLOYMENT_STATUS_QUEUED

    @embedded
    async def test_who_is_refused_takes_no_place(self, start_node: StartNode) -> None:
        async with start_node(uploads={"at_once": 1, "waiting": 1}) as node:
            held = new_id()
            async with UploadCall(node, header(held, session_id=new_id())) as call:
                for _ in range(3):
                    with refused(S.NOT_FOUND, "ENVIRONMENT_NOT_FOUND"):
                        await deploy(node, TAR, environment="nowhere")
                    with refused(S.ABORTED, "UPLOAD_IN_PROGRESS"):
                        await deploy(node, TAR, held, session_id=new_id())
                    with refused(S.INVALID_ARGUMENT, "SHA256_MISMATCH"):
                        await deploy(node, TAR, payload_sha256="0" * 64)
                assert (await deploy(node, TAR)).status == d.DEPLOYMENT_STATUS_QUEUED
                await call.send(data_messages(TAR))
                await call.answer()
            assert node.node.uploads._tools.payloads.places.booked == 0


class TestTrickling:
    async def test_it_makes_way_and_goes_on_later(self, start_node: StartNode) -> None:
        limits = {"at_once": 2, "idle_timeout_s": 2, "min_rate_bytes_s": 10 * MIB}
        async with start_node(uploads=limits) as node:
            tricklers = {asyncio.create_task(self.trickle(node, one)): one for one in (new_id(), new_id())}
            await taking_bytes(node, 2)
            # A third is let in for one of them, and only for one.
            assert (await deploy(node, LARGE)).status == d.DEPLOYMENT_STATUS_QUEUED
            (made_way,), (still_in,) = await asyncio.wait(tricklers, return_when=asyncio.FIRST_COMPLETED)
            await made_way
            broken = await interrupted(node, tricklers[made_way])
            assert broken.status == d.DEPLOYMENT_STATUS_RECEIVING
            assert 0 < broken.transfer.durable_bytes <= 2 * MIB
            assert (await get(node, tricklers[still_in])).status_reason == ""
            still_in.cancel()
            await interrupted(node, tricklers[still_in])
            for deployment_id in tricklers.values():
                assert (await deploy(node, LARGE, deployment_id)).status == d.DEPLOYMENT_STATUS_QUEUED

    @embedded
    async def test_with_nobody_waiting_it_may_go_on(self, start_node: StartNode) -> None:
        limits = {"at_once": 1, "idle_timeout_s": 1, "min_rate_bytes_s": 10 * MIB}
        async with start_node(uploads=limits) as node, UploadCall(node, header()) as call:
            begun = asyncio.get_running_loop().time()
            at = 0
            while asyncio.get_running_loop().time() < begun + 2.5:
                await call.send(data_messages(TAR[: at + 1], start=at))
                at += 1
                await asyncio.sleep(0.02)
            await call.send(data_messages(TAR, start=at))
            assert (await call.answer()).status == d.DEPLOYMENT_STATUS_QUEUED

    async def trickle(self, node: RunningNode, deployment_id: str) -> None:
        with refused(S.UNAVAILABLE, "UPLOAD_TOO_SLOW") as told:
            async with UploadCall(node, header(deployment_id)) as call:
                await call.send(data_messages(LARGE[:MIB]))
                at = MIB
                while not call.call.ended:
                    await call.send(data_messages(LARGE[: at + 1], start=at))
                    at += 1
                    await asyncio.sleep(0.02)
                await call.end()
        assert told.retry_after_s is not None
        assert "uploads.min_rate_bytes_s" in told.message


class TestNothingComes:
    async def test_a_header_and_then_nothing(self, start_node: StartNode) -> None:
        async with start_node(uploads={"at_once": 1, "waiting": 0, "idle_timeout_s": 1}) as node:
            deployment_id = new_id()
            async with UploadCall(node, header(deployment_id)) as call:
                with refused(S.DEADLINE_EXCEEDED, "UPLOAD_IDLE") as told:
                    await call.end()
            assert told.retry_after_s == 0
            seen = await get(node, deployment_id)
            assert (seen.status, seen.status_reason) == (d.DEPLOYMENT_STATUS_RECEIVING, "interrupted")
            # Its place is free, and so is what it began: another session need not wait.
            assert (await deploy(node, TAR)).version == "1.0.0"
            async with UploadCall(node, header(deployment_id, session_id=new_id())) as call:
                await call.send(data_messages(TAR))
                await call.answer()
            left = await counts(node.catalogue)
            assert {**left, "release": 0, "payload": 0} == NOTHING

    @embedded
    async def test_silent_clients_hold_no_place(self, start_node: StartNode) -> None:
        async with (
            start_node(uploads={"at_once": 1, "waiting": 2}) as node,
            UploadCall(node, header()),
            UploadCall(node, header()),
        ):
            assert (await deploy(node, TAR)).status == d.DEPLOYMENT_STATUS_QUEUED

    @embedded
    async def test_a_million_empty_messages(self, node: RunningNode) -> None:
        written = 0

        def endless() -> Iterator[pb.DeployRequest]:
            nonlocal written
            for _ in range(1_000_000):
                written += 1
                yield pb.DeployRequest()

        deployment_id = new_id()
        with refused(S.INVALID_ARGUMENT, "UPLOAD_PROTOCOL"):
            async with UploadCall(node, header(deployment_id)) as call:
                await call.send(endless())
                await call.end()
        # What the connection holds in between is all that was sent in vain.
        assert written < 100_000
        assert (await deploy(node, TAR, deployment_id)).version == "1.0.0"
