"""Workflows of packs: registered with their release, live with it, synchronised, unregistered, validated."""

from __future__ import annotations

import json
from typing import Any

import grpc

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_service_pb2 as pb
from longshore.v1 import workflow_pb2 as w
from tests.bundles.trees import File, Tree

from .calls import deploy, deploy_to_end, ended, new_id, refused
from .manifests import pack, workflow
from .running import RunningNode, Stubs

S = grpc.StatusCode
BROKEN = workflow(after="nowhere")


async def refs(node: RunningNode | Stubs, **values: Any) -> list[str]:
    listed = await node.catalog.ListWorkflows(catalog.ListWorkflowsRequest(**values))
    return [one.ref for one in listed.workflows]


async def sync(node: RunningNode, **values: str) -> catalog.SyncWorkflowsResponse:
    return await node.catalog.SyncWorkflows(catalog.SyncWorkflowsRequest(**values))


async def check(
    node: RunningNode, target: w.ValidationTarget, files: dict[str, str] | None = None
) -> catalog.ValidateWorkflowsResponse:
    requests = [catalog.ValidateWorkflowsRequest(target=target)]
    for path, text in (files or {}).items():
        requests.append(
            catalog.ValidateWorkflowsRequest(file=w.WorkflowFile(path=path, content=text.encode()))
        )
    return await node.catalog.ValidateWorkflows(iter(requests))


async def test_they_are_live_with_their_release(node: RunningNode) -> None:
    await deploy_to_end(node, pack(version="1.0.0", workflows={"roll": workflow(), "stop": workflow()}))
    assert await refs(node) == ["netops.roll", "netops.stop"]
    await deploy_to_end(node, pack(version="2.0.0", workflows={"roll": workflow("Roll 2")}))
    assert await refs(node) == ["netops.roll"]
    assert await refs(node, project="netops", version="1.0.0") == ["netops.roll", "netops.stop"]
    back = await node.deployments.Rollback(pb.RollbackRequest(deployment_id=new_id(), project="netops"))
    await ended(node, back.deployment.deployment_id)
    assert await refs(node) == ["netops.roll", "netops.stop"]


async def test_a_staged_or_failed_deployment_changes_nothing(node: RunningNode) -> None:
    await deploy_to_end(node, pack(version="1.0.0", workflows={"roll": workflow()}))
    await deploy(node, pack(version="2.0.0"), stage_only=True)
    with refused(S.INVALID_ARGUMENT, "VALIDATION_FAILED") as told:
        await deploy(node, pack(version="3.0.0", workflows={"roll": BROKEN, "stop": BROKEN}))
    assert told.metadata["total_findings"] == "2"
    assert "Task 'drain' references non-existent task 'nowhere'" in told.message
    assert await refs(node) == ["netops.roll"]


async def test_one_is_told_as_read_and_as_written(node: RunningNode) -> None:
    await deploy_to_end(node, pack(workflows={"roll": workflow()}))
    told = await node.catalog.GetWorkflow(catalog.GetWorkflowRequest(project="netops", name="roll"))
    assert told.source.decode() == workflow()
    assert (told.workflow.label, told.workflow.task_count, list(told.workflow.tags)) == (
        "Rolling restart",
        2,
        ["ops"],
    )
    assert [task["name"] for task in json.loads(told.definition_json)["tasks"]] == ["drain", "restart"]
    for nobody in ("nobody", "x" * 20_000):
        with refused(S.NOT_FOUND, "WORKFLOW_NOT_FOUND"):
            await node.catalog.GetWorkflow(catalog.GetWorkflowRequest(project="netops", name=nobody))


async def test_what_is_not_valid_is_never_registered(node: RunningNode) -> None:
    bundle = pack(workflows={"roll": BROKEN, "stop": workflow()})
    await deploy_to_end(node, bundle, skip_validation=True)
    assert await refs(node) == ["netops.stop"]
    assert await refs(node, include_unregistered=True) == ["netops.roll", "netops.stop"]
    counts = await node.catalog.CountWorkflows(catalog.CountWorkflowsRequest())
    assert (counts.registered, counts.enabled, counts.unregistered) == (1, 1, 1)
    told = await node.catalog.GetWorkflow(catalog.GetWorkflowRequest(project="netops", name="roll"))
    assert not told.workflow.registered
    assert not told.definition_json


async def test_deleted_ones_come_back_by_sync(node: RunningNode) -> None:
    await deploy_to_end(node, pack(workflows={"roll": workflow(), "stop": workflow()}))
    deleted = await node.catalog.DeleteWorkflows(catalog.DeleteWorkflowsRequest(project="netops"))
    assert deleted.deleted == 2
    assert await refs(node) == []
    again = await node.catalog.DeleteWorkflows(catalog.DeleteWorkflowsRequest(project="netops"))
    assert again.deleted == 0
    synced = await sync(node)
    assert synced.loaded == 2
    assert [(one.ref, one.outcome) for one in synced.registered] == [
        ("netops.roll", w.SYNC_OUTCOME_CREATED),
        ("netops.stop", w.SYNC_OUTCOME_CREATED),
    ]
    assert await refs(node) == ["netops.roll", "netops.stop"]
    unchanged = await sync(node, project="netops", version="1.0.0")
    assert {one.outcome for one in unchanged.registered} == {w.SYNC_OUTCOME_UNCHANGED}
    audit = await node.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(project="netops"))
    actions = [entry.action for entry in audit.entries]
    assert (actions.count("workflows.deleted"), actions.count("workflows.synced")) == (1, 1)


async def test_pages(node: RunningNode) -> None:
    names = [f"flow{number}" for number in range(5)]
    await deploy_to_end(node, pack(workflows={name: workflow() for name in names}))
    seen: list[str] = []
    token = ""
    while True:
        page = await node.catalog.ListWorkflows(
            catalog.ListWorkflowsRequest(page_size=2, page_token=token, project="netops")
        )
        seen += [one.name for one in page.workflows]
        token = page.next_page_token
        if not token:
            break
    assert seen == names


async def test_pages_while_what_is_live_changes(node: RunningNode) -> None:
    before = {f"flow{number}": workflow() for number in range(6)}
    await deploy_to_end(node, pack(version="1.0.0", workflows=before))
    seen: list[str] = []
    token = ""
    changes = iter([before.keys() - {"flow1", "flow3"}, before.keys() - {"flow0"} | {"flow9"}])
    while not seen or token:
        page = await node.catalog.ListWorkflows(catalog.ListWorkflowsRequest(page_size=2, page_token=token))
        seen += [one.name for one in page.workflows]
        token = page.next_page_token
        if (names := next(changes, None)) is not None:
            await deploy_to_end(
                node, pack(version=f"2.0.{len(seen)}", workflows=dict.fromkeys(names, workflow()))
            )
    # What is there all the time is told once, in order.
    assert seen == ["flow0", "flow1", "flow2", "flow4", "flow5", "flow9"]


async def test_page_tokens_are_for_their_own_list(node: RunningNode) -> None:
    await deploy_to_end(node, pack(workflows={"roll": workflow(), "stop": workflow()}))
    first = await node.catalog.ListWorkflows(catalog.ListWorkflowsRequest(page_size=1))
    assert first.next_page_token
    others: list[dict[str, Any]] = [
        *({"project": "netops"}, {"include_unregistered": True}),
        {"project": "netops", "version": "1.0.0"},
    ]
    for other in others:
        with refused(S.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN"):
            await refs(node, page_token=first.next_page_token, **other)
    for token in ("x", first.next_page_token[:-4], "W10", "x" * 20_000):
        with refused(S.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN"):
            await refs(node, page_token=token)
    await node.catalog.DeleteWorkflows(catalog.DeleteWorkflowsRequest(project="netops"))
    assert await refs(node, page_token=first.next_page_token) == []


async def test_validating_stores_nothing(node: RunningNode) -> None:
    files = {"workflows/roll.yaml": BROKEN, "workflows/stop.yaml": workflow()}
    told = await check(node, w.ValidationTarget(pack="netops"), files)
    assert (told.validated, told.error_count) == (2, 1)
    (wrong,) = told.workflows
    assert (wrong.path, wrong.findings[0].line) == ("workflows/roll.yaml", 7)
    assert await refs(node) == []
    await deploy_to_end(node, pack(workflows={"roll": BROKEN}), skip_validation=True)
    stored = await check(node, w.ValidationTarget(project="netops", version="1.0.0"))
    assert (stored.validated, stored.error_count) == (1, 1)


async def test_what_cannot_be_asked_is_refused(node: RunningNode) -> None:
    with refused(S.INVALID_ARGUMENT, "UPLOAD_PROTOCOL"):
        await node.catalog.ValidateWorkflows(iter([]))
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await check(node, w.ValidationTarget(), {"workflows/x.yaml": ""})
    with refused(S.NOT_FOUND, "PROJECT_NOT_FOUND"):
        await refs(node, project="nobody")
    with refused(S.NOT_FOUND, "ENVIRONMENT_NOT_FOUND"):
        await refs(node, environment="nowhere")
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await sync(node, version="1.0.0")


async def test_two_files_of_one_name(node: RunningNode) -> None:
    more: Tree = {"workflows/roll.yml": File(workflow("Other").encode())}
    with refused(S.INVALID_ARGUMENT, "VALIDATION_FAILED") as told:
        await deploy(node, pack(workflows={"roll": workflow()}, more=more))
    assert told.metadata["total_findings"] == "2"
