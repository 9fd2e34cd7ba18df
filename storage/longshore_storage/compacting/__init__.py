"""Compacting: pack files of which less than half is used are emptied, so that collecting can remove them.

``Compaction`` moves what payloads still use into new pack files and gives those payloads new manifests. It
removes nothing itself: a pack file that nothing names any more is garbage like any other.
"""

from .compaction import Compaction, CompactionProgress
from .planning import CompactionPlan

__all__ = ["Compaction", "CompactionPlan", "CompactionProgress"]
