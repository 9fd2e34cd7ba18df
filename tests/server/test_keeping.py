"""What is kept for a project in an environment: set, read, and gone back from, field by field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from google.protobuf import duration_pb2, field_mask_pb2

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_service_pb2 as pb

from .calls import deploy_to_end, refused
from .contents import canonical_tar, small_tree
from .running import RunningNode, embedded

S = grpc.StatusCode
DAY_S = 86_400


async def keep(node: RunningNode, paths: Sequence[str], **values: Any) -> catalog.ProjectEnvironment:
    response = await node.catalog.UpdateProjectEnvironment(
        catalog.UpdateProjectEnvironmentRequest(
            project_environment=catalog.ProjectEnvironment(project="netops", environment="default", **values),
            update_mask=field_mask_pb2.FieldMask(paths=paths),
        )
    )
    return response.project_environment


def retention(**values: Any) -> catalog.Retention:
    return catalog.Retention(**values)


def days(number: int) -> duration_pb2.Duration:
    return duration_pb2.Duration(seconds=number * DAY_S)


async def test_each_field_is_set_by_itself(node: RunningNode) -> None:
    await deploy_to_end(node, canonical_tar(small_tree()))
    fresh = (await node.catalog.GetProject(catalog.GetProjectRequest(project="netops"))).environments[0]
    assert not fresh.HasField("retention")
    assert not fresh.HasField("kept_rollback_targets")
    both = retention(keep_releases=7, max_age=days(30))
    set_first = await keep(node, ["retention", "kept_rollback_targets"], retention=both)
    assert set_first.retention == both
    assert not set_first.HasField("kept_rollback_targets")
    one = await keep(node, ["retention.max_size_bytes"], retention=retention(max_size_bytes=0))
    assert one.retention == retention(keep_releases=7, max_age=days(30), max_size_bytes=0)
    targets = await keep(node, ["kept_rollback_targets"], kept_rollback_targets=0, freeze_reason="not named")
    assert targets.HasField("kept_rollback_targets")
    assert (targets.kept_rollback_targets, targets.freeze_reason) == (0, "")
    less = await keep(node, ["retention.keep_releases", "retention.max_age"])
    assert less.retention == retention(max_size_bytes=0)
    none = await keep(node, ["retention", "kept_rollback_targets"])
    assert (none.HasField("retention"), none.HasField("kept_rollback_targets")) == (False, False)
    assert none.etag != fresh.etag
    again = await keep(node, ["retention"])
    assert again.etag == none.etag, "what is set already changes nothing"
    told = await node.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(project="netops"))
    messages = [one.message for one in told.entries if one.action == "environment.keeping_changed"]
    assert messages[-1] == "retention.keep_releases: 7, retention.max_age: 2592000"
    assert messages[0] == "kept_rollback_targets: default, retention.max_size_bytes: default"


async def test_an_etag_guards_it(node: RunningNode) -> None:
    await deploy_to_end(node, canonical_tar(small_tree()))
    first = await keep(node, ["kept_rollback_targets"], kept_rollback_targets=3)
    await keep(node, ["kept_rollback_targets"], kept_rollback_targets=4, etag=first.etag)
    with refused(S.ABORTED, "ETAG_MISMATCH"):
        await keep(node, ["kept_rollback_targets"], kept_rollback_targets=5, etag=first.etag)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("kept_rollback_targets", {"kept_rollback_targets": -1}),
        ("kept_rollback_targets", {"kept_rollback_targets": 101}),
        ("retention.keep_releases", {"retention": retention(keep_releases=-1)}),
        ("retention.max_age", {"retention": retention(max_age=duration_pb2.Duration(seconds=-5))}),
        ("retention.max_age", {"retention": retention(max_age=duration_pb2.Duration(seconds=1 << 60))}),
        ("retention.max_age", {"retention": retention(max_age=duration_pb2.Duration(nanos=500_000_000))}),
        ("retention.max_size_bytes", {"retention": retention(max_size_bytes=-1)}),
    ],
)
@embedded
async def test_values_that_nothing_can_mean(node: RunningNode, path: str, values: dict[str, Any]) -> None:
    await deploy_to_end(node, canonical_tar(small_tree()))
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
        await keep(node, [path], **values)
    assert list(told.violations) == [f"project_environment.{path}"]


@embedded
async def test_the_least_is_kept_for_rollbacks(node: RunningNode) -> None:
    """What is set here counts for deleting payloads too."""
    for text in ("one", "two", "three"):
        await deploy_to_end(node, canonical_tar(small_tree(text)))
    delete = pb.DeletePayloadRequest(project="netops", version="1.0.0")
    with refused(S.FAILED_PRECONDITION, "PAYLOAD_IN_USE"):
        await node.deployments.DeletePayload(delete)
    await keep(node, ["kept_rollback_targets"], kept_rollback_targets=1)
    assert (await node.deployments.DeletePayload(delete)).freed_size_bytes > 0
