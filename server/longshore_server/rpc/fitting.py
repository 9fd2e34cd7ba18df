"""Lists cut to what fits into a message: a client takes one of 4 MiB and no more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)
# A field's number, and the length of what it holds.
_FRAME_BYTES = 6


def fitting(messages: Iterable[M], size_bytes: int) -> list[M]:
    """The first of them, at least one, that have together at most so many bytes."""
    kept: list[M] = []
    for message in messages:
        size_bytes -= message.ByteSize() + _FRAME_BYTES
        if kept and size_bytes < 0:
            break
        kept.append(message)
    return kept
