"""Heads in the blob store that the database has not sealed: its chain was written anew, or it was restored.

Both look the same, and only a person knows whether there was a restore. What that explains are the heads that
were sealed after the backup was taken and before it was restored. Their time is part of what a head is the
digest of, so whoever writes the database cannot have others take them for such.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from longshore_storage.ports import BlobStore

from .anchors import Anchor, OtherChain, other_chains, sealed_at
from .findings import Fault, Finding

# A seal takes its time a little before it can be seen.
_BEFORE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Restoration:
    """At ``restored`` the database became what it had been at ``backup``."""

    backup: datetime
    restored: datetime

    def explains(self, sealed: datetime | None) -> bool:
        """Whether a head that was sealed then is one that the restored database cannot have."""
        return sealed is not None and self.backup - _BEFORE <= sealed <= self.restored


async def forked(
    blobs: BlobStore, chain: str, anchor: Anchor, restorations: Collection[Restoration]
) -> Finding:
    """What there is to say of an anchored head of this chain that is not the seal's of its number."""
    sealed = await sealed_at(blobs, chain, anchor)
    return Finding(
        Fault.FORKED,
        anchor.number,
        None,
        f"the head {anchor.head[:12]}… is anchored, {_when(sealed)}, and the database has not sealed it: "
        "its chain was written anew, or it was restored from a backup",
        expected=any(each.explains(sealed) for each in restorations),
    )


async def forked_chains(
    blobs: BlobStore, chain: str, restorations: Collection[Restoration]
) -> AsyncGenerator[Finding, None]:
    """A finding for each other chain as a whole: of a database that was here before, or is here, too."""
    for other in await other_chains(blobs, chain):
        times = [await sealed_at(blobs, other.chain, anchor) for anchor in (other.first, other.last)]
        yield Finding(
            Fault.FORKED,
            0,
            None,
            f"{_counted(other)} anchored of the chain {other.chain}, the last one {_when(times[1])}, and the "
            "database has another chain: it was begun anew, or the blob store is another database's, too",
            expected=any(all(map(each.explains, times)) for each in restorations),
        )


def _counted(other: OtherChain) -> str:
    return "one head is" if other.heads == 1 else f"{other.heads} heads are"


def _when(sealed: datetime | None) -> str:
    return f"sealed at {sealed:%Y-%m-%dT%H:%M:%SZ}" if sealed else "with no time that is its own"
