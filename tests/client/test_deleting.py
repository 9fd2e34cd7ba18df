"""Deleting a release's payload: by the library, and by a command that asks first."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from longshore_client import Client, SyncClient, errors
from tests.services.processes import ServerProcess

from .command_line import Run
from .terminal import CTRL_D, Terminal, lines_of


@pytest.fixture
def released(server: ServerProcess, project: str, tree: Path) -> str:
    """A project whose release 1.0.1 is live and whose release 1.0.0 is the way back."""
    with SyncClient(server.address) as client:
        for text in ("one", "two"):
            (tree / "text").write_text(text)
            client.wait(client.deploy(tree, project=project).deployment_id)
    return project


async def test_what_is_needed_stays_and_what_is_given_up_goes(client: Client, released: str) -> None:
    for force in (False, True):
        with pytest.raises(errors.PayloadInUse, match="is live in default"):
            await client.delete_payload(released, "1.0.1", force=force)
    with pytest.raises(errors.PayloadInUse, match="can be rolled back to"):
        await client.delete_payload(released, "1.0.0")
    deletion = await client.delete_payload(released, "1.0.0", force=True)
    assert (deletion.project, deletion.version) == (released, "1.0.0")
    assert deletion.freed_size_bytes + deletion.shared_size_bytes > 0
    again = await client.delete_payload(released, "1.0.0")
    assert (again.freed_size_bytes, again.shared_size_bytes) == (0, 0)
    assert not (await client.release(released, "1.0.0")).payload_present
    with pytest.raises(errors.PayloadReclaimed):
        await client.deploy_release(released, "1.0.0")
    with pytest.raises(errors.ReleaseNotFound):
        await client.delete_payload(released, "7.7.7")


def test_the_client_without_an_event_loop_deletes_too(server: ServerProcess, released: str) -> None:
    with SyncClient(server.address) as client:
        deletion = client.delete_payload(released, "1.0.0", force=True)
        assert deletion.freed_size_bytes + deletion.shared_size_bytes > 0


def test_where_nobody_can_be_asked_it_must_be_confirmed(run: Run, released: str) -> None:
    unconfirmed = run("delete-payload", released, "1.0.0", "--force")
    assert unconfirmed.code == 2
    assert "--yes" in unconfirmed.err
    assert run("releases", released, "-o", "json").objects[-1]["payload_present"] is True
    needed = run("delete-payload", f"{released}@1.0.0", "--yes")
    assert needed.code == 4
    assert "can be rolled back to in default" in needed.err
    assert "--force" in needed.err
    assert run("delete-payload", released, "1.0.1", "--yes", "--force").code == 4
    (deleted,) = run("delete-payload", f"{released}@1.0.0", "--yes", "--force", "-o", "json").objects
    assert list(deleted) == ["project", "version", "freed_size_bytes", "shared_size_bytes"]
    assert (deleted["project"], deleted["version"]) == (released, "1.0.0")
    again = run("delete-payload", released, "1.0.0", "--yes", "-o", "yaml")
    assert yaml.safe_load(again.out) == {**deleted, "freed_size_bytes": 0, "shared_size_bytes": 0}
    for_people = run("delete-payload", released, "1.0.0", "--yes")
    assert for_people.out == f"nothing to delete: no payload of {released} 1.0.0 is stored\n"
    assert run("delete-payload", released, "7.7.7", "--yes").code == 3
    for incomplete in ((released,), (f"{released}@",)):
        assert run("delete-payload", *incomplete, "--yes").code == 2


def _on_terminal(server: ServerProcess, released: str, *answer: str) -> tuple[int, list[str]]:
    terminal = Terminal(80, ["--server", server.address, "delete-payload", released, "1.0.0", "--force"])
    if answer:
        terminal.wait_for("Delete the payload? [y/N]")
        terminal.type(*answer)
    code, written = terminal.ended()
    return code, [line for line in lines_of(written) if line]


def test_on_a_terminal_it_asks_and_takes_no_for_an_answer(
    server: ServerProcess, run: Run, released: str
) -> None:
    for answer in ("n\n", CTRL_D):
        code, lines = _on_terminal(server, released, answer)
        assert (code, lines[-1]) == (130, "nothing was deleted")
        assert lines[0].startswith(f"{released} 1.0.0: 1.1 MB, created ")
    assert run("releases", released, "-o", "json").objects[-1]["payload_present"] is True
    code, lines = _on_terminal(server, released, "y\n")
    assert code == 0
    assert lines[-1].startswith(f"the payload of {released} 1.0.0 is deleted: ")
    # There is nothing to ask about any more.
    code, lines = _on_terminal(server, released)
    assert (code, lines) == (0, [f"nothing to delete: no payload of {released} 1.0.0 is stored"])
