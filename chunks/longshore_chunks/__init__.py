"""Chunks: how payloads are cut, named, compressed, packed and listed. Pure: bytes in, bytes out.

Owns the cutter and the binary formats of the blob store (docs/formats.md shows every byte). Imports
nothing else of Longshore, does no input or output, knows no clock; client and node share it, so that both
cut alike.
"""

from __future__ import annotations

from .codec import Codec, decode, decode_untrusted, encode, encode_run, frame_bound, stored_form
from .cutting import LARGEST_CHUNK_BYTES, Cutter, CuttingParameters
from .digest import DIGEST_LENGTH, ChunkDigest, chunk_digest
from .errors import (
    ChunksError,
    MalformedFormat,
    MalformedFrame,
    MalformedManifest,
    MalformedPackFile,
    MalformedSegment,
    UnknownFormatVersion,
    UnsupportedParameters,
)
from .packfile import (
    FOOTER_LENGTH,
    HEADER_LENGTH,
    PACK_MAX_ENTRIES,
    PACK_TARGET_BYTES,
    PackEntry,
    PackFile,
    PackFooter,
    PackWriter,
    check_pack_header,
    parse_pack_footer,
    parse_pack_index,
)
from .payload_manifest import (
    MANIFEST_MAX_CHUNKS,
    MANIFEST_MAX_PACKS,
    ManifestHeader,
    ManifestReader,
    ManifestWriter,
)
from .places import PlacedChunk
from .segment import SEGMENT_MAX_CHUNKS, decode_segment, encode_segment

__all__ = [
    "DIGEST_LENGTH",
    "FOOTER_LENGTH",
    "HEADER_LENGTH",
    "LARGEST_CHUNK_BYTES",
    "MANIFEST_MAX_CHUNKS",
    "MANIFEST_MAX_PACKS",
    "PACK_MAX_ENTRIES",
    "PACK_TARGET_BYTES",
    "SEGMENT_MAX_CHUNKS",
    "ChunkDigest",
    "ChunksError",
    "Codec",
    "Cutter",
    "CuttingParameters",
    "MalformedFormat",
    "MalformedFrame",
    "MalformedManifest",
    "MalformedPackFile",
    "MalformedSegment",
    "ManifestHeader",
    "ManifestReader",
    "ManifestWriter",
    "PackEntry",
    "PackFile",
    "PackFooter",
    "PackWriter",
    "PlacedChunk",
    "UnknownFormatVersion",
    "UnsupportedParameters",
    "check_pack_header",
    "chunk_digest",
    "decode",
    "decode_segment",
    "decode_untrusted",
    "encode",
    "encode_run",
    "encode_segment",
    "frame_bound",
    "parse_pack_footer",
    "parse_pack_index",
    "stored_form",
]
