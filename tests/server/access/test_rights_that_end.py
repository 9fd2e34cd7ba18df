"""A right that is taken away ends what goes on by it: streams, waits, and an upload before it is recorded."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
from click.testing import CliRunner
from google.protobuf.duration_pb2 import Duration

from longshore.v1 import cluster_service_pb2 as cluster
from longshore.v1 import deployment_pb2 as D  # noqa: N812
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.commands import admin
from tests.server.calls import deploy, header, new_id, refusal_in
from tests.server.contents import canonical_tar, small_tree
from tests.server.running import RunningNode, StartNode, embedded

from .as_caller import as_caller
from .issuer import Issuer, bearer
from .policies import write_policy

pytestmark = embedded
S = grpc.StatusCode
VIEWER = {"role": "viewer", "principals": ["alice"]}
ROOT = {"role": "admin", "principals": ["root"]}


async def _watching(node: RunningNode, token: str) -> Any:
    """A stream of deployments that has told its first message, and then has nothing to tell."""
    call = node.deployments.WatchDeployments(pb.WatchDeploymentsRequest(), metadata=bearer(token))
    assert await call.read() is not grpc.aio.EOF
    return call


async def _end_of(call: Any, code: grpc.StatusCode, reason: str) -> str:
    async with asyncio.timeout(20):
        try:
            while await call.read() is not grpc.aio.EOF:
                pass
        except grpc.aio.AioRpcError as error:
            return refusal_in(error, code, reason).message
    raise AssertionError("it ended well")


async def test_by_a_policy_that_changes(guarded: RunningNode, issuer: Issuer, policy_file: Path) -> None:
    write_policy(policy_file, ROOT, VIEWER)
    token = issuer.token("alice")
    call = await _let_in(guarded, token)
    write_policy(policy_file, ROOT)
    assert "changed" in await _end_of(call, S.ABORTED, "CONFLICT")
    call = guarded.deployments.WatchDeployments(pb.WatchDeploymentsRequest(), metadata=bearer(token))
    await _end_of(call, S.PERMISSION_DENIED, "PERMISSION_DENIED")


async def _let_in(node: RunningNode, token: str) -> Any:
    async with asyncio.timeout(20):
        while True:
            try:
                return await _watching(node, token)
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.05)


async def test_a_policy_that_is_broken_leaves_the_one_before(
    guarded: RunningNode, issuer: Issuer, policy_file: Path
) -> None:
    call = await _watching(guarded, issuer.token("root"))
    await asyncio.to_thread(policy_file.write_text, "grants: [{role: nobody-knows, principals: [root]}]")
    # A policy that can be read again is proof that the other was looked at, or passed over.
    for content in (ROOT, VIEWER), (ROOT,):
        write_policy(policy_file, *content)
    await guarded.cluster.GetServerInfo(cluster.GetServerInfoRequest(), metadata=bearer(issuer.token("root")))
    await deploy(as_caller(guarded, issuer.token("root")), canonical_tar(small_tree()))
    assert await call.read() is not grpc.aio.EOF


async def test_by_a_token_that_expires(guarded: RunningNode, issuer: Issuer) -> None:
    call = await _watching(guarded, issuer.token("root", good_for_s=4))
    assert "expired" in await _end_of(call, S.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_by_a_static_token_that_is_revoked(guarded: RunningNode) -> None:
    made = await _admin(guarded, "create", "dashboard", "--role", "viewer")
    call = await _watching(guarded, made.strip())
    assert "revoked" in await _admin(guarded, "revoke", "dashboard")
    assert "revoked" in await _end_of(call, S.UNAUTHENTICATED, "UNAUTHENTICATED")


async def _admin(node: RunningNode, *words: str) -> str:
    command = ["token", *words, "--data-dir", str(node.data_dir)]
    result = await asyncio.to_thread(CliRunner().invoke, admin, command)
    assert result.exit_code == 0, result.output
    return result.stdout


async def test_an_upload_is_checked_again_before_it_is_recorded(
    guarded: RunningNode, issuer: Issuer, policy_file: Path
) -> None:
    made = (await _admin(guarded, "create", "ci", "--role", "deployer")).strip()
    content = canonical_tar(small_tree())
    accepted, revoked = asyncio.Event(), asyncio.Event()
    deployment_id = new_id()

    async def messages() -> AsyncIterator[pb.DeployRequest]:
        yield header(deployment_id, payload_size_bytes=len(content))
        await accepted.wait()
        yield pb.DeployRequest(data=pb.PayloadData(offset=0, data=content[:1000]))
        await revoked.wait()
        yield pb.DeployRequest(data=pb.PayloadData(offset=1000, data=content[1000:]))

    call = guarded.deployments.Deploy(messages(), metadata=bearer(made))
    await call.initial_metadata()
    accepted.set()
    await _admin(guarded, "revoke", "ci")
    revoked.set()
    try:
        await call
    except grpc.aio.AioRpcError as error:
        refusal_in(error, S.UNAUTHENTICATED, "UNAUTHENTICATED")
    else:
        raise AssertionError("it was recorded")
    found = await guarded.deployments.GetDeployment(
        pb.GetDeploymentRequest(deployment_id=deployment_id), metadata=bearer(issuer.token("root"))
    )
    assert found.deployment.version == ""


async def test_a_token_that_expires_does_not_break_an_upload(guarded: RunningNode, issuer: Issuer) -> None:
    content = canonical_tar(small_tree())
    good_until = time.time() + 4
    token = issuer.token("root", exp=good_until)
    expired = asyncio.Event()

    async def messages() -> AsyncIterator[pb.DeployRequest]:
        yield header(payload_size_bytes=len(content))
        await expired.wait()
        yield pb.DeployRequest(data=pb.PayloadData(offset=0, data=content))

    call = guarded.deployments.Deploy(messages(), metadata=bearer(token))
    await call.initial_metadata()
    while time.time() <= good_until:
        await asyncio.sleep(0.1)
    expired.set()
    answer = await call
    assert answer.deployment.version


async def test_what_needs_no_database_ends_streams_while_it_is_away(
    guarded: RunningNode, issuer: Issuer
) -> None:
    made = (await _admin(guarded, "create", "dashboard", "--role", "viewer")).strip()
    call = await _watching(guarded, made)
    expiring = await _watching(guarded, issuer.token("root", good_for_s=3))
    database = sqlite3.connect(guarded.data_dir / "longshore.db", isolation_level=None)
    try:
        # As though it were gone: what is read of tokens fails.
        database.execute("ALTER TABLE access_token RENAME TO gone")
        assert "expired" in await _end_of(expiring, S.UNAUTHENTICATED, "UNAUTHENTICATED")
    finally:
        database.execute("ALTER TABLE gone RENAME TO access_token")
        database.close()
    await _admin(guarded, "revoke", "dashboard")
    assert "revoked" in await _end_of(call, S.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_a_call_that_waits_for_an_end(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, policy_file: Path
) -> None:
    write_policy(policy_file, ROOT, {"role": "deployer", "principals": ["alice"]})
    # Nobody drives rollouts here: what is queued never ends.
    async with start_node(access=access, node={"roles": ["receive"]}) as node:
        made = (await _admin(node, "create", "ci", "--role", "deployer")).strip()
        root, alice = (issuer.token(name) for name in ("root", "alice"))
        version = (await deploy(as_caller(node, root), canonical_tar(small_tree()))).version
        waiting = {}
        for token in (made, alice, issuer.token("root", good_for_s=4)):
            request = pb.DeployReleaseRequest(
                deployment_id=new_id(),
                project="netops",
                version=version,
                wait_policy=pb.WAIT_POLICY_ENDED,
            )
            waiting[token] = node.deployments.DeployRelease(request, metadata=bearer(token))
            await _begun(node, root, request.deployment_id)
        by_ci, by_alice, by_root = waiting.values()
        assert "expired" in await _refusal(by_root, S.UNAUTHENTICATED, "UNAUTHENTICATED")
        await _admin(node, "revoke", "ci")
        assert "revoked" in await _refusal(by_ci, S.UNAUTHENTICATED, "UNAUTHENTICATED")
        assert not by_alice.done()
        write_policy(policy_file, ROOT)
        assert "changed" in await _refusal(by_alice, S.ABORTED, "CONFLICT")
        listed = await node.deployments.ListDeployments(
            pb.ListDeploymentsRequest(statuses=[D.DEPLOYMENT_STATUS_QUEUED]), metadata=bearer(root)
        )
        # What was recorded stays: only nobody waits for it any more.
        assert len(listed.deployments) == 4


async def _begun(node: RunningNode, token: str, deployment_id: str) -> None:
    """Return when a deployment is there that another call makes."""
    request = pb.StreamProgressRequest(deployment_id=deployment_id, wait_for_creation=Duration(seconds=20))
    call = node.deployments.StreamProgress(request, metadata=bearer(token))
    await call.read()
    call.cancel()


async def _refusal(call: Any, code: grpc.StatusCode, reason: str) -> str:
    async with asyncio.timeout(20):
        try:
            await call
        except grpc.aio.AioRpcError as error:
            return refusal_in(error, code, reason).message
    raise AssertionError("it ended well")
