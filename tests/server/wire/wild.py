"""Messages as no client of ours makes them, from the descriptors, in the bytes of the wire.

Made by hand and not by the generated classes, which would refuse most of them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from random import Random

from google.protobuf.descriptor import Descriptor, FieldDescriptor

_F = FieldDescriptor
_VARINT, _FIXED64, _BYTES, _GROUP, _GROUP_END, _FIXED32 = range(6)
_VARINTS = (0, 1, 2, 3, 5, 17, 99, 999, 10_000, 1 << 31, (1 << 31) - 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
_FIXED = {_F.TYPE_DOUBLE: "<d", _F.TYPE_FLOAT: "<f", _F.TYPE_FIXED64: "<Q", _F.TYPE_SFIXED64: "<q"}
_FIXED |= {_F.TYPE_FIXED32: "<I", _F.TYPE_SFIXED32: "<i"}
_TEXTS = (
    *(b"", b" ", b"\0", b"a\0b", b"\xff", b"\xed\xa0\x80", "\u202e\u0000é名".encode(), b"-x", b"../../etc"),
    *(b"%", b"_", b"*", b"'; --", b"{}", b"x" * 300, b"x" * 70_000, b"1.0.0", b"1" * 5_000, b"\r\n\x1b[2J"),
    *(b"0" * 64, b"netops=1,2", b"00000000-0000-0000-0000-000000000000", b"2026-13-45T99:99:99Z"),
)
_TAME = (0, 1, 2)
# How much of a message is wild: what is wild everywhere is refused for the first thing that is looked at.
_WILDNESSES = (0.02, 0.1, 0.3, 0.8)
_DEEPEST = 6
_OFTEN = 100_000
_LARGEST_BYTES = 1 << 20

Known = Mapping[str, Sequence[bytes]]
"""Texts that lead further in, by the name of the field."""


def varint(value: int) -> bytes:
    """A number of up to 64 bits, as the wire has it."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def tagged(number: int, kind: int, content: bytes) -> bytes:
    """A field in front of which its number stands, and where it is of any length this too."""
    length = varint(len(content)) if kind == _BYTES else b""
    return varint(number << 3 | kind) + length + content


class Wild:
    """Makes messages from one seed."""

    def __init__(self, seed: str, known: Known) -> None:
        self._random = Random(seed)
        self._known = known
        self._wildness = 1.0

    def messages(self, of: Descriptor, count: int) -> list[bytes]:
        """So many whose fields are wild."""
        return [self._some(of) for _ in range(count)]

    def broken(self, of: Descriptor) -> list[bytes]:
        """One of every kind that breaks the whole, and one for each field: there again and again."""
        broken: list[Callable[[], bytes]] = [
            lambda: b"",
            lambda: self._random.randbytes(200),
            lambda: self._random.randbytes(100_000),
            lambda: self._some(of)[:-1],
            # Groups in groups, which no parser may follow all the way.
            lambda: varint(99 << 3 | _GROUP) * _OFTEN,
            lambda: varint(99 << 3 | _GROUP) * 90 + varint(99 << 3 | _GROUP_END) * 90,
            # Fields that nobody knows.
            lambda: tagged(9_999, _VARINT, b"\x01") * _OFTEN,
            lambda: tagged(0, _VARINT, b"\x01"),
            lambda: b"\xff" * 20,
            lambda: tagged(1, _BYTES, b"")[:-1] + varint((1 << 63) - 1),
        ]
        return [*(make() for make in broken), *(self._often(field) for field in of.fields)]

    def _often(self, field: FieldDescriptor) -> bytes:
        """A field again and again: what is not repeated has the last, what is a message all of them."""
        one = self._field(field, _DEEPEST)[:200] or tagged(field.number, _BYTES, b"")
        return one * min(_OFTEN, _LARGEST_BYTES // len(one))

    def streams(self, of: Descriptor, count: int) -> list[list[bytes]]:
        """Some messages each, mostly the one first that comes first, then any."""
        return [
            [self._some(of, first=self._random.random() < 0.8), *(self._some(of) for _ in range(length))]
            for length in (self._random.choice((0, 1, 2, 5)) for _ in range(count))
        ]

    def _some(self, of: Descriptor, *, first: bool = False) -> bytes:
        self._wildness = self._random.choice(_WILDNESSES)
        return self._value(of.oneofs[0].fields[0], 0) if first else self._message(of)

    def _is_wild(self) -> bool:
        return self._random.random() < self._wildness

    def _message(self, of: Descriptor, depth: int = 0) -> bytes:
        fields = list(of.fields)
        if of.oneofs:
            # Mostly one of each, so that it is not always the last that counts.
            chosen = {self._random.choice(one.fields).number for one in of.oneofs}
            fields = [field for field in fields if field.containing_oneof is None or field.number in chosen]
        if self._is_wild():
            self._random.shuffle(fields)
        return b"".join(
            self._field(field, depth)
            for field in fields
            if self._random.random() < (0.95 if field.name in self._known else 0.6)
        )

    def _field(self, field: FieldDescriptor, depth: int) -> bytes:
        times = self._random.choice((1, 1, 2, 5)) if field.is_repeated else 1
        return b"".join(self._value(field, depth) for _ in range(times))

    def _value(self, field: FieldDescriptor, depth: int) -> bytes:
        if self._is_wild() and self._random.random() < 0.1:
            return tagged(field.number, self._random.choice((_VARINT, _BYTES)), b"\x01")
        if field.message_type is not None:
            deeper = self._message(field.message_type, depth + 1) if depth < _DEEPEST else b""
            return tagged(field.number, _BYTES, deeper)
        if field.type in (_F.TYPE_STRING, _F.TYPE_BYTES):
            return tagged(field.number, _BYTES, self._text(field))
        if field.type in _FIXED:
            form = _FIXED[field.type]
            kind = _FIXED64 if struct.calcsize(form) == 8 else _FIXED32
            if form in ("<d", "<f"):
                given = struct.pack(form, self._random.choice((0.0, -1.0, float("nan"), float("inf"))))
            else:
                given = struct.pack(form, 1)
            return tagged(field.number, kind, given)
        if field.type == _F.TYPE_BOOL:
            return tagged(field.number, _VARINT, self._random.choice((b"\0", b"\x01")))
        if field.enum_type is not None and not self._is_wild():
            return tagged(field.number, _VARINT, varint(self._random.choice(field.enum_type.values).number))
        numbers = _VARINTS if self._is_wild() else _TAME
        return tagged(field.number, _VARINT, varint(self._random.choice(numbers)))

    def _text(self, field: FieldDescriptor) -> bytes:
        if not self._is_wild():
            return self._random.choice(self._known.get(field.name) or (b"x",))
        if field.type == _F.TYPE_BYTES:
            sizes = (0, 1, 31, 32, 32, 32, 1_000, 2 << 20)
            return self._random.randbytes(self._random.choice(sizes))
        return self._random.choice(_TEXTS)
