"""The command line in this process, on a real terminal: what a process of its own shows, but at once."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from longshore_client.cli.program import run_program

_Result = TypeVar("_Result")

_LINES = 40
_QUESTIONS = (b"[y/N]", b"Token: ")


class Screen:
    """A terminal of so many columns that this process's standard streams lead to, one command at a time."""

    def __init__(self, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self._columns = columns
        self._monkeypatch = monkeypatch

    def run(self, *arguments: str | Path, typed: str = "") -> tuple[int, str]:
        """Run a command, and type when it asks: its exit code, and all that it wrote."""
        return self.shows(run_program, *arguments, typed=typed)

    def shows(
        self, work: Callable[[], _Result], *arguments: str | Path, typed: str = ""
    ) -> tuple[_Result, str]:
        """Do any other work there: what it gives, and all that it wrote."""
        with self._monkeypatch.context() as patch, _terminal(self._columns, typed) as read:
            for name in ("NO_COLOR", "COLUMNS", "LINES"):
                patch.delenv(name, raising=False)
            patch.setenv("TERM", "xterm-256color")
            patch.setattr(sys, "argv", ["longshore", *map(str, arguments)])
            for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
                mode = "r" if number == 0 else "w"
                stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 (stays open)
                patch.setattr(sys, name, stream)
                patch.setattr(sys, f"__{name}__", stream)
            result = work()
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
        return result, b"".join(read).decode()


@contextlib.contextmanager
def _terminal(columns: int, typed: str) -> Iterator[list[bytes]]:
    """Put a terminal in the place of the descriptors 0 to 2; what is read from it is whole at the end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, columns, 0, 0))
    read: list[bytes] = []

    def reader() -> None:
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:
                return
            if not data:
                return
            read.append(data)
            if any(question in data for question in _QUESTIONS):
                os.write(ours, typed.encode())

    thread = threading.Thread(target=reader)
    thread.start()
    kept = [os.dup(number) for number in range(3)]
    for number in range(3):
        os.dup2(theirs, number)
    os.close(theirs)
    try:
        yield read
    finally:
        for number, each in enumerate(kept):
            os.dup2(each, number)
            os.close(each)
        # The last descriptor of the other side is closed now.
        thread.join()
        os.close(ours)
