"""Lists that are cut: the first rows, and a word on standard error where there are more."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

from .failing import remark
from .options import Limit
from .printer import Printer

_Row = TypeVar("_Row")


@asynccontextmanager
async def first_rows(
    read: Callable[[int | None], AsyncGenerator[_Row, None]],
    limit: Limit,
    printer: Printer,
    *,
    total: int | None = None,
) -> AsyncIterator[AsyncIterator[_Row]]:
    """The first rows of what ``read`` gives for a number of rows at most; None for all.

    Where there are more, the end of the block says so on standard error, to scripts too, which must not take
    a part for the whole, unless they said themselves how many they want. ``total`` is how many there are in
    all, of which not all may be kept.
    """
    shown = 0
    is_cut = False

    async def first() -> AsyncIterator[_Row]:
        nonlocal shown, is_cut
        async for row in rows:
            if shown == limit.rows:
                is_cut = True
                return
            shown += 1
            yield row

    # Whether there is one more is known when it was read.
    async with aclosing(read(limit.rows + 1 if limit.rows is not None else None)) as rows:
        yield first()
    more = f"{total - shown:,} more" if total is not None else "more"
    if limit.given and is_cut and not printer.for_people:
        return
    if is_cut:
        every = "all that are kept" if total is not None else "all"
        remark(f"… and {more}: {shown:,} shown; --limit N shows more, --limit all {every}")
    elif total is not None and total > shown:
        remark(f"… and {more}, which were only counted")
