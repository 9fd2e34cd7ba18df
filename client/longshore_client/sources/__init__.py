"""Sources: everything that a payload can come from, brought to this machine by the client.

A server never fetches what a caller names. ``parse_source`` tells what a text means, ``fetch`` brings it
here, verified and within bounds; ``Provenance`` says where it came from. Everything blocks and belongs into a
thread. What speaks to the network is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from longshore_client.source_errors import (
    SourceDamaged,
    SourceError,
    SourceInvalid,
    SourceNotFound,
    SourceRefused,
    SourceTooLarge,
    SourceUnavailable,
)

from .checksums import Checksum
from .options import Deadline, FetchOptions, default_cache_folder
from .parsing import parse_source
from .source import (
    Fetched,
    GitSource,
    IndexSource,
    NpmSource,
    PathSource,
    Progress,
    Provenance,
    PypiSource,
    Source,
    SourceKind,
    UrlSource,
)

if TYPE_CHECKING:
    from .fetching import fetch
    from .indexes import OpenIndex, open_index

_HOME_OF = {"fetch": "fetching", "OpenIndex": "indexes", "open_index": "indexes"}

__all__ = [
    "Checksum",
    "Deadline",
    "FetchOptions",
    "Fetched",
    "GitSource",
    "IndexSource",
    "NpmSource",
    "OpenIndex",
    "PathSource",
    "Progress",
    "Provenance",
    "PypiSource",
    "Source",
    "SourceDamaged",
    "SourceError",
    "SourceInvalid",
    "SourceKind",
    "SourceNotFound",
    "SourceRefused",
    "SourceTooLarge",
    "SourceUnavailable",
    "UrlSource",
    "default_cache_folder",
    "fetch",
    "open_index",
    "parse_source",
]


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{home}", __name__), name)
