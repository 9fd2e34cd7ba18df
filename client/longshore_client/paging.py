"""Iterating over a list that the server gives page by page."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Final, TypeVar

_LARGEST_PAGE: Final = 500

_Item = TypeVar("_Item")


async def items_of_pages(
    read_page: Callable[[int, str], Awaitable[tuple[Iterable[_Item], str]]], limit: int | None
) -> AsyncGenerator[_Item, None]:
    """The items of all pages in turn, at most ``limit`` of them.

    ``read_page`` gets a page's size and token ("" for the first) and gives its items and the next token
    ("" on the last). A page is read when its first item is asked for.
    """
    left = limit
    token = ""
    while left is None or left > 0:
        size = _LARGEST_PAGE if left is None else min(left, _LARGEST_PAGE)
        page, token = await read_page(size, token)
        for item in page:
            yield item
            if left is not None:
                left -= 1
        if not token:
            return
