"""How many fields a message has, counted in its bytes before anything is made of them.

Two bytes are enough for an empty message within a message, and what protobuf makes of it takes more than
thirty times as much: four megabytes become 130 MiB. Source: protobuf.dev, "Encoding".
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from typing import Final

from google.protobuf.descriptor import Descriptor

_MORE: Final = 0x80
_LONGEST_VARINT_BITS: Final = 70


class _Wire(IntEnum):
    """How the value of a field is written; of groups only the begin and the end are, as fields."""

    VARINT = 0
    EIGHT_BYTES = 1
    WITH_A_LENGTH = 2
    FOUR_BYTES = 5


def has_more_fields(content: bytes, kind: Descriptor, most: int) -> bool:
    """Whether a message of a kind, and what is in it, has more than ``most`` fields; looks at no more.

    Of messages that have nothing repeated in them only the place is counted. What is no message at all may be
    told either way: whoever parses it will say so.
    """
    left = most
    pending = [(0, len(content), kind)]
    while pending:
        at, end, kind = pending.pop()
        inner = _with_more_inside(kind)
        while at < end:
            left -= 1
            if left < 0:
                return True
            tag, at = _varint(content, at)
            match tag & 7:
                case _Wire.VARINT:
                    _, at = _varint(content, at)
                case _Wire.EIGHT_BYTES:
                    at += 8
                case _Wire.WITH_A_LENGTH:
                    size, at = _varint(content, at)
                    if (within := inner.get(tag >> 3)) is not None:
                        pending.append((at, min(at + size, end), within))
                    at += size
                case _Wire.FOUR_BYTES:
                    at += 4
    return False


@cache
def _with_more_inside(kind: Descriptor) -> dict[int, Descriptor]:
    """The fields that are messages in which something repeated may stand, however deep."""
    within = {field.number: field.message_type for field in kind.fields if field.message_type is not None}
    return {number: inner for number, inner in within.items() if _has_repeated(inner, frozenset())}


def _has_repeated(kind: Descriptor, above: frozenset[str]) -> bool:
    """Whether it has; a kind that is within itself, as ``above`` tells, is taken for one that has."""
    if kind.full_name in above:
        return True
    return any(
        field.is_repeated
        or (field.message_type is not None and _has_repeated(field.message_type, above | {kind.full_name}))
        for field in kind.fields
    )


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends; past the end of the content where it is cut off."""
    number = shift = 0
    while at < len(content) and shift < _LONGEST_VARINT_BITS:
        byte = content[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if not byte & _MORE:
            break
        shift += 7
    return number, at
