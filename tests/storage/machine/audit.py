"""What holds after every step, whatever happened: read from all rows and from the bucket's contents."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from longshore_chunks import (
    ChunkDigest,
    ChunksError,
    Codec,
    ManifestReader,
    PlacedChunk,
    chunk_digest,
    decode,
    decode_segment,
)
from longshore_storage.catalogue import tables
from tests.storage.healing.hurt_world import sha256_of

from .bucket import MARKS
from .process import COLLECTING
from .world import World

_WATCHED = (
    tables.pack_file,
    tables.chunk,
    tables.payload,
    tables.payload_pack,
    tables.manifest_draft,
    tables.condemned,
    tables.orphan,
    tables.release,
    tables.upload,
    tables.upload_segment,
    tables.pin,
)
Rows = dict[str, list[Row[Any]]]


async def audit(world: World) -> Audit:
    """Check everything; what was found may be asked for more."""
    assert not world.violations, world.violations
    async with world.hand.reading() as transaction:
        rows = {table.name: list(await transaction.all(select(table))) for table in _WATCHED}
        now = await world.now_in(transaction)
    listed = {blob.key: blob.size_bytes async for blob in world.bucket.hand.list("")}
    mirrored = {key: len(body) for key, body in world.bucket.contents.items()}
    assert listed == mirrored, "the bucket holds other objects than were put and not deleted"
    found = Audit(world, rows, now)
    found.check()
    return found


@dataclass
class Audit:
    """The rows and the bucket at one moment between two steps."""

    world: World
    rows: Rows
    now: datetime
    is_sound: dict[str, bool] = field(default_factory=dict)

    def check(self) -> None:
        self._check_packs()
        for payload in self.rows["payload"]:
            self.is_sound[payload.sha256] = self._check_payload(payload)
        self._check_releases()
        self._check_index()
        self._check_uploads()
        self._check_names()

    def key_rows(self) -> dict[str, set[str]]:
        """Which rows name each key, by table."""
        named: dict[str, set[str]] = defaultdict(set)
        for table in ("pack_file", "manifest_draft", "condemned", "orphan"):
            for row in self.rows[table]:
                named[row.key].add(table)
        for row in self.rows["payload"]:
            named[row.manifest_key].add("payload")
        return named

    def unnamed_packs(self) -> list[Row[Any]]:
        """Pack files that neither a payload nor an upload needs."""
        needed = {row.pack_key for table in ("payload_pack", "pin") for row in self.rows[table]}
        return [row for row in self.rows["pack_file"] if row.key not in needed]

    def unnamed_payloads(self) -> list[Row[Any]]:
        """Payloads that neither a release nor an upload names."""
        named = {row.stored_payload for table in ("release", "upload") for row in self.rows[table]}
        return [row for row in self.rows["payload"] if row.sha256 not in named]

    def check_collected(self) -> None:
        """After an undisturbed run of collecting nothing is left that should have gone."""
        kept = self.now - COLLECTING.keep_unnamed
        unfinished = self.now - COLLECTING.keep_unfinished
        dead = self.now - COLLECTING.resume_for
        assert not [row for row in self.unnamed_payloads() if row.create_time <= kept]
        for row in self.unnamed_packs():
            assert row.create_time > (unfinished if row.state == "WRITING" else kept), row
        assert not [row for row in self.rows["manifest_draft"] if row.create_time <= unfinished]
        assert not [row for row in self.rows["upload"] if row.heartbeat_time <= dead]
        if not self.world.is_grace_left_out:
            removed = self.now - COLLECTING.grace
            assert not [row for row in self.rows["condemned"] if row.condemn_time <= removed]

    def check_scrubbed(self) -> None:
        """After an undisturbed scrub exactly what is damaged is marked."""
        for row in self.rows["payload"]:
            assert bool(row.damage) is not self.is_sound[row.sha256], row

    def _check_packs(self) -> None:
        bucket = self.world.bucket
        for row in self.rows["pack_file"]:
            if row.state == "STORED" and row.key not in bucket.hurt:
                assert row.key in bucket.contents, f"{row.key} is stored by its row only"
                assert len(bucket.contents[row.key]) == row.size_bytes, row
            if row.state == "DAMAGED":
                assert row.key in bucket.ever_hurt, f"{row.key} was never hurt"

    def _check_payload(self, payload: Row[Any]) -> bool:
        """Whether the payload can be read; only what was hurt may be unreadable."""
        bucket = self.world.bucket
        chunks = _chunks_of(bucket.contents.get(payload.manifest_key, b""))
        if chunks is None:
            assert payload.manifest_key in bucket.hurt, f"manifest of {payload}"
            return False
        needed = {row.pack_key for row in self.rows["payload_pack"] if row.payload_sha256 == payload.sha256}
        assert {chunk.pack_key for chunk in chunks} == needed, "payload_pack is not what the manifest names"
        assert len(chunks) == payload.chunk_count
        if payload.damage:
            assert bucket.ever_hurt & {payload.manifest_key, *needed}, f"never hurt: {payload}"
        raws = [self._raw(chunk) for chunk in chunks]
        for chunk, raw in zip(chunks, raws, strict=True):
            assert raw is not None or chunk.pack_key in bucket.hurt, f"{chunk} of {payload} is lost"
        if any(raw is None for raw in raws):
            return False
        data = b"".join(raw for raw in raws if raw is not None)
        assert sha256_of(data) == payload.sha256, "another payload's content"
        assert len(data) == payload.size_bytes
        return True

    def _check_releases(self) -> None:
        payloads = {row.sha256 for row in self.rows["payload"]}
        rows = {(row.project, row.version): row for row in self.rows["release"]}
        assert rows.keys() == self.world.model.releases.keys()
        for name, release in self.world.model.releases.items():
            stored = rows[name].stored_payload
            assert stored == (release.sha256 if release.is_kept else None), f"{name} names {stored}"
            assert not release.is_kept or stored in payloads

    def _check_index(self) -> None:
        states = {row.key: row.state for row in self.rows["pack_file"]}
        for row in self.rows["chunk"]:
            assert states[row.pack_key] == "STORED", row
            assert (row.project, row.digest) in self.world.model.sent, f"{row.project} never sent it"
            chunk = PlacedChunk(
                row.digest, row.pack_key, row.offset, row.stored_length, row.raw_length, Codec(row.codec)
            )
            assert self._raw(chunk) is not None or row.pack_key in self.world.bucket.hurt, row

    def _check_uploads(self) -> None:
        pinned: dict[str, set[str]] = defaultdict(set)
        for row in self.rows["pin"]:
            pinned[row.deployment_id].add(row.pack_key)
        segments: dict[str, list[Row[Any]]] = defaultdict(list)
        for row in sorted(self.rows["upload_segment"], key=lambda row: row.number):
            segments[row.deployment_id].append(row)
        for upload in self.rows["upload"]:
            data = self.world.model.uploads[upload.deployment_id].data
            end = 0
            for number, segment in enumerate(segments[upload.deployment_id]):
                assert segment.number == number
                for chunk in decode_segment(segment.chunks):
                    assert chunk.pack_key in pinned[upload.deployment_id], f"{chunk} is not pinned"
                    raw = self._raw(chunk)
                    assert raw is not None or chunk.pack_key in self.world.bucket.hurt, f"{chunk} is lost"
                    assert raw in (None, data[end : end + chunk.raw_length]), "another upload's content"
                    end += chunk.raw_length
                assert segment.end_offset == end
            assert upload.durable_bytes == end

    def _check_names(self) -> None:
        bucket = self.world.bucket
        named = self.key_rows()
        for key, by in named.items():
            assert "condemned" not in by or by == {"condemned"}, f"{key} is condemned and named by {by}"
        for key in bucket.contents:
            assert key in named or key.startswith(MARKS) or key in bucket.strays, f"no row names {key}"

    def _raw(self, chunk: PlacedChunk) -> bytes | None:
        """A chunk's bytes; None when they are not there or not right."""
        body = self.world.bucket.contents.get(chunk.pack_key, b"")
        stored = memoryview(body)[chunk.offset : chunk.offset + chunk.stored_length]
        if len(stored) < chunk.stored_length:
            return None
        return _decoded(chunk.digest, chunk.codec, bytes(stored), chunk.raw_length)


_decodings: dict[tuple[ChunkDigest, bytes], bytes | None] = {}


def _decoded(digest: ChunkDigest, codec: Codec, stored: bytes, raw_length: int) -> bytes | None:
    if (digest, stored) not in _decodings:
        try:
            raw = decode(codec, stored, raw_length)
        except ChunksError:
            raw = b""
        _decodings[digest, stored] = raw if chunk_digest(raw) == digest else None
    return _decodings[digest, stored]


def _chunks_of(manifest: bytes) -> list[PlacedChunk] | None:
    """The chunks of a manifest; None when it is damaged or not there."""
    reader = ManifestReader()
    try:
        chunks = reader.feed(manifest)
        reader.finish()
    except ChunksError:
        return None
    return chunks
