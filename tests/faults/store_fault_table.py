"""Everything that a blob store is made to do wrong, and what one call on it comes to: one line a fault.

``once`` and ``always`` tell what becomes of a call whose first request, or whose every request, is hit.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from longshore_storage.errors import (
    BlobNotFound,
    BlobStoreFull,
    BlobStoreUnavailable,
    CorruptBlob,
    Misconfigured,
    StorageError,
)
from tests.services.store_faults import (
    CutsAnswer,
    CutsRequest,
    Delays,
    Doubles,
    Drops,
    FlipsAnswer,
    FlipsRequest,
    Hangs,
    LosesAnswer,
    Misplaces,
    Says,
    Shortens,
    Sips,
    Swallows,
    Trickles,
    Zeros,
)
from tests.services.store_proxy import StoreFault


class Good(Enum):
    """A call that ends well."""

    AT_ONCE = auto()
    """Nothing is noticed, which is as it should be."""
    AGAIN = auto()
    """It was tried again."""
    DECEIVED = auto()
    """Nothing is noticed, though it is not as it should be: whoever reads must find it."""


Outcome = Good | type[StorageError]


@dataclass(frozen=True)
class Case:
    """A fault, the operations that it can happen to, and what comes of it."""

    name: str
    fault: StoreFault
    operations: tuple[str, ...]
    once: Outcome
    always: Outcome
    comes_up: bool = True
    """False where another case stands for it in whatever is built on single calls."""

    def __str__(self) -> str:
        return self.name

    @property
    def hurts_reading(self) -> bool:
        """Whether what is read is wrong or missing, so that it looks like damage."""
        return "get" in self.operations and self.always in (Good.DECEIVED, CorruptBlob, BlobNotFound)


ALL = ("put", "get", "stat", "list", "delete")
PUT, GET = ("put",), ("get",)
AGAIN, AT_ONCE, DECEIVED = Good.AGAIN, Good.AT_ONCE, Good.DECEIVED
AWAY, FULL = BlobStoreUnavailable, BlobStoreFull

CASES = (
    Case("hangs", Hangs(), ALL, AGAIN, AWAY),
    Case("hangs without reading", Hangs(unread=True), PUT, AGAIN, AWAY, comes_up=False),
    Case("hangs up", Drops(), ALL, AGAIN, AWAY),
    Case("resets", Drops(reset=True), ALL, AGAIN, AWAY, comes_up=False),
    Case("500", Says(500, "InternalError"), ALL, AGAIN, AWAY, comes_up=False),
    Case("503", Says(503, "SlowDown"), ALL, AGAIN, AWAY),
    Case("503 before the body", Says(503, "SlowDown", at_once=True), PUT, AGAIN, AWAY, comes_up=False),
    Case("a balancer's 502", Says(502), ALL, AGAIN, AWAY, comes_up=False),
    Case("400 for a slow body", Says(400, "RequestTimeout"), PUT, AGAIN, AWAY, comes_up=False),
    Case("full", Says(507, "XMinioStorageFull"), PUT, FULL, FULL),
    Case("full at once", Says(507, "XMinioStorageFull", True), PUT, FULL, FULL, comes_up=False),
    Case("denied", Says(403, "AccessDenied"), ALL, Misconfigured, Misconfigured),
    Case("late", Delays(0.1), ALL, AT_ONCE, AT_ONCE, comes_up=False),
    Case("slow to give", Trickles(400_000), GET, AT_ONCE, AT_ONCE),
    Case("slow to take", Sips(2_000_000), PUT, AT_ONCE, AT_ONCE),
    Case("doubled", Doubles(), ALL, AT_ONCE, AT_ONCE, comes_up=False),
    Case("request cut short", CutsRequest(), PUT, AGAIN, AWAY),
    Case("answer cut short", CutsAnswer(), ("get", "list"), AGAIN, AWAY),
    Case("answer reset in the middle", CutsAnswer(reset=True), ("get", "list"), AGAIN, AWAY, comes_up=False),
    Case("answer of nothing but a head", CutsAnswer(share=0), ("get", "list"), AGAIN, AWAY, comes_up=False),
    Case("done, the answer lost", LosesAnswer(), ("put", "delete"), AGAIN, AWAY),
    Case("done, and 500 said", LosesAnswer(500), ("put", "delete"), AGAIN, AWAY, comes_up=False),
    Case("bit flipped on its way in", FlipsRequest(), PUT, AGAIN, AWAY),
    Case("bit flipped on its way out", FlipsAnswer(), GET, DECEIVED, DECEIVED),
    Case("zeros", Zeros(), GET, DECEIVED, DECEIVED, comes_up=False),
    Case("bytes in wrong places", Misplaces(), GET, DECEIVED, DECEIVED),
    Case("shorter than asked for", Shortens(), GET, CorruptBlob, CorruptBlob),
    Case("not found", Says(404, "NoSuchKey"), ("get", "stat"), BlobNotFound, BlobNotFound),
    Case("never stored", Swallows(), PUT, DECEIVED, DECEIVED),
)
