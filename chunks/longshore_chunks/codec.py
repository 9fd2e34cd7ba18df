"""Compressing chunks, and getting them back without trusting a byte.

Owns the choice between raw and zstd, and the rules for frames. Our own frames are single zstd frames
(RFC 8878) with the content size in their header, without checksum (the chunk's digest is the check) and
without dictionary. Invariant: nothing here ever allocates more than the chunk that was promised, whatever
a frame's header says.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final

import zstandard

from .cutting import LARGEST_CHUNK_BYTES
from .errors import MalformedFrame

ZSTD_LEVEL: Final = 3
THOROUGH_ZSTD_LEVEL: Final = 9
"""Some 12 % smaller on text, at a fifth of the speed: for the little that an update changes."""

_TRIES_IN_VAIN: Final = 4
_TRIED_EVERY: Final = 8
_FRAME_MAGIC: Final = b"\x28\xb5\x2f\xfd"


class Codec(IntEnum):
    """How a chunk's stored bytes give its raw bytes. The values are part of the formats on disk."""

    RAW = 0
    ZSTD = 1


class _Contexts(threading.local):
    """One thread's zstd contexts: making them costs more than a chunk, and they cannot be shared."""

    def __init__(self) -> None:
        self.compressors = {
            level: zstandard.ZstdCompressor(
                level=level, write_checksum=False, write_content_size=True, write_dict_id=False
            )
            for level in (ZSTD_LEVEL, THOROUGH_ZSTD_LEVEL)
        }
        self.decompressor = zstandard.ZstdDecompressor(max_window_size=LARGEST_CHUNK_BYTES)


_contexts: Final = _Contexts()


def encode(raw: bytes, level: int = ZSTD_LEVEL) -> tuple[Codec, bytes]:
    """The stored form of a chunk: compressed where that makes it smaller, else as it is."""
    return stored_form(raw, _contexts.compressors[level].compress(raw))


def encode_run(raws: Iterable[bytes], level: int = ZSTD_LEVEL) -> Iterator[tuple[Codec, bytes]]:
    """The stored forms of chunks that follow each other in a payload.

    After some in a row that compression did not make smaller, only now and then one is tried, until one
    gets smaller again: what cannot be compressed lies together, and trying costs as much as hashing.
    """
    in_vain = 0
    for raw in raws:
        if in_vain < _TRIES_IN_VAIN or in_vain % _TRIED_EVERY == 0:
            codec, stored = encode(raw, level)
            in_vain = 0 if codec is Codec.ZSTD else in_vain + 1
        else:
            codec, stored = Codec.RAW, raw
            in_vain += 1
        yield codec, stored


def stored_form(raw: bytes, frame: bytes) -> tuple[Codec, bytes]:
    """Which of a chunk's two forms is stored: its ``frame`` where that is smaller, else ``raw``.

    The formats rely on it: what is stored as zstd is always smaller than its raw bytes.
    """
    return (Codec.ZSTD, frame) if len(frame) < len(raw) else (Codec.RAW, raw)


def decode(codec: Codec, stored: bytes | memoryview, raw_length: int) -> bytes:
    """The raw bytes of a stored chunk whose length is known. The caller still checks the digest.

    Raises ``MalformedFrame`` for damaged bytes and for any other length than ``raw_length``.
    """
    if codec is Codec.ZSTD:
        header = _read_header(stored)
        if header.content_size != raw_length:
            raise MalformedFrame(
                f"zstd frame declares {header.content_size} bytes of content, {raw_length} were declared"
            )
        return _decompress(stored, header, max_window=LARGEST_CHUNK_BYTES)
    if len(stored) != raw_length:
        raise MalformedFrame(f"raw chunk has {len(stored)} bytes, {raw_length} were declared")
    return bytes(stored)


def decode_untrusted(frame: bytes | memoryview, max_raw: int) -> bytes:
    """The raw bytes of a frame that a client sent. The caller still checks the digest.

    The frame must be exactly one zstd frame that declares 1 to ``max_raw`` bytes of content and gives
    exactly these, with a window of at most ``max_raw``, no dictionary, nothing behind it, and no more
    bytes than any compressor needs. Raises ``MalformedFrame``.
    """
    if len(frame) > frame_bound(max_raw):
        raise MalformedFrame(f"frame has {len(frame)} bytes, at most {frame_bound(max_raw)} are allowed")
    header = _read_header(frame)
    if not 1 <= header.content_size <= max_raw:
        raise MalformedFrame(
            f"zstd frame declares {header.content_size} bytes of content, allowed are 1 to {max_raw}"
        )
    if len(frame) > frame_bound(header.content_size):
        raise MalformedFrame(f"frame has {len(frame)} bytes for a chunk of only {header.content_size}")
    return _decompress(frame, header, max_window=max_raw)


def frame_bound(raw_length: int) -> int:
    """The largest frame that a compressor makes of ``raw_length`` bytes (zstd's own ``COMPRESSBOUND``)."""
    margin = (128 * 1024 - raw_length) >> 11 if raw_length < 128 * 1024 else 0
    return raw_length + (raw_length >> 8) + margin


def _read_header(frame: bytes | memoryview) -> zstandard.FrameParameters:
    # Skippable frames and those of zstd before 0.8 have other magics, and the library would read them.
    if bytes(frame[:4]) != _FRAME_MAGIC:
        raise MalformedFrame("not a zstd frame")
    try:
        header = zstandard.get_frame_parameters(frame)
    except zstandard.ZstdError as error:
        raise MalformedFrame(f"zstd frame header is damaged: {error}") from error
    if header.content_size == zstandard.CONTENTSIZE_UNKNOWN:
        raise MalformedFrame("zstd frame does not declare its content size")
    if header.dict_id:
        raise MalformedFrame("zstd frame needs a dictionary")
    return header


def _decompress(frame: bytes | memoryview, header: zstandard.FrameParameters, *, max_window: int) -> bytes:
    if header.window_size > max_window:
        raise MalformedFrame(
            f"zstd frame has a window of {header.window_size} bytes, at most {max_window} are allowed"
        )
    try:
        raw = _contexts.decompressor.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise MalformedFrame(f"zstd frame is damaged or not exactly one frame: {error}") from error
    if len(raw) != header.content_size:
        raise MalformedFrame(f"zstd frame gives {len(raw)} bytes, its header declares {header.content_size}")
    return raw
