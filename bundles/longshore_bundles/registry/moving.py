"""An index in another folder: the archives that it names by their paths beside it are the same ones there."""

from __future__ import annotations

import dataclasses
import posixpath
import re
from typing import Final

from .index import ARCHIVE, Index, IndexedPack, IndexedRelease, InstallSource, each_once

_NO_PATH: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|/|~")
_MISTAKABLE: Final = re.compile(r"-|[^/]*:|~")


def is_beside(source: InstallSource) -> bool:
    """Whether it is an archive that is named by its path from the index's folder on."""
    return source.type == ARCHIVE and _NO_PATH.match(source.url) is None


def moved_index(index: Index, old: str, new: str) -> Index:
    """The index as it has to be written in the folder ``new`` where it was read in ``old``: absolute paths.

    What does not lie below ``new`` gets a path that begins with ``../``, which no index should name.
    """
    way = posixpath.relpath(old, new)
    if way == ".":
        return index
    return dataclasses.replace(index, packs=tuple(_moved_pack(pack, way) for pack in index.packs))


def _moved_pack(pack: IndexedPack, way: str) -> IndexedPack:
    return dataclasses.replace(pack, releases=tuple(_moved_release(each, way) for each in pack.releases))


def _moved_release(release: IndexedRelease, way: str) -> IndexedRelease:
    sources = (_moved_source(each, way) for each in release.install_sources)
    return dataclasses.replace(release, install_sources=each_once(sources))


def _moved_source(source: InstallSource, way: str) -> InstallSource:
    if not is_beside(source):
        return source
    path = posixpath.normpath(posixpath.join(way, source.url))
    # A folder may be called like an option or a scheme.
    return dataclasses.replace(source, url=f"./{path}" if _MISTAKABLE.match(path) else path)
