"""The command line on a terminal of its own, with somebody who types."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("longshore"))
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ENDS_WITHIN_S = 30
_LAST_CHARACTERS = 2_000
CTRL_C = "\x03"
CTRL_D = "\x04"


class Terminal:
    """Runs ``longshore`` with ``arguments`` on a terminal of so many columns."""

    def __init__(self, columns: int, arguments: list[str], **environment: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
        # A session whose terminal it is: what is typed as Ctrl-C then interrupts it.
        become_the_terminals = [sys.executable, "-c", _TAKE_THE_TERMINAL]
        self._running = subprocess.Popen(
            [*become_the_terminals, PROGRAM, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**kept, "TERM": "xterm-256color", **environment},
            start_new_session=True,
        )
        os.close(theirs)
        self._written = b""
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._running.pid

    def wait_for(self, words: str, *, times: int = 1) -> None:
        """Wait until it has written ``words``, so many times."""
        with self._more:
            written = self._more.wait_for(lambda: self._shown().count(words) >= times, _ENDS_WITHIN_S)
            assert written, self._shown()[-_LAST_CHARACTERS:]

    def wait_until_it_reads(self) -> None:
        """Wait until it sleeps. What interrupts Python in the moment before, it only hears of after a key."""
        deadline = time.monotonic() + _ENDS_WITHIN_S
        while Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def kill(self) -> None:
        self._running.kill()

    def ended(self) -> tuple[int, str]:
        """Wait until it has ended: its exit code, and all that it wrote."""
        try:
            code = self._running.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired as error:
            self._running.kill()
            self._running.wait()
            error.add_note(self._shown()[-_LAST_CHARACTERS:])
            raise
        self._reader.join()
        os.close(self._ours)
        return code, self._written.decode()

    def _shown(self) -> str:
        return self._written.decode(errors="replace")

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._ours, 65536)
            except OSError:
                return
            if not data:
                return
            with self._more:
                self._written += data
                self._more.notify_all()


_TAKE_THE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def on_terminal(columns: int, arguments: list[str], **environment: str) -> tuple[int, str]:
    """Run it to its end: its exit code, and all that it wrote."""
    return Terminal(columns, arguments, **environment).ended()


def lines_of(written: str) -> list[str]:
    """What was drawn, line by line, without what moves and colours it."""
    return [_ESCAPE.sub("", line) for line in re.split(r"[\r\n]+", written)]
