"""What a run of collecting removed, or would have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from longshore_storage.catalogue.garbage import Dropped, StoredObject


@dataclass(slots=True)
class CollectingReport:
    """Numbers of rows, objects and bytes, in the order of the steps.

    ``reclaimed_bytes`` are payloads as deployed, the other bytes are stored ones, manifests about. What is
    condemned in one run is removed by a later one, after the grace. ``orphans_skipped`` says why none were
    looked for; empty when they were.
    """

    uploads_given_up: int = 0
    releases_reclaimed: int = 0
    reclaimed_bytes: int = 0
    payloads_dropped: int = 0
    drafts_dropped: int = 0
    pack_files_dropped: int = 0
    chunks_dropped: int = 0
    objects_condemned: int = 0
    condemned_bytes: int = 0
    orphans_found: int = 0
    orphan_bytes: int = 0
    objects_removed: int = 0
    removed_bytes: int = 0
    events_dropped: int = 0
    hook_outputs_dropped: int = 0
    orphans_skipped: str = ""

    @property
    def counts(self) -> Mapping[str, int]:
        """How many of what, without sizes."""
        return {
            name: count
            for name, count in asdict(self).items()
            if isinstance(count, int) and not name.endswith("_bytes")
        }

    def add_payloads(self, dropped: Dropped) -> None:
        """Count payloads that went."""
        self.payloads_dropped += dropped.rows
        self.add_condemned(dropped)

    def add_drafts(self, dropped: Dropped) -> None:
        """Count manifests that nobody named."""
        self.drafts_dropped += dropped.rows
        self.add_condemned(dropped)

    def add_packs(self, dropped: Dropped) -> None:
        """Count pack files that went."""
        self.pack_files_dropped += dropped.rows
        self.chunks_dropped += dropped.chunks
        self.add_condemned(dropped)

    def add_orphans(self, orphans: Sequence[StoredObject]) -> None:
        """Count objects that were found without a row."""
        self.orphans_found += len(orphans)
        self.orphan_bytes += sum(orphan.size_bytes for orphan in orphans)

    def add_condemned(self, dropped: Dropped) -> None:
        """Count objects that are to be removed."""
        self.objects_condemned += dropped.objects
        self.condemned_bytes += dropped.size_bytes
