"""The name of a chunk: the BLAKE3 digest of its raw bytes, 32 bytes long, kept as ``bytes``.

Source: https://github.com/BLAKE3-team/BLAKE3-specs (the default hash mode, 256 bits of output).
"""

from __future__ import annotations

from typing import Final, TypeAlias

from blake3 import blake3

ChunkDigest: TypeAlias = bytes

DIGEST_LENGTH: Final = 32


def chunk_digest(raw: bytes | memoryview) -> ChunkDigest:
    """The digest of a chunk's raw (uncompressed) bytes."""
    return blake3(raw).digest()
