"""What a process takes of the machine, as the kernel counts it (``/proc``, so Linux only)."""

from __future__ import annotations

import os
import re
from pathlib import Path

_TICKS_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Core-seconds that all threads of a process have used so far."""
    return _ticks(Path(f"/proc/{pid}/stat")) / _TICKS_S


def main_thread_cpu_s(pid: int) -> float:
    """Core-seconds of its first thread: in a process of ours, the event loop's."""
    return _ticks(Path(f"/proc/{pid}/task/{pid}/stat")) / _TICKS_S


def resident_bytes(pid: int) -> int:
    """What it has in memory now."""
    return _status_bytes(pid, "VmRSS")


def peak_bytes(pid: int) -> int:
    """The most it had in memory since it started, or since ``forget_peak``."""
    return _status_bytes(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """Let the peak be what is in memory now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _ticks(path: Path) -> int:
    # The name in brackets may hold spaces; user and system time are the 14th and 15th fields.
    fields = path.read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _status_bytes(pid: int, name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) << 10
