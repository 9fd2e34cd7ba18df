"""Packs: their manifest, in Longshore's spelling or StackStorm's, and what actions and sensors they have.

Nothing is raised for what a file holds: it goes into a ``FindingLog``, with file and line.
"""

from __future__ import annotations

from .contents import PackItem, read_items
from .manifest import PackManifest, read_pack_manifest

__all__ = ["PackItem", "PackManifest", "read_items", "read_pack_manifest"]
