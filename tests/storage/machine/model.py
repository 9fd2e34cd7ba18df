"""What the store should hold: uploads that clients have not finished, and releases with their bytes."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from longshore_chunks import ChunkDigest, Cutter, chunk_digest
from tests.storage.healing.hurt_world import sha256_of
from tests.storage.payloads.world import text_bytes

from .process import CUTTING, KIB

PROJECTS = ("netops", "other")
# What payloads are made of, so that they share chunks; half of it compresses.
BLOCKS = [
    text_bytes(4 * KIB, seed=number) if number % 2 else random.Random(number).randbytes(4 * KIB)
    for number in range(5)
]


@dataclass
class Upload:
    """An upload as its client knows it. ``missing`` is what it was last told to send."""

    id: str
    project: str
    data: bytes
    thrifty: bool
    declared: bool
    session: int = 1
    attempt: int = 1
    is_begun: bool = False
    is_stored: bool = False
    missing: frozenset[ChunkDigest] | None = None

    @property
    def sha256(self) -> str:
        return sha256_of(self.data)

    @property
    def raws(self) -> list[bytes]:
        """Its chunks, as a thrifty client cuts it."""
        return cut(self.data)


@dataclass
class Release:
    """``number`` is that of its last deployment; ``is_kept`` until its payload was deleted or reclaimed."""

    project: str
    version: str
    data: bytes
    number: int
    is_kept: bool = True

    @property
    def sha256(self) -> str:
        return sha256_of(self.data)


@dataclass
class Model:
    """Everything that was asked of the store and answered.

    ``sent`` is what a project may know of, ``ever_sent`` what may lie in the bucket, whatever the database
    knows of it.
    """

    uploads: dict[str, Upload] = field(default_factory=dict)
    releases: dict[tuple[str, str], Release] = field(default_factory=dict)
    sent: set[tuple[str, ChunkDigest]] = field(default_factory=set)
    ever_sent: set[ChunkDigest] = field(default_factory=set)
    begun: int = 0
    versions: int = 0

    def copied(self) -> Model:
        return copy.deepcopy(self)

    def return_to(self, past: Model) -> None:
        """Know again what was known then; names are not used twice all the same."""
        past = past.copied()
        self.uploads, self.releases, self.sent = past.uploads, past.releases, past.sent

    def unfinished(self) -> list[Upload]:
        return list(self.uploads.values())

    def kept(self) -> list[Release]:
        """The releases whose payload must be readable."""
        return [release for release in self.releases.values() if release.is_kept]

    def begin(self, project: str, data: bytes, *, thrifty: bool, declared: bool) -> Upload:
        self.begun += 1
        upload = Upload(str(UUID(int=self.begun, version=4)), project, data, thrifty, declared)
        self.uploads[upload.id] = upload
        digests = {chunk_digest(raw) for raw in upload.raws}
        self.sent |= {(project, digest) for digest in digests}
        self.ever_sent |= digests
        return upload

    def next_version(self) -> str:
        self.versions += 1
        return f"1.0.{self.versions}"

    def beyond(self, keep_releases: int) -> set[tuple[str, str]]:
        """The releases that retention takes the payload of: all but the last ones of each project."""
        found: set[tuple[str, str]] = set()
        for project in PROJECTS:
            kept = [release for release in self.kept() if release.project == project]
            kept.sort(key=lambda release: release.number, reverse=True)
            found |= {(project, release.version) for release in kept[keep_releases:]}
        return found


def payload_of(blocks: Sequence[int]) -> bytes:
    return b"".join(BLOCKS[block] for block in blocks)


_cuts: dict[bytes, list[bytes]] = {}


def cut(data: bytes) -> list[bytes]:
    """The chunks of a payload; each is cut once."""
    if data not in _cuts:
        cutter = Cutter(CUTTING)
        _cuts[data] = cutter.feed(data) + cutter.finish()
    return _cuts[data]
