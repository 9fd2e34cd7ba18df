"""One process started for the tests: its log files, its signals, and that it never outlives us.

A child runs in a session of its own, so that Ctrl-C in the terminal reaches pytest alone and the child is
stopped in order by whoever started it. It is started through ``launcher``, which has the kernel end it
when pytest itself is killed. Its environment is what the caller says, never what the developer exported.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

_LAUNCHER = Path(__file__).with_name("launcher.py")
_TAIL_LINES = 30
_POLL_S = 0.01

# The kernel ties a child to the thread that started it. A thread of asyncio's pool ends with its loop, so
# all children are started by one thread that ends with the interpreter.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="service-starter")


class StartError(Exception):
    """A process ended, or said nothing, before it was ready; the message carries the tail of its log."""


@dataclass(frozen=True, slots=True)
class Account:
    """The user and group a process runs as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Command:
    """What to start. ``death_signal`` is what it gets when the test session has died."""

    name: str
    argv: Sequence[str]
    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    death_signal: signal.Signals = signal.SIGKILL

    @property
    def stdout_path(self) -> Path:
        return self.folder / f"{self.name}.out"

    @property
    def stderr_path(self) -> Path:
        return self.folder / f"{self.name}.err"

    @property
    def logs(self) -> tuple[Path, Path]:
        return self.stdout_path, self.stderr_path


class Child:
    """A started process. ``kill``, ``terminate``, ``pause`` and ``resume`` act on it alone, not its kin."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self._written_before = {path: path.stat().st_size if path.exists() else 0 for path in command.logs}
        self._process = _starter.submit(self._start).result()

    def _start(self) -> subprocess.Popen[bytes]:
        command = self.command
        account = command.account
        owner = [str(account.uid), str(account.gid)] if account else ["-1", "-1"]
        launch = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), *owner]
        env = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", **command.env}
        # Appending, so that the log of a service that is started again keeps what happened before.
        with command.stdout_path.open("ab") as out, command.stderr_path.open("ab") as err:
            return subprocess.Popen(
                [*launch, str(int(command.death_signal)), *command.argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=env,
                cwd=command.folder,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self._process.poll()

    @property
    def running(self) -> bool:
        return self.returncode is None

    def send(self, number: signal.Signals) -> None:
        if self.running:
            self._process.send_signal(number)

    def pause(self) -> None:
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        self.send(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.send(signal.SIGKILL)
        self._process.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM, *, deadline_s: float = 20) -> None:
        """Ask it to end and wait; SIGKILL when it does not end in time."""
        self.send(number)
        self.resume()
        try:
            self._process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def end_all(self) -> None:
        """SIGKILL to it and to whatever it started in its session, as the last step."""
        if self.running:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def stdout(self) -> str:
        """All it has written there so far."""
        return self._written(self.command.stdout_path)

    def stderr(self) -> str:
        """All it has written there so far."""
        return self._written(self.command.stderr_path)

    def _written(self, path: Path) -> str:
        return path.read_bytes()[self._written_before[path] :].decode(errors="replace")

    def log_tail(self) -> str:
        """The last lines of both logs, for people."""
        parts = []
        for path in self.command.logs:
            lines = self._written(path).splitlines()[-_TAIL_LINES:]
            if lines:
                parts.append("\n".join([f"--- {path.name}", *lines]))
        return "\n".join(parts) or "(it wrote nothing)"

    def failed(self, what: str) -> StartError:
        return StartError(f"{self.command.name} {what}\n{self.log_tail()}")

    def wait_until_ready(self, ask: Callable[[], bool], *, deadline_s: float = 60) -> None:
        """Ask until the answer is yes; ``ask`` may raise OSError while nobody listens."""
        deadline = time.monotonic() + deadline_s
        while True:
            if not self.running:
                raise self.failed(f"ended with status {self.returncode} before it was ready")
            try:
                if ask():
                    return
                last = "it answers, but is not ready"
            except OSError as error:
                last = str(error)
            if time.monotonic() > deadline:
                raise self.failed(f"was not ready within {deadline_s:g} s ({last})")
            time.sleep(_POLL_S)
