"""Cutting a stream of bytes into content-defined chunks.

Owns the cutting parameters and the ``Cutter``. The algorithm is FastCDC 2020 (Xia et al., "The Design of
Fast Content-Defined Chunking", https://ieeexplore.ieee.org/document/9055082) with normalisation level 1
and the published gear table, unseeded: the cuts of the Rust crate ``fastcdc`` v2020, so that a client in
another language can cut alike.

Invariants: the chunks, joined, are the input; where the cuts fall depends on the bytes since the last
border alone, never on how they were fed; cutting that goes on at a chunk's end finds the same cuts.
Time is linear in the input, memory is one largest chunk and the piece at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pyfastcdc import FastCDC

from .errors import UnsupportedParameters

KIB: Final = 1024
LARGEST_CHUNK_BYTES: Final = 16 * KIB * KIB
"""No parameters allow a chunk above this; readers of stored bytes rely on it."""

_SMALLEST_MIN_BYTES: Final = 64
_LARGEST_MIN_BYTES: Final = KIB * KIB
_SMALLEST_AVG_BYTES: Final = 256
_LARGEST_AVG_BYTES: Final = 4 * KIB * KIB
_SMALLEST_MAX_BYTES: Final = KIB


@dataclass(frozen=True, slots=True)
class CuttingParameters:
    """How payloads are cut, digested and compressed; two parties that share them share their chunks.

    Raises ``UnsupportedParameters`` for names that are not known here and sizes that make no sense.
    """

    algorithm: str = "fastcdc-2020"
    min_size_bytes: int = 16 * KIB
    avg_size_bytes: int = 64 * KIB
    max_size_bytes: int = 256 * KIB
    digest: str = "blake3"
    codec: str = "zstd"

    def __post_init__(self) -> None:
        for setting, known in (("algorithm", "fastcdc-2020"), ("digest", "blake3"), ("codec", "zstd")):
            if getattr(self, setting) != known:
                raise UnsupportedParameters(
                    f"cutting parameter {setting} is {getattr(self, setting)!r}, only {known!r} is known here"
                )
        for setting, least, most in (
            ("min_size_bytes", _SMALLEST_MIN_BYTES, _LARGEST_MIN_BYTES),
            ("avg_size_bytes", _SMALLEST_AVG_BYTES, _LARGEST_AVG_BYTES),
            ("max_size_bytes", _SMALLEST_MAX_BYTES, LARGEST_CHUNK_BYTES),
        ):
            if not least <= getattr(self, setting) <= most:
                raise UnsupportedParameters(
                    f"cutting parameter {setting} is {getattr(self, setting)}, must be {least} to {most}"
                )
        if not self.min_size_bytes <= self.avg_size_bytes <= self.max_size_bytes:
            raise UnsupportedParameters(
                "cutting parameters must be in order: min_size_bytes <= avg_size_bytes <= max_size_bytes, "
                f"not {self.min_size_bytes}, {self.avg_size_bytes}, {self.max_size_bytes}"
            )


class Cutter:
    """Cuts one stream. Feed it pieces of any size, then ``finish``; the chunks come out in order.

    Chunks are ``bytes`` of their own, so that a caller may use its buffer again and a kept chunk keeps
    nothing else alive. Not safe for use by several threads at once.
    """

    def __init__(self, parameters: CuttingParameters) -> None:
        self._fastcdc = FastCDC(
            parameters.avg_size_bytes,
            min_size=parameters.min_size_bytes,
            max_size=parameters.max_size_bytes,
            normalized_chunking=1,
            seed=0,
        )
        self._max_size = parameters.max_size_bytes
        self._pending = bytearray()
        self._finished = False

    def feed(self, *pieces: bytes | bytearray | memoryview) -> list[bytes]:
        """Take the next bytes of the stream and give back the chunks that are certain now."""
        if self._finished:
            raise ValueError("the cutter was finished: a new stream needs a new one")
        if len(self._pending) + sum(map(len, pieces)) < self._max_size:
            for piece in pieces:
                self._pending += piece
            return []
        # A cut is certain when a whole largest chunk was there to look at: more input cannot move it.
        return self._cut(b"".join((self._pending, *pieces)), until_left=self._max_size)

    def cut_here(self) -> list[bytes]:
        """End the current chunk at the last byte fed and give back what was pending.

        The bytes after this border are cut as if they began a stream. Without pending bytes it does
        nothing, so that borders never make empty chunks.
        """
        return self._cut(bytes(self._pending), until_left=1)

    def finish(self) -> list[bytes]:
        """End the stream and give back its last chunks; an empty stream has none."""
        self._finished = True
        return self.cut_here()

    def _cut(self, block: bytes, *, until_left: int) -> list[bytes]:
        """The chunks of ``block`` up to where less than ``until_left`` is left, which becomes pending."""
        chunks: list[bytes] = []
        left = len(block)
        cuts = self._fastcdc.cut_buf(block)
        while left >= until_left:
            chunks.append(bytes(next(cuts).data))
            left -= len(chunks[-1])
        self._pending = bytearray(memoryview(block)[len(block) - left :])
        return chunks
