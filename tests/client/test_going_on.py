"""``longshore deploy`` run again goes on with the upload that broke off; and when it must not, does not."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from longshore_client import (
    Client,
    Deployment,
    InstallMethod,
    PayloadFormat,
    deploying,
    new_deployment_id,
)
from longshore_client.cli.unfinished import FORGOTTEN_AFTER_S
from tests.services.ports import ReservedPort
from tests.services.processes import ServerProcess

from .cable import Cable, cable_to
from .command_line import Ran, Run
from .terminal import CTRL_C, Terminal, on_terminal

MIB = 1 << 20
_SIZE = 28 * MIB


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(_SIZE))
    return path


async def _deployments(client: Client, project: str) -> list[Deployment]:
    """The project's, oldest first."""
    return [deployment async for deployment in client.list(project=project)][::-1]


async def _sixteen_durable(client: Client, project: str) -> Deployment:
    """Wait until 16 MiB of the project's only upload are durable."""
    async with asyncio.timeout(20):
        while True:
            for sending in await _deployments(client, project):
                if sending.transfer is not None and sending.transfer.durable_bytes >= 16 * MIB:
                    return sending
            await asyncio.sleep(0.05)


def _edit_unseen(path: Path) -> None:
    """Change what is in a file, and put its time back."""
    times = path.stat()
    with path.open("r+b") as file:
        file.write(b"other")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _content(path: Path) -> bytes:
    return path.read_bytes()


@asynccontextmanager
async def _half_sent(
    server: ServerProcess, project: str, source: Path
) -> AsyncIterator[tuple[Cable, Terminal, Deployment]]:
    """A deploy on a terminal whose upload hangs, with a good part of it durable."""
    async with cable_to(server.address) as cable, Client(server.address) as client:
        cable.hold_after_sent = 24 * MIB
        terminal = Terminal(100, ["deploy", str(source), "-p", project], LONGSHORE_SERVER=cable.address)
        yield cable, terminal, await _sixteen_durable(client, project)


@pytest.mark.parametrize("ending", ["ctrl-c", "kill"])
async def test_the_same_command_goes_on(
    server: ServerProcess, client: Client, project: str, large: Path, state: Path, ending: str
) -> None:
    async with _half_sent(server, project, large) as (cable, terminal, broken):
        (remembered,) = _files(state)
        assert stat.S_IMODE(remembered.stat().st_mode) == 0o600
        if ending == "ctrl-c":
            terminal.type(CTRL_C)
        else:
            terminal.kill()
        code, written = await asyncio.to_thread(terminal.ended)
        if ending == "ctrl-c":
            assert code == 130
            assert "to go on with it run the same command again" in written
            assert "Traceback" not in written
        cable.cut()
        sent_bytes = cable.sent_bytes
        code, written = await asyncio.to_thread(
            on_terminal, 100, ["deploy", str(large), "-p", project], LONGSHORE_SERVER=cable.address
        )
        sent_bytes = cable.sent_bytes - sent_bytes
    assert code == 0, written
    assert "going on with the upload that broke off" in written
    assert "--new starts anew" in written
    (ended,) = await _deployments(client, project)
    assert (ended.deployment_id, ended.live) == (broken.deployment_id, True)
    assert broken.transfer is not None
    assert sent_bytes < _SIZE - broken.transfer.durable_bytes + MIB
    assert _files(state) == []


async def test_two_at_once_do_not_fight(
    server: ServerProcess, client: Client, project: str, large: Path, state: Path
) -> None:
    async with _half_sent(server, project, large) as (cable, first, sending):
        code, written = await asyncio.to_thread(
            on_terminal, 100, ["deploy", str(large), "-p", project], LONGSHORE_SERVER=cable.address
        )
        assert code == 0, written
        assert "another run of this command is under way" in written
        cable.cut()
        code, written = await asyncio.to_thread(first.ended)
        assert code == 0, written
    one, two = await _deployments(client, project)
    assert one.deployment_id == sending.deployment_id
    assert {one.status, two.status} == {"succeeded"}
    assert _files(state) == []


class Broken:
    """A deploy that found no server, so that it is remembered; ``again`` is the same when there is one."""

    def __init__(self, run: Run, port: ReservedPort, server: ServerProcess, arguments: list[str]) -> None:
        self._run = run
        self._port = port
        self._server = server
        self._arguments = ["--server", port.address, "deploy", *arguments]
        self.first = run(*self._arguments)

    async def again(self, *more: str) -> Ran:
        async with cable_to(self._server.address, listen_port=self._port.number):
            return await asyncio.to_thread(self._run, *self._arguments, *more)


@pytest.fixture
def broken(run: Run, server: ServerProcess, project: str, tree: Path) -> Iterator[Broken]:
    with ReservedPort() as port:
        yield Broken(run, port, server, [str(tree), "-p", project])


@pytest.fixture
def broken_large(run: Run, server: ServerProcess, project: str, large: Path) -> Iterator[Broken]:
    with ReservedPort() as port:
        yield Broken(run, port, server, [str(large), "-p", project])


def _files(state: Path) -> list[Path]:
    return list(state.iterdir())


def _remembered_id(state: Path) -> str:
    (path,) = _files(state)
    return str(json.loads(path.read_text())["deployment_id"])


def _remember(state: Path, deployment_id: str) -> None:
    (path,) = _files(state)
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, "deployment_id": deployment_id}))


def _accepted_id(ran: Ran) -> str:
    (line,) = (line for line in ran.err.splitlines() if line.endswith("accepted"))
    return line.split()[1]


async def test_what_no_server_knows_begins_anew(broken: Broken, state: Path) -> None:
    assert broken.first.code == 6
    assert "to go on with it run the same command again" in broken.first.err
    before = _remembered_id(state)
    again = await broken.again()
    assert again.code == 0
    assert _accepted_id(again) != before
    assert again.err.splitlines()[0].startswith("deployment ")
    assert _files(state) == []


async def test_an_edited_source_is_a_new_deployment(broken: Broken, state: Path, tree: Path) -> None:
    before = _remembered_id(state)
    (tree / "run.sh").write_text("#!/bin/sh\nexit 1\n")
    again = await broken.again()
    assert again.code == 0
    assert again.err.splitlines()[0] == (
        f"{tree} has changed since its upload broke off: this is a new deployment"
    )
    assert _accepted_id(again) != before


async def test_a_file_that_is_corrupt_or_old_is_no_hindrance(broken: Broken, state: Path) -> None:
    (path,) = _files(state)
    path.write_text('{"format": 1, "deployment_id": "')
    again = await broken.again()
    assert again.code == 0
    _accepted_id(again)
    assert _files(state) == []


async def test_a_day_later_it_is_a_new_deployment(broken: Broken, state: Path) -> None:
    (path,) = _files(state)
    os.utime(path, (path.stat().st_mtime - FORGOTTEN_AFTER_S - 60,) * 2)
    assert _accepted_id(await broken.again())


async def test_one_that_failed_begins_anew(broken: Broken, state: Path, client: Client, project: str) -> None:
    failed = new_deployment_id()
    with pytest.raises(Exception, match="sha256"):
        await client.deploy(
            _bytes(b"x"), project=project, deployment_id=failed, file_name="f", sha256="0" * 64
        )
    _remember(state, failed)
    again = await broken.again()
    assert again.code == 0
    assert again.err.startswith("the upload that broke off has ended as failed: ")
    assert _accepted_id(again) != failed


async def test_one_that_was_complete_is_followed(
    broken: Broken, state: Path, client: Client, project: str, tree: Path
) -> None:
    """As when the answer is lost: the server has recorded it, and nobody was told."""
    recorded = await client.deploy(
        tree, project=project, deployment_id=_remembered_id(state), install_method=InstallMethod.CLI
    )
    again = await broken.again()
    assert again.code == 0
    assert again.err.startswith(
        "the upload that broke off was complete, as deployment " + recorded.deployment_id
    )
    assert again.out == f"{project} 1.0.0 is live in default on 1 node\n"
    assert len(await _deployments(client, project)) == 1


async def test_one_that_is_live_no_more_is_deployed_anew(
    broken: Broken, state: Path, client: Client, project: str, tree: Path
) -> None:
    recorded = await client.deploy(
        tree, project=project, deployment_id=_remembered_id(state), install_method=InstallMethod.CLI
    )
    await client.wait(recorded.deployment_id)
    other = await client.deploy(
        _bytes(b"other"), project=project, payload_format=PayloadFormat.FILE, file_name="f"
    )
    await client.wait(other.deployment_id)
    again = await broken.again()
    assert again.err.startswith("the upload that broke off has ended as succeeded")
    assert again.out == f"{project} 1.0.2 is live in default on 1 node\n"


async def test_an_id_that_turns_out_to_be_of_something_else_begins_anew(
    broken: Broken, state: Path, client: Client, project: str
) -> None:
    other = await client.deploy(
        _bytes(b"other"), project=project, payload_format=PayloadFormat.FILE, file_name="f"
    )
    await client.wait(other.deployment_id)
    _remember(state, other.deployment_id)
    again = await broken.again()
    assert again.code == 0
    assert "this is a new deployment" in again.err
    assert again.out == f"{project} 1.0.1 is live in default on 1 node\n"


async def test_a_source_that_looks_unchanged_and_is_not_is_never_mixed(
    broken_large: Broken,
    server: ServerProcess,
    client: Client,
    project: str,
    large: Path,
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As for a payload above that size, whose sha256 is known only at its end.
    monkeypatch.setattr(deploying, "HASHED_AHEAD_BYTES", 0)
    before = _remembered_id(state)
    async with cable_to(server.address) as cable, Client(cable.address) as sender:
        cable.hold_after_sent = 24 * MIB
        sending = asyncio.create_task(
            sender.deploy(large, project=project, deployment_id=before, install_method=InstallMethod.CLI)
        )
        await _sixteen_durable(client, project)
        sending.cancel()
    _edit_unseen(large)
    again = await broken_large.again()
    assert again.code == 0, again.err
    assert "going on with the upload that broke off" in again.err
    assert f"{large} changed since its upload began; this is a new deployment" in again.err
    failed, made = await _deployments(client, project)
    assert (failed.deployment_id, failed.status, made.live) == (before, "failed", True)
    assert _content(server.data_dir / "live" / project / "large.bin") == _content(large)


async def test_new_and_an_id_of_ones_own_win(
    broken: Broken, state: Path, client: Client, project: str, tree: Path
) -> None:
    recorded = await client.deploy(
        tree, project=project, deployment_id=_remembered_id(state), install_method=InstallMethod.CLI
    )
    mine = new_deployment_id()
    own = await broken.again("--deployment-id", mine)
    assert _accepted_id(own) == mine
    assert [path.suffix for path in _files(state)] == [".json"]
    anew = await broken.again("--new")
    assert _accepted_id(anew) not in (mine, recorded.deployment_id)
    assert len(await _deployments(client, project)) == 3
    assert _files(state) == []
    assert (await broken.again("--new", "--deployment-id", mine)).code == 2


async def test_where_nothing_can_be_remembered_it_deploys_all_the_same(
    broken: Broken, state: Path, monkeypatch: pytest.MonkeyPatch, tree: Path, run: Run
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tree / "run.sh"))
    again = await broken.again()
    assert again.code == 0
    away = await asyncio.to_thread(run, "--server", "127.0.0.1:1", "deploy", tree, "-p", "web")
    assert "go on with it: longshore --server 127.0.0.1:1 deploy" in away.err
    assert "--deployment-id" in away.err


def test_what_is_refused_for_good_is_not_remembered(run: Run, state: Path, project: str, tree: Path) -> None:
    assert run("deploy", tree, "-p", project, "-e", "nowhere").code == 3
    assert run("deploy", tree, "-p", "No Project").code == 4
    assert run("deploy", tree).code == 2
    assert run("deploy", tree, "-p", project, "--sha256", "0" * 64).code == 4
    assert _files(state) == []


async def _bytes(data: bytes) -> AsyncIterator[bytes]:
    yield data
