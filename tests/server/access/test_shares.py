"""What a node has of places is not one caller's alone."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import cluster_service_pb2 as cluster
from longshore.v1 import deployment_pb2 as D  # noqa: N812
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.access import current_caller
from longshore_server.deploying import left_behind
from longshore_server.progress import pages
from longshore_server.rpc import deployment_service, page_turns
from longshore_server.rpc.access_rules import RULES
from longshore_storage.catalogue.listing import count_uploading, list_deployments
from tests.server.calls import (
    UploadCall,
    deploy,
    deploy_to_end,
    ended,
    header,
    interrupted,
    new_id,
    refused,
)
from tests.server.contents import canonical_tar, random_bytes, small_tree
from tests.server.held_reads import Gate
from tests.server.held_reads import gate as gate
from tests.server.running import StartNode, Stubs, embedded

from .as_caller import as_caller
from .guarded import METHODS, guarded_by
from .issuer import Issuer
from .policies import write_policy

S = grpc.StatusCode
LATE = S.DEADLINE_EXCEEDED
MIB = 1 << 20
FILE: Any = {"payload_format": D.PAYLOAD_FORMAT_FILE, "file_name": "big"}


@embedded
async def test_of_followers(start_node: StartNode, access: dict[str, Any], issuer: Issuer) -> None:
    write_policy(access["policy_file"], {"role": "viewer", "principals": ["alice", "bob", "carol"]})
    async with start_node(access=access, progress={"most_followers": 4}) as node:
        alice, bob, carol = (as_caller(node, issuer.token(name)) for name in ("alice", "bob", "carol"))
        watched = pb.WatchDeploymentsRequest()
        held: list[Any] = [
            alice.deployments.WatchDeployments(watched),
            alice.cluster.WatchNodes(cluster.WatchNodesRequest()),
        ]
        for call in held:
            assert await call.read() is not grpc.aio.EOF
        with refused(S.RESOURCE_EXHAUSTED, "TOO_MANY_FOLLOWERS") as told:
            await alice.deployments.WatchDeployments(watched).read()
        assert told.message.startswith("2 of this node's followers are alice's")
        assert told.retry_after_s
        others = [caller.deployments.WatchDeployments(watched) for caller in (bob, carol)]
        for call in others:
            assert await call.read() is not grpc.aio.EOF
        with refused(S.RESOURCE_EXHAUSTED, "TOO_MANY_FOLLOWERS") as told:
            await bob.deployments.WatchDeployments(watched).read()
        assert told.message.startswith("4 followers are all")
        held[0].cancel()
        async with asyncio.timeout(20):
            while await _is_refused(again := alice.deployments.WatchDeployments(watched)):
                await asyncio.sleep(0.02)
        for call in (*held, *others, again):
            call.cancel()


@embedded
async def test_of_downloads(start_node: StartNode, access: dict[str, Any], issuer: Issuer) -> None:
    write_policy(access["policy_file"], {"role": "admin", "principals": ["alice", "bob"]})
    async with start_node(access=access) as node:
        alice, bob = (as_caller(node, issuer.token(name)) for name in ("alice", "bob"))
        made = await deploy_to_end(
            alice,
            random_bytes(24 * MIB, seed=1),
            project="big",
            **FILE,
        )
        asked = pb.DownloadPayloadRequest(project="big", version=made.version)
        # Nobody reads on.
        held = [alice.deployments.DownloadPayload(asked) for _ in range(8)]
        for call in held:
            for _ in range(2):
                assert await call.read() is not grpc.aio.EOF
        with refused(S.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED") as told:
            async for _ in alice.deployments.DownloadPayload(asked):
                pass
        assert told.message.startswith("8 of this node's downloads are alice's")
        assert told.retry_after_s
        read = 0
        async for response in bob.deployments.DownloadPayload(asked):
            read += len(response.data)
        assert read == 24 * MIB
        for call in held:
            call.cancel()


@embedded
async def test_of_uploads(start_node: StartNode, access: dict[str, Any], issuer: Issuer) -> None:
    write_policy(access["policy_file"], {"role": "admin", "principals": ["alice", "bob"]})
    async with start_node(access=access, uploads={"at_once": 2, "waiting": 2}) as node:
        alice, bob = (as_caller(node, issuer.token(name)) for name in ("alice", "bob"))
        async with UploadCall(alice, header()), UploadCall(alice, header()):
            with refused(S.RESOURCE_EXHAUSTED, "TOO_MANY_UPLOADS") as told:
                async with UploadCall(alice, header()):
                    pass
            assert told.message.startswith("2 of this node's uploads are alice's")
            await deploy_to_end(bob, random_bytes(MIB, seed=2), project="other", **FILE)


@embedded
async def test_of_uploads_that_were_left_behind(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(left_behind, "_MOST", 2)
    counts: list[str] = []

    async def counted(transaction: Any, principal: str, **options: Any) -> int:
        counts.append(principal)
        return await count_uploading(transaction, principal, **options)

    monkeypatch.setattr(left_behind, "count_uploading", counted)
    write_policy(access["policy_file"], {"role": "admin", "principals": ["alice", "bob"]})
    async with start_node(access=access) as node:
        alice, bob = (as_caller(node, issuer.token(name)) for name in ("alice", "bob"))
        ids = [new_id(), new_id()]
        for ident in ids:
            async with UploadCall(alice, header(ident, **FILE)):
                pass
            await interrupted(alice, ident)
        assert counts == []
        with refused(S.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED") as told:
            await deploy(alice, b"one more", **FILE)
        assert told.message.startswith("alice has 2 uploads that were begun and have not ended")
        async with UploadCall(alice, header(validate_only=True, **FILE)):
            pass
        await deploy(bob, b"another's", **FILE)
        # Whoever goes on with one has room for another.
        assert (await deploy(alice, b"the first", ids[0], **FILE)).version
        assert (await deploy(alice, b"one more", **FILE)).version
        assert set(counts) == {"alice"}


@embedded
async def test_of_examinations(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, gate: Gate
) -> None:
    write_policy(access["policy_file"], {"role": "admin", "principals": ["alice", "bob"]})
    packed: Any = {"payload_format": D.PAYLOAD_FORMAT_TAR_GZ}
    async with start_node(access=access, uploads={"examined_at_once": 2}) as node:
        alice, bob = (as_caller(node, issuer.token(name)) for name in ("alice", "bob"))
        known = gzip.compress(canonical_tar(small_tree("known")))
        await deploy_to_end(bob, known, **packed)
        hers = [gzip.compress(canonical_tar(small_tree(name))) for name in ("one", "two")]
        with gate.closed():
            examined = [asyncio.create_task(deploy(alice, data, **packed)) for data in hers]
            async with asyncio.timeout(20):
                while await _validating(alice) < 2:
                    await asyncio.sleep(0.02)
            await gate.holds(1)
            async with asyncio.timeout(20):
                await deploy(bob, known, **packed)
        assert len({(await one).version for one in examined}) == 2


class HeldLists:
    """Lists that read and read, as of a table with millions of rows of which none matches."""

    def __init__(self, listed: Any) -> None:
        self._listed = listed
        self._open = asyncio.Event()
        self.reading: list[str] = []
        self.most = 0

    async def __call__(self, *arguments: Any, **options: Any) -> Any:
        principal = current_caller().identity.principal
        self.reading.append(principal)
        self.most = max(self.most, len(self.reading))
        try:
            await self._open.wait()
            return await self._listed(*arguments, **options)
        finally:
            self.reading.remove(principal)

    def let_go(self) -> None:
        self._open.set()

    async def read(self, *principals: str) -> None:
        async with asyncio.timeout(20):
            while sorted(self.reading) != sorted(principals):
                await asyncio.sleep(0.01)


@pytest.fixture
def held_lists(monkeypatch: pytest.MonkeyPatch) -> HeldLists:
    held = HeldLists(list_deployments)
    monkeypatch.setattr(deployment_service, "list_deployments", held)
    monkeypatch.setattr(pages, "list_deployments", held)
    return held


@embedded
async def test_of_lists(
    start_node: StartNode,
    access: dict[str, Any],
    issuer: Issuer,
    held_lists: HeldLists,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One caller's wait for each other, others' go on beside them, and what is no list waits for none."""
    monkeypatch.setattr(page_turns, "_MOST", 20)
    write_policy(
        access["policy_file"],
        {"role": "viewer", "principals": ["alice", "bob", "carol"]},
        {"role": "admin", "principals": ["root"]},
    )
    listed = pb.ListDeploymentsRequest()
    async with start_node(access=access) as node:
        alice, bob, carol, root = (
            as_caller(node, issuer.token(name)) for name in ("alice", "bob", "carol", "root")
        )
        hers = [asyncio.ensure_future(alice.deployments.ListDeployments(listed)) for _ in range(10)]
        await held_lists.read("alice", "alice")
        with refused(S.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED") as told:
            await alice.deployments.ListDeployments(listed)
        assert told.message.startswith("10 of this node's calls that list are alice's")
        assert told.retry_after_s
        theirs = [
            asyncio.ensure_future(caller.deployments.ListDeployments(listed)) for caller in (bob, bob, carol)
        ]
        await held_lists.read("alice", "alice", "bob", "bob")
        async with asyncio.timeout(20):
            await carol.catalog.ListProjects(catalog.ListProjectsRequest())
            made = await deploy_to_end(root, canonical_tar(small_tree()))
            await alice.deployments.GetDeployment(pb.GetDeploymentRequest(deployment_id=made.deployment_id))
        assert not any(call.done() for call in (*hers, *theirs))
        # Who goes away while he waits gives his place away.
        hers.pop().cancel()
        async with asyncio.timeout(20):
            while await _status_of(alice.deployments.ListDeployments(listed, timeout=1)) is not LATE:
                await asyncio.sleep(0.02)
        held_lists.let_go()
        async with asyncio.timeout(20):
            for call in (*hers, *theirs):
                assert len((await call).deployments) == 1
    assert held_lists.most == 4


@embedded
async def test_of_what_watchers_read(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, held_lists: HeldLists
) -> None:
    """One caller's lists leave a reader to those who follow."""
    write_policy(access["policy_file"], {"role": "admin", "principals": ["alice", "bob"]})
    async with start_node(access=access) as node:
        alice, bob = (as_caller(node, issuer.token(name)) for name in ("alice", "bob"))
        made = await deploy(bob, canonical_tar(small_tree()))
        watches: list[Any] = [
            alice.deployments.WatchDeployments(pb.WatchDeploymentsRequest(version=version))
            for version in ("", made.version, "2.0.0")
        ]
        first = [asyncio.ensure_future(watch.read()) for watch in watches]
        await held_lists.read("alice")
        assert (await ended(bob, made.deployment_id)).status == D.DEPLOYMENT_STATUS_SUCCEEDED
        assert held_lists.reading == ["alice"]
        held_lists.let_go()
        for call in first:
            assert await call is not grpc.aio.EOF
        for watch in watches:
            watch.cancel()


@embedded
async def test_a_list_ends_with_the_right_to_it_while_it_waits(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, held_lists: HeldLists
) -> None:
    write_policy(access["policy_file"], {"role": "viewer", "principals": ["alice"]})
    async with start_node(access=access) as node:
        alice = as_caller(node, issuer.token("alice"))
        listed = pb.ListDeploymentsRequest()
        calls = [asyncio.ensure_future(_status_of(alice.deployments.ListDeployments(listed))) for _ in "123"]
        await held_lists.read("alice", "alice")
        write_policy(access["policy_file"], {"role": "viewer", "principals": ["alice"], "projects": ["web"]})
        async with asyncio.timeout(20):
            (ended,), _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        assert ended.result() is S.ABORTED
        held_lists.let_go()
        assert sorted(str(status) for status in await asyncio.gather(*calls)) == [
            *("StatusCode.ABORTED", "StatusCode.OK", "StatusCode.OK")
        ]


@embedded
async def test_every_call_that_pages_takes_a_turn(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = 0
    one = page_turns.PageTurns.one

    def counted(turns: page_turns.PageTurns) -> Any:
        nonlocal taken
        taken += 1
        return one(turns)

    monkeypatch.setattr(page_turns.PageTurns, "one", counted)
    async with start_node(access=access) as node:
        guarded = await guarded_by(node, issuer)
        for rpc, rule in RULES.items():
            if rule.pages or "/Get" in rpc:
                taken = 0
                service, method = METHODS[rpc]
                request: Message = guarded.request(method)
                assert await guarded.call(service, method, request, "root") is None or "Get" in rpc
                assert taken == rule.pages, rpc


@embedded
async def test_of_calls_that_wait(start_node: StartNode, access: dict[str, Any], issuer: Issuer) -> None:
    write_policy(access["policy_file"], {"role": "admin", "principals": ["alice"]})
    async with start_node(
        access=access, progress={"most_followers": 4}, node={"roles": "receive,control"}
    ) as node:
        alice = as_caller(node, issuer.token("alice"))
        waits_for_a_node = await deploy(alice, random_bytes(1000, seed=1), project="big", **FILE)
        asked = pb.DeployReleaseRequest(
            deployment_id=new_id(),
            project="big",
            version=waits_for_a_node.version,
            wait_policy=pb.WAIT_POLICY_ENDED,
        )
        held = [asyncio.ensure_future(alice.deployments.DeployRelease(asked)) for _ in range(3)]
        async with asyncio.timeout(20):
            done, waiting = await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
        (answered,) = done
        assert answered.result().deployment.status == D.DEPLOYMENT_STATUS_QUEUED
        cancelled = pb.CancelDeploymentRequest(deployment_id=asked.deployment_id)
        await alice.deployments.CancelDeployment(cancelled)
        async with asyncio.timeout(20):
            for call in waiting:
                assert (await call).deployment.status == D.DEPLOYMENT_STATUS_CANCELLED


async def _validating(caller: Stubs) -> int:
    listed = await caller.deployments.ListDeployments(pb.ListDeploymentsRequest())
    return sum(one.status == D.DEPLOYMENT_STATUS_VALIDATING for one in listed.deployments)


async def _status_of(call: Any) -> grpc.StatusCode:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return S.OK


async def _is_refused(call: Any) -> bool:
    try:
        await call.read()
    except grpc.aio.AioRpcError:
        return True
    return False
