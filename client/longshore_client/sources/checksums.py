"""Checksums as sources state them: ``sha256:`` and hexadecimal digits, or npm's ``sha512-`` and base64."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from longshore_client.source_errors import SourceInvalid

_DIGITS: Final = {"sha256": 64, "sha384": 96, "sha512": 128}
"""The algorithms that are trusted, strongest last, and how many hexadecimal digits they give."""
_MOST_INTEGRITY_CHARACTERS: Final = 4096
_PLAIN: Final = re.compile(r"(sha256|sha384|sha512)[:=]([0-9a-fA-F]+)")


@dataclass(frozen=True, slots=True)
class Checksum:
    """A digest that content must have: the name of a ``hashlib`` algorithm and lower-case digits."""

    algorithm: str
    digits: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digits}"

    @classmethod
    def parse(cls, text: str) -> Checksum:
        """Read ``sha256:DIGITS`` (or ``=``, as pip writes it). Raises ``SourceInvalid``."""
        found = _PLAIN.fullmatch(text.strip())
        if found is None or len(found[2]) != _DIGITS[found[1]]:
            raise SourceInvalid(
                f"{text[:150]!r} is no checksum: write sha256: and 64 hexadecimal digits behind it"
            )
        return cls(found[1], found[2].lower())

    @classmethod
    def strongest_of_integrity(cls, text: str) -> Checksum | None:
        """The strongest digest of a Subresource Integrity text, as npm's; None where none is trusted."""
        found: dict[str, Checksum] = {}
        for part in text[:_MOST_INTEGRITY_CHARACTERS].split():
            algorithm, _, encoded = part.partition("?")[0].partition("-")
            try:
                digits = base64.b64decode(encoded, validate=True).hex()
            except (binascii.Error, ValueError):
                continue
            if len(digits) == _DIGITS.get(algorithm):
                found[algorithm] = cls(algorithm, digits)
        return next((found[algorithm] for algorithm in reversed(_DIGITS) if algorithm in found), None)


class Digests:
    """Digests of bytes that go by: sha256 always, and that of an expected checksum."""

    def __init__(self, expected: Checksum | None) -> None:
        algorithms = {"sha256"} | ({expected.algorithm} if expected else set())
        self._hashes = {algorithm: hashlib.new(algorithm) for algorithm in algorithms}

    def update(self, data: bytes) -> None:
        """Take the next bytes in."""
        for each in self._hashes.values():
            each.update(data)

    def checksum(self, algorithm: str = "sha256") -> Checksum:
        """The digest of all that went by."""
        return Checksum(algorithm, self._hashes[algorithm].hexdigest())
