"""Skills and packs deployed: what they are, what refuses them, what is let through, who is called what."""

from __future__ import annotations

import grpc

from longshore.v1 import bundle_pb2 as b
from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_service_pb2 as pb

from .calls import D, deploy, deploy_to_end, refused
from .contents import canonical_tar, small_tree
from .manifests import pack, skill
from .running import RunningNode
from .test_validating import ESCAPING, validate

S = grpc.StatusCode


async def release(node: RunningNode, project: str, version: str) -> catalog.Release:
    return (
        await node.catalog.GetRelease(catalog.GetReleaseRequest(project=project, version=version))
    ).release


async def findings(node: RunningNode, deployment_id: str) -> list[str]:
    listed = await node.deployments.ListFindings(pb.ListFindingsRequest(deployment_id=deployment_id))
    return [finding.code for finding in listed.findings]


async def test_a_skill(node: RunningNode) -> None:
    deployed = await deploy_to_end(node, skill("Log-Rotate", "1.2.0"), project="log-rotate")
    assert (deployed.version, deployed.bundle_kind) == ("1.2.0", b.BUNDLE_KIND_SKILL)
    told = await release(node, "log-rotate", "1.2.0")
    assert (told.bundle.kind, told.bundle.name, told.bundle.description) == (
        b.BUNDLE_KIND_SKILL,
        "Log-Rotate",
        "Rotates logs",
    )
    project = (await node.catalog.GetProject(catalog.GetProjectRequest(project="log-rotate"))).project
    assert (project.display_name, project.kind) == ("Log-Rotate", b.BUNDLE_KIND_SKILL)


async def test_a_skill_without_a_version_is_bumped(node: RunningNode) -> None:
    assert (await deploy_to_end(node, skill(), project="log-rotate")).version == "1.0.0"
    changed = skill(text="another")
    again = await deploy_to_end(node, changed, project="log-rotate", bump=pb.VERSION_BUMP_MINOR)
    assert again.version == "1.1.0"
    assert again.previous_version == "1.0.0"


async def test_errors_refuse_it_and_are_recorded(node: RunningNode) -> None:
    with refused(S.INVALID_ARGUMENT, "VALIDATION_FAILED"):
        await deploy(node, skill(runs=False), project="log-rotate")
    (failed,) = (await node.deployments.ListDeployments(pb.ListDeploymentsRequest())).deployments
    assert failed.status == D.DEPLOYMENT_STATUS_FAILED
    assert await findings(node, failed.deployment_id) == ["EXECUTE_SCRIPT_NOT_EXECUTABLE"]
    audit = await node.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(project="log-rotate"))
    assert "deployment.refused" in {entry.action for entry in audit.entries}


async def test_validation_may_be_skipped(node: RunningNode) -> None:
    deployed = await deploy_to_end(node, skill(runs=False), project="log-rotate", skip_validation=True)
    assert deployed.status == D.DEPLOYMENT_STATUS_SUCCEEDED
    assert deployed.validation_skipped
    assert "EXECUTE_SCRIPT_NOT_EXECUTABLE" in await findings(node, deployed.deployment_id)
    assert (await release(node, "log-rotate", deployed.version)).validation_skipped
    audit = await node.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(project="log-rotate"))
    assert any("validation skipped" in entry.message for entry in audit.entries)


async def test_harm_is_never_let_through(node: RunningNode) -> None:
    with refused(S.INVALID_ARGUMENT, "ARCHIVE_INVALID"):
        await deploy(node, ESCAPING, skip_validation=True)


async def test_a_kind_that_is_asked_for_must_be_found(node: RunningNode) -> None:
    with refused(S.INVALID_ARGUMENT, "VALIDATION_FAILED"):
        await deploy(node, skill(), project="log-rotate", bundle_kind=b.BUNDLE_KIND_PACK)
    good = await deploy(node, skill(), project="log-rotate", bundle_kind=b.BUNDLE_KIND_SKILL)
    assert good.bundle_kind == b.BUNDLE_KIND_SKILL


async def test_one_project_has_one_name_and_kind(node: RunningNode) -> None:
    await deploy_to_end(node, pack("netops"))
    for other in (skill("netops"), skill("NetOps"), canonical_tar(small_tree())):
        with refused(S.INVALID_ARGUMENT, "VALIDATION_FAILED"):
            await deploy(node, other)
        told = await validate(node, other)
        assert "NAME_NOT_UNIQUE" in {finding.code for finding in told.findings}
        assert not told.valid
    through = await deploy_to_end(node, canonical_tar(small_tree()), skip_validation=True)
    assert through.bundle_kind == b.BUNDLE_KIND_COMPONENT
    project = (await node.catalog.GetProject(catalog.GetProjectRequest(project="netops"))).project
    assert (project.display_name, project.kind) == ("netops", b.BUNDLE_KIND_PACK)


async def test_where_it_came_from_is_recorded(node: RunningNode) -> None:
    source = b.Source(
        kind=b.SOURCE_KIND_GIT,
        url="https://git.example/netops.git",
        ref="0123456789abcdef",
        checksum="sha256:" + 64 * "0",
        verified=True,
    )
    await deploy_to_end(node, pack(), source=source, install_method=b.INSTALL_METHOD_AUTO)
    told = await release(node, "netops", "1.0.0")
    assert told.source == source
    assert told.install_method == b.INSTALL_METHOD_AUTO
    assert (told.bundle.label, told.created_by) == ("Net Ops", "anonymous")


async def test_a_source_with_credentials_is_refused(node: RunningNode) -> None:
    source = b.Source(kind=b.SOURCE_KIND_URL, url="https://me:secret@example.com/x.tar")
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
        await deploy(node, pack(), source=source)
    assert list(told.violations) == ["header.source.url"]


async def test_validating_tells_the_manifest(node: RunningNode) -> None:
    told = await validate(node, pack("netops", "2.0.0", needs={"dns": "^2.1"}))
    assert (told.bundle.kind, told.bundle.label, told.bundle.dependencies[0].project) == (
        b.BUNDLE_KIND_PACK,
        "Net Ops",
        "dns",
    )
    assert [finding.code for finding in told.findings] == ["DEPENDENCY_MISSING"]
    assert not told.valid
