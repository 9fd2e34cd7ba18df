"""How a node's process handles memory: what glibc keeps of it, and what Python's collector looks at.

Bytes of an upload live for a moment each, in pieces of 64 KiB to 1 MiB. Left alone, glibc gives such pieces
back to the system and gets them anew, zeroed page by page: measured, receiving took half as much time again,
and the pieces freed in other threads' arenas made the peak a third higher.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import Callable
from typing import Final

_MIB: Final = 1024 * 1024
# mallopt(3)
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_GIVEN_BACK_EVERY_S: Final = 30.0


def keep_freed_memory() -> None:
    """Let glibc keep up to 128 MiB that were freed, in one arena; does nothing where there is no glibc."""
    mallopt = _of_glibc("mallopt")
    if mallopt is None:
        return
    for parameter, value in (
        (_M_TRIM_THRESHOLD, 128 * _MIB),
        (_M_MMAP_THRESHOLD, 32 * _MIB),
        (_M_ARENA_MAX, 1),
    ):
        mallopt(parameter, value)


def give_back_freed() -> None:
    """Give all that was freed back to the system; for before long work whose pieces are of another size.

    What an upload leaves behind has holes that the large batches of a reader do not fit into: kept, its pages
    and theirs add up. Does nothing where there is no glibc. Takes milliseconds.
    """
    malloc_trim = _of_glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


async def keep_giving_back(*, every_s: float = _GIVEN_BACK_EVERY_S) -> None:
    """Give back what bursts leave behind, until cancelled: else a node stays as large as it once was.

    Rarely enough that an upload, which has what it frees back at once, is not slower for it.
    """
    while True:
        await asyncio.sleep(every_s)
        await asyncio.to_thread(give_back_freed)


def _of_glibc(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None)


def spare_what_stays() -> None:
    """Let Python's collector no longer look at what there is: modules and the node live to the end."""
    gc.collect()
    gc.freeze()
