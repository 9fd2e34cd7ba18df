"""What this package raises on purpose, as one tree.

ChunksError
├── UnsupportedParameters      cutting parameters that this version does not know or that make no sense
├── UnknownFormatVersion       a file of ours, written by a version that is newer than this one
├── MalformedFrame             a stored chunk is not what its codec and lengths declare
└── MalformedFormat            bytes are not the file that they should be
    ├── MalformedPackFile
    ├── MalformedManifest
    └── MalformedSegment

Wrong use by a caller (a digest of 5 bytes, more chunks than announced) is ``ValueError`` instead: it is a
mistake in the program, never in the bytes.
"""

from __future__ import annotations


class ChunksError(Exception):
    """Base of everything that this package raises about bytes and parameters that it was given."""


class UnsupportedParameters(ChunksError):
    """The cutting parameters name an algorithm that is not known here, or sizes that make no sense."""


class UnknownFormatVersion(ChunksError):
    """The file is one of ours, of a version that this program cannot read: a newer program wrote it."""

    def __init__(self, what: str, version: int) -> None:
        super().__init__(f"{what} has format version {version}, this program reads version 1: upgrade it")
        self.version = version


class MalformedFrame(ChunksError):
    """A chunk's stored bytes break the rules for frames, or do not give what they declare."""


class MalformedFormat(ChunksError):
    """Bytes are not the file that they should be: cut off, altered, or never one of ours."""


class MalformedPackFile(MalformedFormat):
    """The end of the object is not the index of a pack file."""


class MalformedManifest(MalformedFormat):
    """The object is not a payload manifest."""


class MalformedSegment(MalformedFormat):
    """The blob is not an upload segment."""
