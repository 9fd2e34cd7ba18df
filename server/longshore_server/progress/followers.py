"""How many follow on a node: bounded together, and for each principal to half of that."""

from __future__ import annotations

from typing import Final

from longshore_server.access.shares import Shares
from longshore_server.refusal import Reason, Refusal

_COME_BACK_AFTER_S: Final = 5.0


def shares_of_followers(most: int) -> Shares:
    """The followers of a node, at most ``most``."""
    return Shares(most, "followers", _too_many)


def _too_many(why: str) -> Refusal:
    return Refusal(
        Reason.TOO_MANY_FOLLOWERS,
        f"{why}: follow at another one, or later",
        retry_after_s=_COME_BACK_AFTER_S,
    )
