"""Hypothesis strategies for chunks and their places."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from longshore_chunks import Codec, CuttingParameters, PlacedChunk

SMALL = CuttingParameters(min_size_bytes=64, avg_size_bytes=256, max_size_bytes=1024)
"""Cuts often, so that small inputs have many chunks."""

digests = st.binary(min_size=32, max_size=32)
pack_keys = st.from_regex(r"packs/[a-z0-9]{1,12}(\.[a-z0-9_-]{1,4})?", fullmatch=True)


@st.composite
def placed_chunks(draw: st.DrawFn, keys: st.SearchStrategy[str] = pack_keys) -> PlacedChunk:
    raw_length = draw(st.integers(1, SMALL.max_size_bytes))
    codec = draw(st.sampled_from(Codec)) if raw_length > 1 else Codec.RAW
    stored_length = raw_length if codec is Codec.RAW else draw(st.integers(1, raw_length - 1))
    return PlacedChunk(
        digest=draw(digests),
        pack_key=draw(keys),
        offset=draw(st.integers(8, 2**40)),
        stored_length=stored_length,
        raw_length=raw_length,
        codec=codec,
    )


@st.composite
def inputs(draw: st.DrawFn, max_kib: int = 24) -> bytes:
    """Bytes that cut in many ways: noise, long runs, and repetitions of both."""
    noise = random.Random(draw(st.integers(0, 2**32)))
    parts = []
    for _ in range(draw(st.integers(0, 4))):
        length = draw(st.integers(0, max_kib * 1024 // 4))
        parts.append(noise.randbytes(length) if draw(st.booleans()) else bytes(length))
    return b"".join(parts)


@st.composite
def pieces_of(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """``data`` in pieces of arbitrary sizes, empty ones included."""
    borders = sorted(draw(st.lists(st.integers(0, len(data)), max_size=20)))
    return [data[a:b] for a, b in zip([0, *borders], [*borders, len(data)], strict=True)]
