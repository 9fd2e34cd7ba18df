"""A server process in a test: started, broken, ended, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.services.child import StartError
from tests.services.processes import ServerExitedError, ServerProcess, serve

# Says where it listens, then answers each connection with its LONGSHORE_ variables until SIGTERM.
SERVER = """
import os, signal, socket, sys
print("a log line", file=sys.stderr)
listener = socket.create_server(("127.0.0.1", 0))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("listening on 127.0.0.1:%d" % listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    ours = sorted(name for name in os.environ if name.startswith("LONGSHORE_"))
    connection.sendall(" ".join([*sys.argv[1:], *ours]).encode())
    connection.close()
"""


def program(tmp_path: Path, text: str = SERVER) -> list[str]:
    path = tmp_path / "server.py"
    path.write_text(text)
    return [sys.executable, str(path)]


async def answer(server: ServerProcess, *, deadline_s: float = 5) -> str:
    async with asyncio.timeout(deadline_s):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        try:
            return (await reader.read()).decode()
        finally:
            writer.close()


async def test_it_listens_where_it_says_and_ends_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGSHORE_OF_THE_DEVELOPER", "1")
    async with serve(
        data_dir=tmp_path, program=program(tmp_path), env={"LONGSHORE_NODE__NAME": "a"}, args=["--more"]
    ) as server:
        said = await answer(server)
        assert server.address == f"127.0.0.1:{server.port}"
    assert said == f"serve --data-dir {tmp_path} --listen 127.0.0.1:0 --more LONGSHORE_NODE__NAME"
    assert server.returncode == 0


async def test_one_that_ends_at_once_shows_what_a_person_would_see(tmp_path: Path) -> None:
    text = "import sys; print('starting'); sys.exit('the port is taken')"
    with pytest.raises(ServerExitedError, match="the port is taken") as failure:
        async with serve(data_dir=tmp_path, program=program(tmp_path, text)):
            pass
    assert failure.value.returncode == 1
    assert failure.value.stderr == "the port is taken\n"
    assert failure.value.stdout == "starting\n"


async def test_one_that_never_listens_is_ended(tmp_path: Path) -> None:
    text = "import os, signal; print('pid', os.getpid(), flush=True); signal.pause()"
    with pytest.raises(StartError, match="did not say where it listens") as failure:
        async with serve(data_dir=tmp_path, program=program(tmp_path, text), deadline_s=0.5):
            pass
    pid = int(str(failure.value).partition("pid ")[2].split()[0])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_kill_is_seen_and_the_block_ends_well(tmp_path: Path) -> None:
    async with serve(data_dir=tmp_path, program=program(tmp_path)) as server:
        server.kill()
        assert not server.running
        with pytest.raises(ConnectionError):
            await answer(server)
    assert server.returncode == -signal.SIGKILL


async def test_a_paused_server_answers_when_it_is_resumed(tmp_path: Path) -> None:
    async with serve(data_dir=tmp_path, program=program(tmp_path)) as server:
        server.pause()
        with pytest.raises(TimeoutError):
            await answer(server, deadline_s=0.2)
        server.resume()
        assert await answer(server)
        server.pause()
    assert server.returncode == 0, "resumed to be ended in order"


async def test_terminate_ends_it_in_order(tmp_path: Path) -> None:
    async with serve(data_dir=tmp_path, program=program(tmp_path)) as server:
        server.terminate()
        assert await server.wait() == 0


async def test_one_that_does_not_end_fails_the_test_and_is_killed(tmp_path: Path) -> None:
    deaf = SERVER.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")
    with pytest.raises(StartError, match=r"did not end within 0\.5 s of SIGTERM"):
        async with serve(data_dir=tmp_path, program=program(tmp_path, deaf), deadline_s=0.5) as server:
            pass
    assert server.returncode == -signal.SIGKILL


async def test_a_failure_inside_the_block_carries_the_log(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="of the test") as failure:
        async with serve(data_dir=tmp_path, program=program(tmp_path)) as server:
            raise ValueError("of the test")
    assert "a log line" in "".join(failure.value.__notes__)
    assert not server.running
