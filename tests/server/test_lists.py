"""Lists and reads: pages, filters, page tokens, releases by version, the audit trail."""

from __future__ import annotations

import socket

import grpc
import pytest

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.access.failures import address_of
from longshore_server.rpc.page_tokens import PageToken
from tests.bundles.trees import File

from .calls import (
    deploy_to_end,
    get,
    new_id,
    refused,
    status_name,
)
from .contents import canonical_tar, small_tree
from .running import RunningNode, StartNode, embedded

S = grpc.StatusCode


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


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
        pb.ListDeploymentsRequest(page_token="WzFd" * 5_000),
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


@embedded
@pytest.mark.parametrize(
    "host", ["127.0.0.1", pytest.param("[::1]", marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6"))]
)
async def test_the_audit_trail_tells_addresses_as_people_write_them(start_node: StartNode, host: str) -> None:
    async with start_node(listen=f"{host}:0") as node:
        await deploy_to_end(node, canonical_tar(small_tree()))
        listed = await node.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(project="netops"))
    entry = next(one for one in listed.entries if one.principal == "anonymous")
    address, _, port = entry.peer.rpartition(":")
    assert (address, port.isdecimal()) == (host, True)
    # By what stands before the port callers are counted.
    assert address_of(entry.peer) == host


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
            assert one.peer.startswith("127.0.0.1:")
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
        await node.deployments.ListActivations(pb.ListActivationsRequest(deployment_id=new_id()))
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
