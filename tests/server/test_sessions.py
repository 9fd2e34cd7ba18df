"""Who holds an upload: another session waits, a higher attempt takes over, a broken one is gone on with."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from longshore.v1 import deployment_pb2 as d

from .calls import UploadCall, data_messages, ended, get, header, interrupted, new_id, refused, sha256_of
from .contents import canonical_tar, small_tree
from .running import RunningNode, counts, embedded

S = grpc.StatusCode
TAR = canonical_tar(small_tree())


async def test_another_session_waits(node: RunningNode) -> None:
    deployment_id, session_id = new_id(), new_id()
    async with UploadCall(node, header(deployment_id, session_id=session_id, attempt=2)) as call:
        others: list[dict[str, Any]] = [
            {"session_id": new_id(), "attempt": 9},
            {"session_id": session_id, "attempt": 2},
            {},
        ]
        for other in others:
            with refused(S.ABORTED, "UPLOAD_IN_PROGRESS") as told:
                async with UploadCall(node, header(deployment_id, **other)):
                    pass
            assert told.retry_after_s is not None
            assert 1 <= told.retry_after_s <= 20
        await call.send(data_messages(TAR))
        assert (await call.answer()).status == d.DEPLOYMENT_STATUS_QUEUED


async def test_a_higher_attempt_takes_over(node: RunningNode) -> None:
    deployment_id, session_id = new_id(), new_id()
    async with UploadCall(node, header(deployment_id, session_id=session_id)) as former:
        await former.send(data_messages(TAR[:1000]))
        async with UploadCall(node, header(deployment_id, session_id=session_id, attempt=2)) as call:
            with refused(S.ABORTED, "UPLOAD_TAKEN_OVER"):
                await former.send(data_messages(TAR, start=1000))
                await former.answer()
            # The one that lost it has not taken it from the one that holds it.
            with refused(S.ABORTED, "UPLOAD_IN_PROGRESS"):
                async with UploadCall(node, header(deployment_id, session_id=new_id())):
                    pass
            await call.send(data_messages(TAR))
            made = await call.answer()
    assert made.payload_sha256 == sha256_of(TAR)
    assert (await ended(node, deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED
    left = await counts(node.catalogue)
    assert left == {"release": 1, "payload": 1, "upload": 0, "upload_segment": 0, "pin": 0}


@embedded
async def test_one_that_only_listens_learns_that_it_was_taken_over(node: RunningNode) -> None:
    deployment_id, session_id = new_id(), new_id()
    async with (
        UploadCall(node, header(deployment_id, session_id=session_id)) as former,
        UploadCall(node, header(deployment_id, session_id=session_id, attempt=2)) as call,
    ):
        with refused(S.ABORTED, "UPLOAD_TAKEN_OVER"):
            await former.end()
        await call.send(data_messages(TAR))
        await call.answer()


async def test_of_two_who_begin_at_once_one_is_let_in(node: RunningNode) -> None:
    deployment_id = new_id()

    async def upload() -> d.Deployment:
        async with UploadCall(node, header(deployment_id, session_id=new_id())) as call:
            await call.send(data_messages(TAR))
            return await call.answer()

    answers = await asyncio.gather(*(upload() for _ in range(4)), return_exceptions=True)
    refusals = [one for one in answers if isinstance(one, BaseException)]
    assert len(refusals) < 4
    for one in refusals:
        assert isinstance(one, grpc.aio.AioRpcError)
        assert one.code() is S.ABORTED
    assert (await counts(node.catalogue))["release"] == 1


async def test_many_uploads_of_one_project_get_versions_of_their_own(node: RunningNode) -> None:
    tars = [canonical_tar(small_tree(str(i))) for i in range(6)]

    async def upload(data: bytes) -> d.Deployment:
        async with UploadCall(node, header()) as call:
            await call.send(data_messages(data))
            return await call.answer()

    made = await asyncio.gather(*map(upload, tars))
    assert sorted(one.version for one in made) == [f"1.0.{i}" for i in range(6)]
    for one in made:
        assert (await ended(node, one.deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED
    live = [one for one in made if (await get(node, one.deployment_id)).live]
    assert len(live) == 1


async def test_a_client_that_goes_away_leaves_it_to_the_next(node: RunningNode) -> None:
    deployment_id = new_id()
    async with UploadCall(node, header(deployment_id)) as call:
        await call.send(data_messages(TAR[:1000]))
    broken = await interrupted(node, deployment_id)
    assert broken.status == d.DEPLOYMENT_STATUS_RECEIVING
    assert node.staged == []
    async with UploadCall(node, header(deployment_id, session_id=new_id())) as call:
        assert not (await get(node, deployment_id)).status_reason
        await call.send(data_messages(TAR))
        await call.answer()
    assert (await ended(node, deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED
