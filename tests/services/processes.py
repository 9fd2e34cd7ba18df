"""A server of our own as a process: ``longshore serve``, until its block ends or a test breaks it.

Its environment is the tests' without any ``LONGSHORE_`` variable, plus what the test gives; its output
goes to files, whose tail is added to whatever fails inside the block.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from .child import Child, Command, StartError
from .ports import HOST

_POLL_S = 0.01
_LISTENING = re.compile(r"listening on (?P<host>\S+):(?P<port>\d+)\s*\n")


class ServerExitedError(StartError):
    """It ended before it listened; ``returncode``, ``stdout`` and ``stderr`` are what a person would see."""

    def __init__(self, child: Child) -> None:
        super().__init__(str(child.failed(f"ended with status {child.returncode} before it listened")))
        self.returncode = child.returncode
        self.stdout = child.stdout()
        self.stderr = child.stderr()


class ServerProcess:
    """A running server. ``address`` is ``HOST:PORT`` as its first line tells it."""

    def __init__(self, child: Child, data_dir: Path, host: str, port: int) -> None:
        self._child = child
        self.data_dir = data_dir
        self.host = host
        self.port = port

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.running

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self._child.returncode

    @property
    def stdout(self) -> str:
        """All it has written there so far."""
        return self._child.stdout()

    @property
    def stderr(self) -> str:
        """All it has written there so far."""
        return self._child.stderr()

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        self._child.send(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP: its connections stay open, its leases run out."""
        self._child.pause()

    def resume(self) -> None:
        self._child.resume()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._child.kill()

    async def wait(self, *, deadline_s: float = 20) -> int:
        """Wait until it has ended by itself; its status. Raises TimeoutError."""
        async with asyncio.timeout(deadline_s):
            while True:
                if (status := self._child.returncode) is not None:
                    return status
                await asyncio.sleep(_POLL_S)


@asynccontextmanager
async def serve(
    *,
    data_dir: Path,
    env: Mapping[str, str] | None = None,
    args: Sequence[str] = (),
    listen: str = f"{HOST}:0",
    program: Sequence[str] | None = None,
    deadline_s: float = 30,
) -> AsyncIterator[ServerProcess]:
    """Start a server, wait until it says where it listens, and end it with SIGTERM at the end.

    ``program`` is what is started in place of the installed ``longshore``. After a kill, the same
    ``data_dir`` given again starts the same node again.

    Raises:
        ServerExitedError: It ended before it listened.
        StartError: It did not listen, or in the end did not end, within ``deadline_s``.
    """
    with tempfile.TemporaryDirectory(prefix="longshore-server-") as logs:
        what = program or [str(Path(sys.executable).with_name("longshore"))]
        command = Command(
            name="server",
            argv=[*what, "serve", "--data-dir", str(data_dir), "--listen", listen, *args],
            folder=Path(logs),
            env={**_clean_environment(), **(env or {})},
        )
        child = Child(command)
        try:
            host, port = await _listening(child, deadline_s)
            server = ServerProcess(child, data_dir, host, port)
            yield server
            await _end(server, child, deadline_s)
        except BaseException as error:
            error.add_note(child.log_tail())
            raise
        finally:
            child.end_all()


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("LONGSHORE_")}


async def _listening(child: Child, deadline_s: float) -> tuple[str, int]:
    deadline = time.monotonic() + deadline_s
    while True:
        # Asked first: what it wrote before it ended must be seen.
        running = child.running
        if match := _LISTENING.match(child.stdout()):
            return match["host"], int(match["port"])
        if not running:
            raise ServerExitedError(child)
        if time.monotonic() > deadline:
            raise child.failed(f"did not say where it listens within {deadline_s:g} s")
        await asyncio.sleep(_POLL_S)


async def _end(server: ServerProcess, child: Child, deadline_s: float) -> None:
    server.terminate()
    server.resume()
    try:
        await server.wait(deadline_s=deadline_s)
    except TimeoutError:
        raise child.failed(f"did not end within {deadline_s:g} s of SIGTERM") from None
