"""What the system lets a process have that is started as this one was."""

from __future__ import annotations

from typing import Final

from longshore_server.open_files import allowed_files

from .finding import Finding, State

# Fewer are soon taken by followers, dashboards and peers together.
_FEW_FILES: Final = 8_192


def look_at_open_files() -> Finding:
    """How many connections a node may have, by the files that it may open."""
    part = "open files"
    files = allowed_files()
    what = f"a node started from here may open {files:,}, so it takes {files // 2:,} connections"
    if files < _FEW_FILES:
        advice = "raise the hard limit: `LimitNOFILE=65536` in its unit, or `ulimit -n 65536` before"
        return Finding(part, State.WARN, what, advice)
    return Finding(part, State.OK, what)
