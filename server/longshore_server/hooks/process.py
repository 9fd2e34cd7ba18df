"""Runs one command of the node's settings: bounded in time and output, and never outlived by what it began.

A command is its own session and process group. Whatever of the group is left when the command itself has
ended, or when its time is over, or when this process dies, is killed. Its output is read as it comes,
but no faster than 40 MiB a second, so that a flood slows down who makes it and not the node; reading ends
with the command, not with the pipe, which something that left the group may hold for ever.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from longshore_server.unbroken import to_the_end
from longshore_server.wakeups import woken

from .output import OutputTail

# From SIGTERM to SIGKILL; as long is waited for what even SIGKILL does not end at once.
GRACE_S: Final = 5.0
_READ_BYTES: Final = 64 << 10
_PAUSE_AFTER_BYTES: Final = 1 << 20
_PAUSE_S: Final = 0.025
_POLL_S: Final = 0.02
_ROOT: Final = Path("/")
# Waits for the end of its input, which comes when the node is gone.
_GUARD: Final = 'read -r _; kill -s KILL -- "-$0"'


@dataclass(frozen=True, slots=True)
class CommandEnd:
    """How a command ended. ``exit_code`` is None where a signal, the clock or the system ended it."""

    exit_code: int | None
    how: str

    @property
    def well(self) -> bool:
        """Whether it ended with 0."""
        return self.exit_code == 0


async def run_command(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    timeout_s: float,
    output: OutputTail,
    grace_s: float = GRACE_S,
    folder: Path = _ROOT,
) -> CommandEnd:
    """Run a command to its end, with nothing on its standard input; both its outputs go to ``output``.

    It begins in ``folder``, from which a program that is named with a slash is looked for.

    When it is cancelled, the command's group is ended as at its time-out before the cancellation goes on.
    """
    readable, writable = os.pipe()
    try:
        try:
            process = _start(command, environment, writable, folder)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            return CommandEnd(None, f"could not be started: {reason or error}")
        finally:
            os.close(writable)
        with _guarded(process.pid), _read(readable, output):
            try:
                async with asyncio.timeout(timeout_s):
                    await _ended(process)
            except TimeoutError:
                await to_the_end(_end_group(process, grace_s))
                return CommandEnd(None, f"took longer than {timeout_s:g} s and was ended")
            except asyncio.CancelledError:
                await to_the_end(_end_group(process, grace_s))
                raise
            _kill(process.pid)
            return _how(process)
    finally:
        os.close(readable)


def _start(
    command: Sequence[str], environment: Mapping[str, str], writable: int, folder: Path
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=writable,
        stderr=writable,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )


async def _ended(process: subprocess.Popen[bytes]) -> None:
    """Wait until a process has ended. It is not reaped where that can be told without."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        # No Linux, or one before 5.3.
        while process.poll() is None:  # noqa: ASYNC110 (there is nothing that tells)
            await asyncio.sleep(_POLL_S)
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def _end_group(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """End a group: politely, then not."""
    _signal(process.pid, signal.SIGTERM)
    gone = asyncio.Event()
    waiting = asyncio.ensure_future(_ended(process))
    waiting.add_done_callback(lambda _: gone.set())
    await woken(gone, grace_s)
    _kill(process.pid)
    # What hangs in the kernel is left to it.
    await woken(gone, grace_s)
    waiting.cancel()
    process.poll()


def _kill(group: int) -> None:
    _signal(group, signal.SIGKILL)


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _how(process: subprocess.Popen[bytes]) -> CommandEnd:
    status = process.wait()
    if status >= 0:
        return CommandEnd(status, f"ended with exit code {status}")
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return CommandEnd(None, f"was ended by {name}")


@contextmanager
def _guarded(group: int) -> Iterator[None]:
    """Have the group killed should this process die within the block."""
    try:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, str(group)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={},
            start_new_session=True,
        )
    except OSError:
        # An image without a shell: there the end of the node is the end of all.
        yield
        return
    with guard:
        try:
            yield
        finally:
            guard.kill()


@contextmanager
def _read(descriptor: int, output: OutputTail) -> Iterator[None]:
    """Read what comes while the block runs, and at its end what is there."""
    reader = _Reader(descriptor, output)
    reader.go_on()
    try:
        yield
    finally:
        reader.finish()


class _Reader:
    def __init__(self, descriptor: int, output: OutputTail) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._output = output
        self._loop = asyncio.get_running_loop()
        self._since_pause_bytes = 0
        self._pause: asyncio.TimerHandle | None = None

    def go_on(self) -> None:
        self._since_pause_bytes = 0
        self._loop.add_reader(self._descriptor, self._read)

    def finish(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._descriptor)
        left_bytes = _PAUSE_AFTER_BYTES
        while left_bytes > 0 and (count := self._take()):
            left_bytes -= count

    def _read(self) -> None:
        count = self._take()
        if count is None:
            return
        self._since_pause_bytes += count
        if count == 0:
            self._loop.remove_reader(self._descriptor)
        elif self._since_pause_bytes >= _PAUSE_AFTER_BYTES:
            self._loop.remove_reader(self._descriptor)
            self._pause = self._loop.call_later(_PAUSE_S, self.go_on)

    def _take(self) -> int | None:
        """Take what is there; None when that is nothing just now, 0 when nothing more will come."""
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            # Somebody else read it first: a command may open its own output.
            return None
        self._output.add(data)
        return len(data)
