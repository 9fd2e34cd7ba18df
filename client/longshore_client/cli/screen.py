"""What standard output and standard error can show: colours and moving bars, or plain lines only.

Plain is what goes to no terminal, to one that cannot move (``TERM=dumb``), or where ``NO_COLOR`` or
``--plain`` say so: lines without escapes and without bars.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import IO


def is_plain() -> bool:
    """Whether the surroundings ask for lines without escapes."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def moves(stream: IO[str], *, plain: bool) -> bool:
    """Whether bars may move on a stream."""
    return not plain and not is_plain() and stream.isatty()


def terminal_width() -> int | None:
    """The width of the terminal that standard output is, None where it is none."""
    if not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns
