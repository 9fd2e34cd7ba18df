"""Lists and lookups against a real node."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore_client import Client, DeploymentStatus, NodeRole, errors, new_deployment_id
from longshore_client.paging import items_of_pages


async def test_pages_are_read_until_the_limit_or_the_end() -> None:
    asked: list[tuple[int, str]] = []

    async def read_page(size: int, token: str) -> tuple[list[int], str]:
        asked.append((size, token))
        begin = int(token or "0")
        end = min(begin + min(size, 3), 10)
        return list(range(begin, end)), str(end) if end < 10 else ""

    assert [item async for item in items_of_pages(read_page, None)] == list(range(10))
    assert [token for _, token in asked] == ["", "3", "6", "9"]
    asked.clear()
    assert [item async for item in items_of_pages(read_page, 4)] == [0, 1, 2, 3]
    assert asked == [(4, ""), (1, "3")]


async def test_deployments_are_listed_newest_first(client: Client, project: str, tree: Path) -> None:
    versions = []
    for number in range(3):
        (tree / "n").write_text(str(number))
        recorded = await client.deploy(tree, project=project)
        await client.wait(recorded.deployment_id)
        versions.append(recorded.version)
    listed = [deployment async for deployment in client.list(project=project)]
    assert [deployment.version for deployment in listed] == versions[::-1]
    assert [deployment.live for deployment in listed] == [True, False, False]
    assert len([d async for d in client.list(project=project, limit=2)]) == 2
    assert [d.version async for d in client.list(project=project, version="1.0.1")] == ["1.0.1"]
    failed = client.list(project=project, statuses=[DeploymentStatus.FAILED])
    assert [deployment async for deployment in failed] == []

    releases = [release async for release in client.releases(project)]
    assert [release.version for release in releases] == versions[::-1]
    assert (await client.release(project, "1.0.0")) == releases[-1]
    overview = await client.project(project)
    assert [(each.environment, each.live_version) for each in overview.environments] == [("default", "1.0.2")]
    assert project in [each.project async for each in client.projects()]

    (activation,) = [each async for each in client.activations(listed[0].deployment_id)]
    assert (activation.version, activation.status.value) == ("1.0.2", "live")
    entries = [entry async for entry in client.audit(project=project)]
    assert {entry.deployment_id for entry in entries} == {each.deployment_id for each in listed}
    assert [entry.entry_id for entry in entries] == sorted((e.entry_id for e in entries), reverse=True)
    succeeded = client.audit(project=project, to_status=DeploymentStatus.SUCCEEDED)
    assert len([entry async for entry in succeeded]) == 3


async def test_nodes_and_the_server(client: Client) -> None:
    info = await client.server_info()
    assert info.cutting.algorithm == "fastcdc-2020"
    assert info.limits.max_find_missing_digests == 10_000
    (node,) = [each async for each in client.nodes()]
    assert (node.node_id, node.node_name) == (info.node_id, info.node_name)
    assert set(node.roles) == {NodeRole.RECEIVE, NodeRole.CONTROL, NodeRole.INSTALL}
    assert node.alive
    assert [each async for each in client.nodes(environment="elsewhere")] == []


async def test_what_is_not_there(client: Client, project: str) -> None:
    with pytest.raises(errors.DeploymentNotFound) as caught:
        await client.get(new_deployment_id())
    assert caught.value.request_id
    with pytest.raises(errors.InvalidRequest):
        await client.get("no id")
    with pytest.raises(errors.ProjectNotFound):
        await client.project(project)
    with pytest.raises(errors.NotFound):
        await client.release(project, "1.0.0")
