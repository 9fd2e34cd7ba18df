"""Registries: indexes that say which packs there are, in which versions, and where they are fetched from.

Pure: bytes come in and text goes out; who reads and writes files, and what time it is, is the caller's.
"""

from __future__ import annotations

from .entries import entry_of
from .index import ARCHIVE, GIT, LATEST, ContentItem, Index, IndexedPack, IndexedRelease, InstallSource
from .moving import is_beside, moved_index
from .reading import MAX_INDEX_BYTES, read_index
from .rendering import index_text, pack_text, pack_value
from .searching import search_index
from .updating import merge_indexes, update_index
from .verifying import verify_packs, verify_sources

__all__ = [
    "ARCHIVE",
    "GIT",
    "LATEST",
    "MAX_INDEX_BYTES",
    "ContentItem",
    "Index",
    "IndexedPack",
    "IndexedRelease",
    "InstallSource",
    "entry_of",
    "index_text",
    "is_beside",
    "merge_indexes",
    "moved_index",
    "pack_text",
    "pack_value",
    "read_index",
    "search_index",
    "update_index",
    "verify_packs",
    "verify_sources",
]
