"""The whole way on a running node, on both stores: deploy, look, follow, take back, download."""

from __future__ import annotations

import asyncio
import re

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import cluster_service_pb2 as cluster
from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server import __version__
from longshore_server.progress import hub
from tests.bundles.trees import File

from .calls import (
    UploadCall,
    data_messages,
    deploy,
    deploy_chunks,
    deploy_to_end,
    ended,
    events_of,
    follow,
    get,
    header,
    new_id,
    refused,
    sha256_of,
    status_name,
)
from .contents import canonical_tar, installed, large_tree, small_tree, with_a_change
from .running import RunningNode, StartNode, counts, embedded

S = grpc.StatusCode
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def test_the_walk(node: RunningNode) -> None:
    old, new = large_tree(), with_a_change(large_tree())
    tar_1, tar_2 = canonical_tar(old), canonical_tar(new)

    # The plain way in, followed to its end.
    first = await deploy(node, tar_1, payload_size_bytes=len(tar_1), payload_sha256=sha256_of(tar_1))
    assert first.status == d.DEPLOYMENT_STATUS_QUEUED
    assert (first.version, first.deployed_by, first.environment) == ("1.0.0", "anonymous", "default")
    assert first.payload_sha256 == first.content_sha256 == sha256_of(tar_1)
    assert (first.payload_size_bytes, first.payload_present) == (len(tar_1), True)
    assert first.payload_format == d.PAYLOAD_FORMAT_TAR
    assert first.transfer.durable_bytes == first.transfer.received_bytes == len(tar_1)
    assert 0 < first.transfer.stored_bytes < len(tar_1)
    first = await ended(node, first.deployment_id)
    assert (first.status, first.live, first.kind) == (
        d.DEPLOYMENT_STATUS_SUCCEEDED,
        True,
        d.DEPLOYMENT_KIND_UPLOAD,
    )
    assert first.node_counts == d.NodeCounts(expected=1, live=1)
    assert installed(node.live("netops")) == old
    times = (first.create_time, first.record_time, first.start_time, first.end_time)
    assert sorted(time.ToNanoseconds() for time in times) == [time.ToNanoseconds() for time in times]

    # A changed version by the thrifty way: few bytes move.
    second = await ended(node, (await deploy_chunks(node, tar_2)).deployment_id)
    assert (second.version, second.status) == ("1.0.1", d.DEPLOYMENT_STATUS_SUCCEEDED)
    assert second.transfer.received_bytes < len(tar_2) / 5
    assert second.transfer.reused_bytes > len(tar_2) * 4 / 5
    assert second.transfer.stored_bytes <= second.transfer.received_bytes
    assert (second.previous_deployment_id, second.previous_version) == (first.deployment_id, "1.0.0")
    assert installed(node.live("netops")) == new
    assert not (await get(node, first.deployment_id)).live

    # Back, without moving a byte.
    back = await ended(
        node,
        (
            await node.deployments.Rollback(pb.RollbackRequest(deployment_id=new_id(), project="netops"))
        ).deployment.deployment_id,
    )
    assert (back.kind, back.version, back.status) == (
        d.DEPLOYMENT_KIND_ROLLBACK,
        "1.0.0",
        d.DEPLOYMENT_STATUS_SUCCEEDED,
    )
    assert (back.rollback_of, back.previous_version) == (second.deployment_id, "1.0.1")
    assert not back.HasField("transfer")
    assert installed(node.live("netops")) == old
    (activation,) = await activations_of(node, back.deployment_id)
    assert (activation.fetched_bytes, activation.reused_bytes) == (0, len(tar_1))
    assert (activation.status, activation.node_name) == (d.ACTIVATION_STATUS_LIVE, "one")
    assert activation.path == str(node.live("netops"))
    taken_back = await get(node, second.deployment_id)
    assert (taken_back.rolled_back_by, taken_back.live) == (back.deployment_id, False)
    assert taken_back.status == d.DEPLOYMENT_STATUS_SUCCEEDED

    left = await counts(node.catalogue)
    assert left == {"release": 2, "payload": 2, "upload": 0, "upload_segment": 0, "pin": 0}
    assert node.staged == []


async def activations_of(node: RunningNode, deployment_id: str) -> list[d.Activation]:
    response = await node.deployments.ListActivations(pb.ListActivationsRequest(deployment_id=deployment_id))
    return list(response.activations)


async def test_a_payload_that_is_stored_needs_no_bytes(node: RunningNode) -> None:
    data = canonical_tar(small_tree())
    await deploy_to_end(node, data)
    async with UploadCall(
        node, header(payload_sha256=sha256_of(data).upper(), version="2.0.0", project="netops")
    ) as call:
        assert call.durable_offset == len(data)
        again = await call.answer()
    assert (again.version, again.transfer.received_bytes) == ("2.0.0", 0)
    assert again.transfer.reused_bytes == len(data)
    assert (await ended(node, again.deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED
    # Another project's payload is not there: its digest alone opens nothing.
    async with UploadCall(node, header(payload_sha256=sha256_of(data), project="other")) as call:
        assert call.durable_offset == 0
        await call.send(data_messages(data))
        assert (await call.answer()).transfer.received_bytes == len(data)


async def test_lists_pages_and_filters(node: RunningNode) -> None:
    made = [
        await deploy_to_end(node, canonical_tar(small_tree(str(i))), project=project)
        for i, project in enumerate(["netops", "netops", "other", "netops", "other"])
    ]
    ids = [one.deployment_id for one in made]

    async def listed(**values: object) -> list[str]:
        found: list[str] = []
        token = ""
        while True:
            page = await node.deployments.ListDeployments(
                pb.ListDeploymentsRequest(page_token=token, **values)  # type: ignore[arg-type]
            )
            assert len(page.deployments) <= int(values.get("page_size", 50))  # type: ignore[call-overload]
            found += [one.deployment_id for one in page.deployments]
            token = page.next_page_token
            if not token:
                return found
            assert page.deployments

    assert await listed() == ids[::-1]
    assert await listed(page_size=1) == ids[::-1]
    assert await listed(page_size=2) == ids[::-1]
    assert await listed(page_size=5) == ids[::-1]
    assert await listed(project="other") == [ids[4], ids[2]]
    assert await listed(project="netops", version="1.0.1", page_size=1) == [ids[1]]
    assert await listed(environment="nowhere") == []
    assert await listed(statuses=[d.DEPLOYMENT_STATUS_FAILED]) == []
    assert await listed(statuses=[d.DEPLOYMENT_STATUS_FAILED, d.DEPLOYMENT_STATUS_SUCCEEDED]) == ids[::-1]

    # A deployment that comes between two pages appears in neither and moves nothing.
    page = await node.deployments.ListDeployments(pb.ListDeploymentsRequest(page_size=2))
    assert [one.live for one in page.deployments] == [True, True]
    await deploy_to_end(node, canonical_tar(small_tree("later")))
    rest = await node.deployments.ListDeployments(pb.ListDeploymentsRequest(page_token=page.next_page_token))
    assert [one.deployment_id for one in rest.deployments] == ids[2::-1]


@embedded
async def test_page_tokens_belong_to_their_call_and_filters(node: RunningNode) -> None:
    for i in range(3):
        await deploy_to_end(node, canonical_tar(small_tree(str(i))))
    page = await node.deployments.ListDeployments(
        pb.ListDeploymentsRequest(page_size=1, project="netops", statuses=[d.DEPLOYMENT_STATUS_SUCCEEDED])
    )
    token = page.next_page_token
    for request in (
        pb.ListDeploymentsRequest(page_token=token),
        pb.ListDeploymentsRequest(page_token=token, project="other"),
        pb.ListDeploymentsRequest(page_token="nonsense"),
        pb.ListDeploymentsRequest(page_token="é"),
        pb.ListDeploymentsRequest(page_token="W10"),
        pb.ListDeploymentsRequest(page_token=token[:-3] + "AAA"),
        pb.ListDeploymentsRequest(page_token="WzFd" * 10_000),
    ):
        with refused(S.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN") as told:
            await node.deployments.ListDeployments(request)
        assert list(told.violations) == ["page_token"]
    with refused(S.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN"):
        await node.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(page_token=token))
    with refused(S.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN"):
        await node.catalog.ListProjects(catalog.ListProjectsRequest(page_token=token))
    for size in (-1, 501):
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
            await node.deployments.ListDeployments(pb.ListDeploymentsRequest(page_size=size))
        assert list(told.violations) == ["page_size"]


@embedded
async def test_a_forged_place_in_a_page_token_is_refused(node: RunningNode) -> None:
    from longshore_server.rpc.page_tokens import PageToken

    for place in (1 << 63, -(1 << 63) - 1, 1 << 200):
        token = PageToken("ListDeployments", "anonymous", ("", "", [], "")).make([place])
        with refused(S.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN"):
            await node.deployments.ListDeployments(pb.ListDeploymentsRequest(page_token=token))


async def test_releases_come_by_version_and_projects_by_name(node: RunningNode) -> None:
    versions = ["1.0.0", "1.10.0", "1.9.0", "1.10.0-rc.1", "1.10.0-rc.10", "1.10.0-rc.9"]
    for version in versions:
        await deploy_to_end(node, canonical_tar(small_tree(version)), version=version)
    last = await deploy_to_end(node, canonical_tar(small_tree()), project="another", version="0.1.0")

    expected = ["1.10.0", "1.10.0-rc.10", "1.10.0-rc.9", "1.10.0-rc.1", "1.9.0", "1.0.0"]
    for size in (1, 2, 6, 50):
        found: list[str] = []
        token = ""
        while True:
            page = await node.catalog.ListReleases(
                catalog.ListReleasesRequest(project="netops", page_size=size, page_token=token)
            )
            found += [one.version for one in page.releases]
            token = page.next_page_token
            if not token:
                break
        assert found == expected
    projects = await node.catalog.ListProjects(catalog.ListProjectsRequest(page_size=1))
    assert [one.project for one in projects.projects] == ["another"]
    projects = await node.catalog.ListProjects(
        catalog.ListProjectsRequest(page_token=projects.next_page_token)
    )
    assert [one.project for one in projects.projects] == ["netops"]

    project = await node.catalog.GetProject(catalog.GetProjectRequest(project="another"))
    (live,) = project.environments
    assert (live.environment, live.live_version) == ("default", "0.1.0")
    assert (live.live_deployment_id, live.live_generation) == (last.deployment_id, last.generation)

    release = (
        await node.catalog.GetRelease(catalog.GetReleaseRequest(project="netops", version="1.10.0-RC.9"))
    ).release
    assert (release.version, release.created_by) == ("1.10.0-rc.9", "anonymous")
    assert release.entries == len(small_tree())
    assert release.payload_present
    assert release.unpacked_size_bytes == sum(
        len(one.content) for one in small_tree("1.10.0-rc.9").values() if isinstance(one, File)
    )


async def test_the_audit_trail_tells_who_did_what(node: RunningNode) -> None:
    made = await deploy_to_end(node, canonical_tar(small_tree()))
    await deploy_to_end(node, canonical_tar(small_tree()), project="other")
    listed = await node.deployments.ListAuditEntries(
        pb.ListAuditEntriesRequest(deployment_id=made.deployment_id)
    )
    told = [
        (one.principal, one.action, status_name(one.from_status), status_name(one.to_status))
        for one in reversed(listed.entries)
    ]
    assert told == [
        ("anonymous", "deployment.accepted", "UNSPECIFIED", "PENDING"),
        ("anonymous", "deployment.receiving", "PENDING", "RECEIVING"),
        ("anonymous", "payload.stored", "RECEIVING", "VALIDATING"),
        ("anonymous", "release.recorded", "VALIDATING", "QUEUED"),
        ("node:one", "deployment.started", "QUEUED", "ROLLING_OUT"),
        ("node:one", "deployment.succeeded", "ROLLING_OUT", "SUCCEEDED"),
    ]
    for one in listed.entries:
        assert (one.project, one.environment) == ("netops", "default")
        if one.principal == "anonymous":
            assert one.peer.startswith("ipv4:127.0.0.1:")
            assert one.request_id == made.request_id
    assert listed.entries[0].version == "1.0.0"
    ids = [one.entry_id for one in listed.entries]
    assert ids == sorted(ids, reverse=True)

    page = await node.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(page_size=5))
    paged = [one.entry_id for one in page.entries]
    while page.next_page_token:
        page = await node.deployments.ListAuditEntries(
            pb.ListAuditEntriesRequest(page_size=5, page_token=page.next_page_token)
        )
        paged += [one.entry_id for one in page.entries]
    assert len(paged) == len(set(paged)) == 12
    filtered = await node.deployments.ListAuditEntries(
        pb.ListAuditEntriesRequest(
            project="other", principal="node:one", to_status=d.DEPLOYMENT_STATUS_SUCCEEDED
        )
    )
    assert [one.action for one in filtered.entries] == ["deployment.succeeded"]


async def test_progress_is_replayed_from_anywhere(node: RunningNode) -> None:
    made = await deploy_to_end(node, canonical_tar(large_tree()))
    responses = [told async for told in follow(node, made.deployment_id)]
    assert responses[0].HasField("snapshot")
    assert responses[0].snapshot.deployment.deployment_id == made.deployment_id
    assert responses[0].snapshot.compacted_through == 0
    events = [event for told in responses for event in told.events]
    assert [event.sequence for event in events] == list(range(1, made.last_sequence + 1))
    assert {event.deployment_id for event in events} == {made.deployment_id}
    assert [
        status_name(event.status_changed.to_status) for event in events if event.HasField("status_changed")
    ] == ["PENDING", "RECEIVING", "VALIDATING", "QUEUED", "ROLLING_OUT", "SUCCEEDED"]
    (examined,) = [event.content_examined for event in events if event.HasField("content_examined")]
    assert examined.content_sha256 == made.content_sha256
    assert examined.total_findings == 0
    steps = [step for event in events for step in event.nodes_stepped.steps]
    assert [step.node_name for step in steps] == ["one"] * len(steps)
    assert steps[-1].status == d.ACTIVATION_STATUS_LIVE
    assert all(event.message and event.time.seconds for event in events)

    for after in range(1, made.last_sequence + 1):
        rest = await events_of(node, made.deployment_id, after_sequence=after)
        assert rest == events[after:]
    with refused(S.OUT_OF_RANGE, "BEYOND_END"):
        await events_of(node, made.deployment_id, after_sequence=made.last_sequence + 1)


async def test_followers_who_come_first_see_everything(node: RunningNode) -> None:
    deployment_id = new_id()
    wait = Duration(seconds=30)
    followers = [
        asyncio.create_task(events_of(node, deployment_id, wait_for_creation=wait)) for _ in range(5)
    ]
    await deploy(node, canonical_tar(small_tree()), deployment_id)
    seen = await asyncio.gather(*followers)
    made = await get(node, deployment_id)
    assert [event.sequence for event in seen[0]] == list(range(1, made.last_sequence + 1))
    assert all(one == seen[0] for one in seen)


async def test_a_follower_sees_an_upload_that_goes_on(node: RunningNode) -> None:
    deployment_id = new_id()
    data = canonical_tar(small_tree())
    async with UploadCall(node, header(deployment_id)) as call:
        responses = follow(node, deployment_id)
        first = await anext(responses)
        assert status_name(first.snapshot.deployment.status) == "RECEIVING"
        seen = [event.sequence for event in first.events]
        with refused(S.OUT_OF_RANGE, "BEYOND_END"):
            await events_of(node, deployment_id, after_sequence=99)
        await call.send(data_messages(data))
        await call.answer()
        seen += [event.sequence async for told in responses for event in told.events]
    assert seen == list(range(1, len(seen) + 1))


@embedded
async def test_a_quiet_stream_has_heartbeats(node: RunningNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "HEARTBEAT_S", 0.1)
    deployment_id = new_id()
    async with UploadCall(node, header(deployment_id)):
        quiet = 0
        async for told in follow(node, deployment_id):
            quiet += not told.events and not told.HasField("snapshot")
            if quiet == 3:
                break


@embedded
async def test_following_what_is_not_there(node: RunningNode) -> None:
    with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
        await events_of(node, new_id())
    with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
        await events_of(node, new_id(), wait_for_creation=Duration(nanos=300_000_000))
    for wait in (Duration(seconds=301), Duration(seconds=-1), Duration(seconds=1 << 60)):
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
            await events_of(node, new_id(), wait_for_creation=wait)
        assert list(told.violations) == ["wait_for_creation"]
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
        await events_of(node, new_id(), after_sequence=-1)
    assert list(told.violations) == ["after_sequence"]
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
        await events_of(node, "no-uuid")
    assert list(told.violations) == ["deployment_id"]


async def test_download(node: RunningNode) -> None:
    data = canonical_tar(large_tree())
    await deploy_to_end(node, data)

    async def downloaded(offset: int) -> tuple[pb.PayloadInfo, bytes]:
        request = pb.DownloadPayloadRequest(project="netops", version="1.0.0", offset=offset)
        info = None
        got = b""
        async for told in node.deployments.DownloadPayload(request):
            if info is None:
                info = told.info
            else:
                assert not told.HasField("info")
            assert told.offset == offset + len(got)
            assert told.ByteSize() <= 3 << 20
            got += told.data
        assert info is not None
        return info, got

    info, whole = await downloaded(0)
    assert sha256_of(whole) == info.payload_sha256 == sha256_of(data)
    assert (info.size_bytes, info.file_name) == (len(data), "netops-1.0.0.tar")
    assert info.payload_format == d.PAYLOAD_FORMAT_TAR
    for offset in (1, 65_536, len(data) // 2, len(data) - 1, len(data)):
        assert (await downloaded(offset))[1] == data[offset:]
    with refused(S.OUT_OF_RANGE, "BEYOND_END"):
        await downloaded(len(data) + 1)


@embedded
async def test_downloads_of_what_is_not_there(node: RunningNode) -> None:
    await deploy_to_end(node, canonical_tar(small_tree()))
    cases: list[tuple[dict[str, object], grpc.StatusCode, str]] = [
        ({"project": "netops", "version": "9.9.9"}, S.NOT_FOUND, "RELEASE_NOT_FOUND"),
        ({"project": "nobody", "version": "1.0.0"}, S.NOT_FOUND, "PROJECT_NOT_FOUND"),
        ({"project": "netops", "version": "v1"}, S.INVALID_ARGUMENT, "INVALID_REQUEST"),
        ({"project": "netops"}, S.INVALID_ARGUMENT, "INVALID_REQUEST"),
        ({"version": "1.0.0"}, S.INVALID_ARGUMENT, "INVALID_REQUEST"),
        ({"project": "netops", "version": "1.0.0", "offset": -1}, S.INVALID_ARGUMENT, "INVALID_REQUEST"),
    ]
    for values, code, reason in cases:
        with refused(code, reason):
            async for _ in node.deployments.DownloadPayload(
                pb.DownloadPayloadRequest(**values)  # type: ignore[arg-type]
            ):
                pass


async def test_what_cannot_be_asked_for(node: RunningNode) -> None:
    await deploy_to_end(node, canonical_tar(small_tree()))
    with refused(S.NOT_FOUND, "PROJECT_NOT_FOUND"):
        await node.catalog.GetProject(catalog.GetProjectRequest(project="nobody"))
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await node.catalog.GetProject(catalog.GetProjectRequest())
    with refused(S.NOT_FOUND, "RELEASE_NOT_FOUND"):
        await node.catalog.GetRelease(catalog.GetReleaseRequest(project="netops", version="3.0.0"))
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
        await node.catalog.GetRelease(catalog.GetReleaseRequest(project="netops", version="latest"))
    assert list(told.violations) == ["version"]
    with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
        await get(node, new_id())
    with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
        await activations_of(node, new_id())
    for request in (
        pb.ListDeploymentsRequest(statuses=[99]),  # type: ignore[list-item]
        pb.ListDeploymentsRequest(statuses=[d.DEPLOYMENT_STATUS_UNSPECIFIED]),
    ):
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
            await node.deployments.ListDeployments(request)
        assert list(told.violations) == ["statuses"]
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
        await node.deployments.ListAuditEntries(
            pb.ListAuditEntriesRequest(to_status=99)  # type: ignore[arg-type]
        )
    assert list(told.violations) == ["to_status"]
    # What no database would take is refused before it gets there.
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
        await node.catalog.GetProject(catalog.GetProjectRequest(project="a\0b"))
    assert list(told.violations) == ["project"]
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await node.deployments.ListDeployments(pb.ListDeploymentsRequest(project="a\0b"))


async def test_server_and_nodes(node: RunningNode) -> None:
    info = await node.cluster.GetServerInfo(cluster.GetServerInfoRequest())
    assert (info.server_version, info.node_name, info.environment) == (__version__, "one", "default")
    assert UUID.fullmatch(info.node_id)
    assert sorted(info.roles) == [
        cluster.NODE_ROLE_RECEIVE,
        cluster.NODE_ROLE_CONTROL,
        cluster.NODE_ROLE_INSTALL,
    ]
    cutting = info.cutting_parameters
    assert (cutting.algorithm, cutting.digest_function, cutting.codec) == ("fastcdc-2020", "blake3", "zstd")
    assert (cutting.min_size_bytes, cutting.max_size_bytes) == (16 << 10, 256 << 10)
    assert info.limits.max_find_missing_digests == 10_000
    assert info.limits.max_message_size_bytes == 3 << 20
    assert info.limits.upload_idle_timeout.seconds == 60

    async with asyncio.timeout(10):
        while True:
            (one,) = (await node.cluster.ListNodes(cluster.ListNodesRequest())).nodes
            if one.alive and one.address == node.address:
                break
    assert (one.node_name, one.node_id, one.boot_number) == ("one", info.node_id, 1)
    assert one.free_disk_bytes > 0
    assert not (await node.cluster.ListNodes(cluster.ListNodesRequest(environment="other"))).nodes


@embedded
async def test_health_by_service_and_reflection(node: RunningNode) -> None:
    health = health_pb2_grpc.HealthStub(node.channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    for name in ("", "longshore.read", "longshore.upload"):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == serving, name
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health.Check(health_pb2.HealthCheckRequest(service="nothing"))
    assert caught.value.code() is S.NOT_FOUND

    watched = health.Watch(health_pb2.HealthCheckRequest(service="longshore.upload"))
    assert (await anext(aiter(watched))).status == serving
    await node.node.health.drain()
    assert (await anext(aiter(watched))).status == health_pb2.HealthCheckResponse.NOT_SERVING
    watched.cancel()
    answer = await health.Check(health_pb2.HealthCheckRequest(service="longshore.read"))
    assert answer.status == serving

    stub = reflection_pb2_grpc.ServerReflectionStub(node.channel)
    asked = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    listed = await anext(aiter(asked))
    assert {one.name for one in listed.list_services_response.service} == {
        "longshore.v1.DeploymentService",
        "longshore.v1.CatalogService",
        "longshore.v1.ClusterService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


@embedded
async def test_a_draining_node_takes_no_uploads_and_reads_go_on(node: RunningNode) -> None:
    made = await deploy_to_end(node, canonical_tar(small_tree()))
    node.node.uploads.drain()
    with refused(S.UNAVAILABLE, "DRAINING") as told:
        await deploy(node, canonical_tar(small_tree("more")))
    assert told.retry_after_s == 1
    assert (await get(node, made.deployment_id)).live


@embedded
async def test_request_ids_are_taken_and_given_back(node: RunningNode) -> None:
    call = node.deployments.ListDeployments(
        pb.ListDeploymentsRequest(), metadata=(("longshore-request-id", "mine-1"),)
    )
    told = dict(await call.initial_metadata())
    await call
    assert told["longshore-request-id"] == "mine-1"
    with pytest.raises(grpc.aio.AioRpcError):
        await node.deployments.GetDeployment(
            pb.GetDeploymentRequest(deployment_id=new_id()), metadata=(("longshore-request-id", "a b"),)
        )
    with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND") as seen:
        await node.deployments.GetDeployment(
            pb.GetDeploymentRequest(deployment_id=new_id()), metadata=(("longshore-request-id", "mine.2"),)
        )
    assert seen.metadata["request_id"] == "mine.2"
    made = await deploy(node, canonical_tar(small_tree()))
    assert re.fullmatch(r"[0-9a-f]{32}", made.request_id)


@embedded
async def test_a_node_that_installs_nothing_leaves_deployments_waiting(start_node: StartNode) -> None:
    async with start_node(node={"roles": ["receive", "control"]}) as running:
        made = await deploy(running, canonical_tar(small_tree()))
        async for told in follow(running, made.deployment_id):
            if told.snapshot.deployment.status_reason == "no_nodes":
                break
        waiting = await get(running, made.deployment_id)
        assert (waiting.status, waiting.status_reason) == (d.DEPLOYMENT_STATUS_QUEUED, "no_nodes")
        assert "install" in waiting.status_message
    async with start_node() as running:
        assert (await ended(running, made.deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED


@embedded
async def test_a_node_without_the_role_takes_no_uploads(start_node: StartNode) -> None:
    async with start_node(node={"roles": ["install"]}) as running:
        with refused(S.FAILED_PRECONDITION, "ROLE_MISSING"):
            await deploy(running, b"x")
        answer = await health_pb2_grpc.HealthStub(running.channel).Check(
            health_pb2.HealthCheckRequest(service="longshore.upload")
        )
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
