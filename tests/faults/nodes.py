"""Nodes as processes for the tests of faults: quick to start, and ended with whoever asked for them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from tests.services.child import Child, Command

_ROOT = Path(__file__).resolve().parents[2]
_LISTENING = re.compile(r"listening on (?P<address>\S+:\d+)\s*\n")
_POLL_S = 0.01
_TAIL_LINES = 40
_AS_IT_IS: Final[Mapping[str, Any]] = MappingProxyType(
    {"crash": "", "driving": "", "compare_every_s": None, "small_packs": False, "revisions": ""}
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended (negative: by a signal), and what a person has seen of it."""

    status: int
    stdout: str
    stderr: str


class EndedTooEarly(Exception):
    """The node ended before it listened."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(f"status {ended.status}\n{ended.stdout}\n{ended.stderr}")
        self.ended = ended


class NodeProcess:
    """A node that was started; ``status`` is done when it has ended."""

    def __init__(self, pid: int, data_dir: Path, logs: tuple[Path, Path], status: asyncio.Task[int]) -> None:
        self.pid = pid
        self.data_dir = data_dir
        self.address = ""
        self._logs = logs
        self._status = status

    @property
    def running(self) -> bool:
        return not self._status.done()

    @property
    def stdout(self) -> str:
        return _written(self._logs[0])

    @property
    def stderr(self) -> str:
        return _written(self._logs[1])

    def send(self, number: signal.Signals) -> None:
        if self.running:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.send(signal.SIGKILL)
        await self.ended()

    async def ended(self, *, deadline_s: float = 40) -> Ended:
        """Wait until it has ended by itself. Raises ``TimeoutError``."""
        status = await asyncio.wait_for(asyncio.shield(self._status), deadline_s)
        return Ended(status, self.stdout, self.stderr)

    async def logged(self, words: str, *, times: int = 1, deadline_s: float = 20) -> None:
        """Wait until its log has told ``words`` so often."""
        async with asyncio.timeout(deadline_s):
            while True:
                if self.stderr.count(words) >= times:
                    return
                await asyncio.sleep(_POLL_S)

    def log_tail(self) -> str:
        lines = [*self.stdout.splitlines(), *self.stderr.splitlines()][-_TAIL_LINES:]
        return "\n".join(["--- node", *lines])


class Nursery:
    """Asks ``node_nursery`` for nodes."""

    def __init__(self, socket: Path, folder: Path) -> None:
        self._socket = socket
        self._folder = folder

    async def run(
        self,
        *argv: str,
        env: Mapping[str, str] | None = None,
        uid: int | None = None,
        revisions: Path | None = None,
        crash: str = "",
        data_dir: Path | None = None,
        deadline_s: float = 15,
    ) -> Ended:
        """Run ``longshore`` with ``argv`` to its end. Raises ``TimeoutError``.

        Steps on the disk, for a ``crash``, are counted in ``data_dir``.
        """
        wishes = {**_AS_IT_IS, "revisions": str(revisions or ""), "crash": crash}
        async with self._process(argv, data_dir or self._folder, env or {}, wishes, uid=uid) as program:
            return await program.ended(deadline_s=deadline_s)

    @asynccontextmanager
    async def serve(
        self,
        data_dir: Path,
        *args: str,
        env: Mapping[str, str] | None = None,
        crash: str = "",
        driving: str = "",
        compare_every_s: float | None = None,
        small_packs: bool = False,
        revisions: Path | None = None,
        deadline_s: float = 40,
    ) -> AsyncIterator[NodeProcess]:
        """Run a node for as long as the block does; it is ended by SIGTERM, with status 0.

        One with a ``crash`` may end as it likes, and makes ``small_packs`` anyway. One with ``revisions``
        knows those of the database in that folder besides. Raises ``EndedTooEarly``.
        """
        argv = ["serve", "--data-dir", str(data_dir), "--listen", "127.0.0.1:0", *args]
        wishes = {
            "crash": crash,
            "driving": driving,
            "compare_every_s": compare_every_s,
            "small_packs": small_packs,
            "revisions": str(revisions or ""),
        }
        async with self._process(argv, data_dir, env or {}, wishes) as node:
            async with asyncio.timeout(deadline_s):
                while not (match := _LISTENING.match(node.stdout)):
                    if not node.running:
                        raise EndedTooEarly(await node.ended())
                    await asyncio.sleep(_POLL_S)
            node.address = match["address"]
            yield node
            if node.running:
                node.send(signal.SIGTERM)
                node.send(signal.SIGCONT)
                ended = await node.ended(deadline_s=deadline_s)
                assert ended.status == 0 or crash, f"it ended with status {ended.status}"

    @asynccontextmanager
    async def _process(
        self,
        argv: Sequence[str],
        data_dir: Path,
        env: Mapping[str, str],
        wishes: Mapping[str, Any] = _AS_IT_IS,
        *,
        uid: int | None = None,
    ) -> AsyncIterator[NodeProcess]:
        name = uuid.uuid4().hex
        logs = (self._folder / f"{name}.out", self._folder / f"{name}.err")
        wish = {
            "argv": list(argv),
            "env": dict(env),
            "stdout": str(logs[0]),
            "stderr": str(logs[1]),
            "data_dir": str(data_dir),
            "uid": uid,
            **wishes,
        }
        reader, writer = await asyncio.open_unix_connection(str(self._socket))
        writer.write(json.dumps(wish).encode() + b"\n")
        pid = int((await reader.readline()).split()[1])
        node = NodeProcess(pid, data_dir, logs, asyncio.create_task(_status(reader)))
        try:
            yield node
        except BaseException as error:
            error.add_note(node.log_tail())
            raise
        finally:
            await node.kill()
            writer.close()


@contextmanager
def node_nursery(folder: Path) -> Iterator[Nursery]:
    """Start the nursery; its socket and all logs are in ``folder``."""
    socket = folder / "nursery"
    command = Command(
        name="nursery",
        argv=[sys.executable, "-m", "tests.faults.node_nursery", str(socket)],
        folder=folder,
        # What the program sets itself before it imports gRPC, which here is imported long before.
        env={"PYTHONPATH": str(_ROOT), "GRPC_VERBOSITY": "NONE"},
    )
    child = Child(command)
    try:
        child.wait_until_ready(socket.exists)
        yield Nursery(socket, folder)
    finally:
        child.end_all()


async def _status(reader: asyncio.StreamReader) -> int:
    return int((await reader.readline()).split()[1])


def _written(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
