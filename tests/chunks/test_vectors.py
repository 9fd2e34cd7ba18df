"""The formats stay what they are: bytes that were written once are read, and written, the same for ever."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from longshore_chunks import (
    Codec,
    Cutter,
    CuttingParameters,
    ManifestHeader,
    ManifestReader,
    ManifestWriter,
    PackEntry,
    PackWriter,
    PlacedChunk,
    chunk_digest,
    decode,
    decode_segment,
    encode_segment,
    parse_pack_index,
)

VECTORS = Path(__file__).parent / "vectors"
DOCUMENT = Path(__file__).parents[2] / "docs" / "formats.md"


def described(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


def hex_dump(body: bytes) -> str:
    lines = []
    for at in range(0, len(body), 16):
        row = body[at : at + 16]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        lines.append(f"{at:04x}  {row.hex(' '):<47}  {text}")
    return "\n".join(lines)


def entry(fields: dict[str, Any]) -> PackEntry:
    return PackEntry(
        bytes.fromhex(fields["digest"]),
        Codec[fields["codec"]],
        fields["offset"],
        fields["stored_length"],
        fields["raw_length"],
    )


def places(vector: dict[str, Any]) -> list[PlacedChunk]:
    return [entry(fields).placed(fields["pack_key"]) for fields in vector["chunks"]]


@pytest.mark.parametrize("case", described("cuts.json"), ids=lambda case: case["seed"])
def test_cuts(case: dict[str, Any]) -> None:
    data = blake3(case["seed"].encode()).digest(length=case["length"])
    cutter = Cutter(
        CuttingParameters(
            min_size_bytes=case["min_size_bytes"],
            avg_size_bytes=case["avg_size_bytes"],
            max_size_bytes=case["max_size_bytes"],
        )
    )
    chunks = cutter.feed(data) + cutter.finish()
    assert [len(chunk) for chunk in chunks] == case["chunk_lengths"]
    assert chunk_digest(chunks[0]).hex() == case["first_digest"]


def test_pack_file() -> None:
    body, vector = (VECTORS / "pack_file.bin").read_bytes(), described("pack_file.json")
    contents = [bytes.fromhex(raw) for raw in vector["chunks"]]
    entries = parse_pack_index(body, len(body))
    assert entries == tuple(map(entry, vector["entries"]))
    stored = [body[e.offset : e.offset + e.stored_length] for e in entries]
    raws = [decode(e.codec, frame, e.raw_length) for e, frame in zip(entries, stored, strict=True)]
    assert raws == contents
    assert [e.digest for e in entries] == list(map(chunk_digest, contents))
    writer = PackWriter()
    # The frames are those of the file: what zstd makes may change with its version, what it reads may not.
    for e, frame in zip(entries, stored, strict=True):
        writer.add(e.digest, e.codec, frame, e.raw_length)
    written = writer.finish()
    assert b"".join(written.parts) == body
    assert f"{written.crc32c:08x}" == vector["crc32c"]


def test_payload_manifest() -> None:
    body, vector = (VECTORS / "payload_manifest.bin").read_bytes(), described("payload_manifest.json")
    payload = bytes.fromhex(vector["payload"])
    header = ManifestHeader(
        bytes.fromhex(vector["payload_sha256"]),
        vector["size_bytes"],
        CuttingParameters(),
        tuple(vector["pack_keys"]),
        len(vector["chunks"]),
    )
    assert (hashlib.sha256(payload).digest(), len(payload)) == (header.payload_sha256, header.size_bytes)
    reader = ManifestReader()
    assert reader.feed(body) == places(vector)
    assert reader.finish() == header
    writer = ManifestWriter(header)
    assert writer.add(places(vector)) + writer.finish() == body


def test_upload_segment() -> None:
    body, vector = (VECTORS / "upload_segment.bin").read_bytes(), described("upload_segment.json")
    assert decode_segment(body) == places(vector)
    assert encode_segment(places(vector)) == body


@pytest.mark.parametrize("name", ["pack_file", "payload_manifest", "upload_segment"])
def test_the_document_shows_the_very_bytes(name: str) -> None:
    assert hex_dump((VECTORS / f"{name}.bin").read_bytes()) in DOCUMENT.read_text()


def test_the_document_shows_the_cuts() -> None:
    document = DOCUMENT.read_text()
    for case in described("cuts.json"):
        assert case["seed"] in document
        assert ", ".join(map(str, case["chunk_lengths"][:6])) in document
