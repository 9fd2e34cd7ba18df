"""Workflows through a real server: listed, shown, counted, registered again, deleted, validated."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.v1 import catalog_service_pb2
from longshore_client import Client, SyncClient, SyncOutcome, Terms, errors, workflow_conversion
from tests.services.processes import ServerProcess

from .packs import GREET, LOST, OFF, write_pack

ALL_SKIPPED = Terms(skip_validation=True)


@pytest.fixture
async def published(client: Client, project: str, tmp_path: Path) -> str:
    """A project whose live release has three workflows, one of them not valid."""
    pack = write_pack(tmp_path / "pack", project, {"greet": GREET, "lost": LOST, "off": OFF})
    await client.wait((await client.deploy(pack, terms=ALL_SKIPPED)).deployment_id)
    return project


async def test_what_is_live(client: Client, published: str) -> None:
    listed = [each async for each in client.list_workflows(project=published)]
    assert [each.ref for each in listed] == [f"{published}.greet", f"{published}.off"]
    greet, off = listed
    assert (greet.label, greet.version, greet.tags, greet.task_count) == ("Greet", "1.0.0", ("demo",), 2)
    assert (greet.enabled, off.enabled, greet.registered) == (True, False, True)
    assert (greet.project, greet.release_version, greet.path) == (published, "1.0.0", "workflows/greet.yaml")
    every = client.list_workflows(project=published, version="1.0.0", include_unregistered=True)
    assert [each.registered async for each in every] == [True, False, True]
    assert [each async for each in client.list_workflows(project=published, limit=1)] == [greet]
    counts = await client.count_workflows(project=published)
    assert (counts.registered, counts.enabled, counts.unregistered) == (2, 1, 1)
    with pytest.raises(errors.ReleaseNotFound):
        await anext(client.list_workflows(project=published, version="9.0.0"))


async def test_one_as_read_and_as_written(client: Client, published: str) -> None:
    found = await client.get_workflow(published, "greet")
    assert found.source == GREET.encode()
    assert found.definition is not None
    assert [task["name"] for task in found.definition["tasks"]] == ["say", "count"]
    lost = await client.get_workflow(published, "lost", version="1.0.0")
    assert (lost.definition, lost.workflow.registered, lost.source) == (None, False, LOST.encode())
    with pytest.raises(errors.WorkflowNotFound):
        await client.get_workflow(published, "nowhere")


async def test_deleted_and_brought_back(client: Client, published: str) -> None:
    assert await client.delete_workflows(published) == 3
    assert await client.delete_workflows(published) == 0
    assert [each async for each in client.list_workflows(project=published)] == []
    for outcome in (SyncOutcome.CREATED, SyncOutcome.UNCHANGED):
        again = await client.sync_workflows(project=published)
        assert (again.loaded, again.total_errors, again.pruned) == (3, 1, ())
        assert [each.outcome for each in again.registered] == [outcome] * 2
        assert [(each.code, each.path) for each in again.errors] == [("TASK_UNKNOWN", "workflows/lost.yaml")]
    of_one = await client.sync_workflows(project=published, version="1.0.0")
    assert [each.release_version for each in of_one.registered] == ["1.0.0"] * 2


async def test_validated(client: Client, published: str) -> None:
    stored = await client.validate_workflows(published, "1.0.0")
    files = {f"workflows/{name}.yaml": text.encode() for name, text in (("greet", GREET), ("lost", LOST))}
    sent = await client.validate_workflow_files(files, pack=published)
    assert (stored.validated, sent.validated) == (3, 2)
    for told in (stored, sent):
        assert told.error_count == 1
        (wrong,) = told.workflows
        assert (wrong.path, wrong.findings[0].line) == ("workflows/lost.yaml", 6)
    own = {"workflows/a.yaml": GREET.replace("core.echo", f"{published}.restart").encode()}
    assert (await client.validate_workflow_files(own, pack=published)).error_count == 1
    assert (await client.validate_workflow_files(own, pack=published, actions=["restart"])).error_count == 0


async def test_a_refusal_while_files_are_sent_is_not_lost(client: Client) -> None:
    """The call ends at its first message, and gRPC has a status of its own for what is written then."""
    files = {f"workflows/w{number}.yaml": GREET.encode() + b"#" * 1_000_000 for number in range(30)}
    with pytest.raises(errors.InvalidRequest, match="pack"):
        await client.validate_workflow_files(files, pack="")


def test_without_an_event_loop(server: ServerProcess, project: str, tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "pack", project, {"greet": GREET})
    with SyncClient(server.address) as client:
        client.wait(client.deploy(pack).deployment_id)
        (listed,) = client.list_workflows(project=project)
        assert client.get_workflow(project, "greet").workflow == listed
        assert client.count_workflows(project=project).enabled == 1
        assert client.delete_workflows(project) == 1
        assert client.sync_workflows(project=project).loaded == 1
        assert client.validate_workflows(project, "1.0.0").error_count == 0
        files = {"workflows/lost.yaml": LOST.encode()}
        assert client.validate_workflow_files(files, pack=project).error_count == 1


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "[1]", '"text"'])
def test_a_definition_that_is_none(text: str) -> None:
    with pytest.raises(errors.ServerFault):
        workflow_conversion.detail(catalog_service_pb2.GetWorkflowResponse(definition_json=text))
