"""``longshore``, with a clock on its stages: where a client's or a node's core-seconds go.

A program: ``python -m benchmarks.stages ARG...`` is ``longshore ARG...`` that writes the core-seconds of its
stages, in JSON, into the file that ``BENCHMARK_STAGES`` names, when it ends. The clocks are put around the
functions at the packages' borders before anything else imports them; a name that is gone is an error. What
no clock covers (receiving and sending, the event loop, rows) is the process's total less these.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import urllib3

VARIABLE = "BENCHMARK_STAGES"
STAGES = ("hashing", "cutting", "compressing", "putting")

_spent_ns: Counter[str] = Counter()
_lock = threading.Lock()


def _clocked(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        # A thread's own time: waiting, for the interpreter's lock too, is not counted.
        begun = time.thread_time_ns()
        try:
            return function(*args, **kwargs)
        finally:
            spent = time.thread_time_ns() - begun
            with _lock:
                _spent_ns[stage] += spent

    return run


class _ClockedHash:
    """A hash whose updates are clocked; its methods are those of hashlib's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._hash = _sha256(*args, **kwargs)
        self.update = _clocked("hashing", self._hash.update)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._hash, name)


_sha256 = hashlib.sha256


def install() -> None:
    """Put the clocks on. Called once, before the rest of Longshore is imported."""
    import longshore_chunks as chunks

    hashlib.sha256 = _ClockedHash  # type: ignore[assignment]
    _replace(chunks, "chunk_digest", "hashing")
    for name in ("encode", "decode", "decode_untrusted"):
        _replace(chunks, name, "compressing")
    for name in ("feed", "cut_here", "finish"):
        setattr(chunks.Cutter, name, _clocked("cutting", getattr(chunks.Cutter, name)))
    urllib3.PoolManager.urlopen = _clocked("putting", urllib3.PoolManager.urlopen)  # type: ignore[method-assign]


def _replace(package: ModuleType, name: str, stage: str) -> None:
    """Put a clock on a function wherever its package holds it."""
    original = getattr(package, name)
    clocked = _clocked(stage, original)
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] == package.__name__ and getattr(module, name, None) is original:
            setattr(module, name, clocked)


def read(path: Path) -> dict[str, float]:
    """The core-seconds by stage that a program has written."""
    spent: dict[str, float] = json.loads(path.read_text())
    return spent


def main() -> None:
    install()
    path = Path(os.environ[VARIABLE])
    atexit.register(lambda: path.write_text(json.dumps({stage: _spent_ns[stage] / 1e9 for stage in STAGES})))
    from longshore_client.cli import main as longshore

    longshore()


if __name__ == "__main__":
    main()
