"""Page tokens: the place where the next page begins, bound to the filters and the caller.

A token is the base64 of a small JSON list and a digest of call, filters and caller; one that was made for
other filters is refused instead of giving a page that mixes two lists. It holds no secret, so it is not
signed: whoever forges one reaches only what the same call would show anyway.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence

from longshore_server.refusal import Reason, Refusal, invalid

DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE_SIZE = 500
# What a database's integer column can be compared with.
_LARGEST_NUMBER = (1 << 63) - 1


def page_size(asked: int) -> int:
    """The number of rows on a page; 0 means the default. Raises ``Refusal`` beyond the limits."""
    if asked < 0 or asked > LARGEST_PAGE_SIZE:
        raise invalid("page_size", f"must be 1 to {LARGEST_PAGE_SIZE}, or 0 for {DEFAULT_PAGE_SIZE}")
    return asked or DEFAULT_PAGE_SIZE


class PageToken:
    """Makes and reads the tokens of one call with its filters."""

    def __init__(self, call: str, principal: str, filters: Sequence[object]) -> None:
        text = json.dumps([call, principal, *map(str, filters)])
        self._binding = hashlib.sha256(text.encode()).hexdigest()[:16]

    def make(self, place: Sequence[str | int]) -> str:
        """The token of the page that begins behind ``place``."""
        text = json.dumps([self._binding, *place], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def read(self, token: str, types: Sequence[type]) -> list[str | int] | None:
        """The place that a token names, None for the first page; raises ``Refusal`` for a foreign one."""
        if not token:
            return None
        try:
            padded = token + "=" * (-len(token) % 4)
            place: list[str | int]
            binding, *place = json.loads(base64.urlsafe_b64decode(padded.encode()))
        except (ValueError, TypeError, binascii.Error, RecursionError):
            raise _foreign() from None
        if binding != self._binding or [type(value) for value in place] != list(types):
            raise _foreign()
        if any(isinstance(value, str) and not _is_text(value) for value in place):
            raise _foreign()
        if any(isinstance(value, int) and abs(value) > _LARGEST_NUMBER for value in place):
            raise _foreign()
        return place


def _is_text(value: str) -> bool:
    """Whether both databases can compare with it."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def _foreign() -> Refusal:
    return Refusal(
        Reason.INVALID_PAGE_TOKEN,
        "page_token: not made for this call with these filters; start again without it",
        violations={"page_token": "not made for this call with these filters"},
    )
