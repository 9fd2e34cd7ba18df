"""What a burst leaves behind goes back to the system, though something still in use lies above it."""

from __future__ import annotations

import subprocess
import sys

# By itself: what this process has freed before would be in the way.
_NODE = """
import asyncio, os
from benchmarks.processes import resident_bytes
from longshore_server.memory import keep_freed_memory, keep_giving_back

PIECE, PIECES = 1 << 16, 3_000


def resident():
    return resident_bytes(os.getpid())


async def main():
    keep_freed_memory()
    before = resident()
    burst = [b"x" * PIECE for _ in range(PIECES)]
    last = burst[-1]
    del burst
    kept = resident() - before
    giving = asyncio.create_task(keep_giving_back(every_s=0.01))
    async with asyncio.timeout(20):
        while resident() - before > 16 << 20:
            await asyncio.sleep(0.01)
    giving.cancel()
    print(kept >= PIECE * PIECES // 2, len(last))


asyncio.run(main())
"""


def test_what_a_burst_leaves_is_given_back() -> None:
    told = subprocess.run([sys.executable, "-c", _NODE], capture_output=True, text=True, timeout=60)
    assert told.stdout == "True 65536\n", told.stderr
