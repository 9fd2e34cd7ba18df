"""The standard streams as whoever called us left them: closed, full, or with a reader that goes away.

Invariants of the streams that are put in their places: what cannot be written to standard error is lost and
harms nothing, because messages are no result; what cannot be written to standard output is ``OutputLost``,
wherever in the program that happens.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STANDARD: Final = ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w"))


class OutputLost(Exception):
    """Standard output cannot be written; ``why`` tells what the system said, "" when its reader went away.

    No ``OSError``: nothing that handles files takes it for its own.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.why = "" if isinstance(error, BrokenPipeError) else (error.strerror or str(error))


def take_over() -> None:
    """Put streams with the invariants above in the places of the standard ones."""
    output: type[_Output] = _Output
    for number, name, mode in _STANDARD:
        # Else what is opened next, a connection say, would get its number.
        if getattr(sys, name) is None:
            _discard(number)
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 (stays open)
            if number == 1:
                output = _ClosedOutput
    sys.stdout = _text(output(sys.stdout.fileno(), "w", closefd=False), sys.stdout)
    sys.stderr = _text(_Messages(sys.stderr.fileno(), "w", closefd=False), sys.stderr)


def discard_output() -> None:
    """Let what is left of the output, which was lost, go where it is not lost once more."""
    _discard(sys.stdout.fileno())
    _ClosedOutput.takes_all = True


def _discard(number: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != number:
        os.dup2(null, number)
        os.close(null)


class _Output(io.FileIO):
    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OutputLost(error) from error


class _ClosedOutput(_Output):
    """Takes nothing until it is discarded: its number only leads nowhere so that nothing else gets it."""

    takes_all = False

    def write(self, data: ReadableBuffer, /) -> int:
        if self.takes_all:
            return super().write(data)
        raise OutputLost(OSError(errno.EBADF, os.strerror(errno.EBADF)))


class _Messages(io.FileIO):
    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def _text(raw: io.FileIO, like: object) -> io.TextIOWrapper:
    assert isinstance(like, io.TextIOWrapper)
    # A terminal that cannot show a character is no reason to fail.
    return io.TextIOWrapper(
        io.BufferedWriter(raw), like.encoding, "replace", line_buffering=like.line_buffering
    )
