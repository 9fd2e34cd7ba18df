"""What seals are made of: entries as canonical bytes, their digests, and heads that follow from each other.

Canonical JSON is that of RFC 8785: keys in order, no spaces, nothing escaped that need not be. An exported
line is an entry's canonical bytes, so that anybody can hold an export against the anchors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final

from longshore_storage.catalogue.rows import AuditEntry, AuditSeal

FORMAT: Final = 1
_FIELDS: Final = tuple(field.name for field in fields(AuditEntry))
_JSON: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def canonical(entry: AuditEntry) -> bytes:
    """An entry's bytes, the same for ever; time in UTC with six digits."""
    # Of every entry there is, beside calls that are to be answered: `asdict` took four times as long.
    values = {name: getattr(entry, name) for name in _FIELDS}
    values["time"] = _moment(entry.time)
    return _json(values)


def digest(entry: AuditEntry) -> str:
    """The sha256 of an entry's canonical bytes, in hexadecimal."""
    return hashlib.sha256(canonical(entry)).hexdigest()


def rows_sha256(digests: Iterable[str]) -> str:
    """The sha256 of the entries' digests, 32 bytes each, in the order of their ids."""
    whole = hashlib.sha256()
    for one in digests:
        whole.update(bytes.fromhex(one))
    return whole.hexdigest()


def head_document(seal: AuditSeal, chain: str) -> bytes:
    """What a seal's head is the sha256 of."""
    return _json(
        {
            "format": FORMAT,
            "chain": chain,
            "number": seal.number,
            "first_id": seal.first_id,
            "last_id": seal.last_id,
            "entry_count": seal.entry_count,
            "rows_sha256": seal.rows_sha256,
            "previous_head": seal.previous_head,
            "time": _moment(seal.time),
        }
    )


def head(seal: AuditSeal, chain: str) -> str:
    """The head that a seal must have, whatever stands in its own."""
    return hashlib.sha256(head_document(seal, chain)).hexdigest()


def make_seal(digests: Mapping[int, str], previous: AuditSeal | None, chain: str, now: datetime) -> AuditSeal:
    """The seal of the entries that follow ``previous``, by their digests in the order of their ids."""
    ids = list(digests)
    fields: dict[str, Any] = {
        "number": previous.number + 1 if previous else 1,
        "first_id": ids[0],
        "last_id": ids[-1],
        "entry_count": len(ids),
        "rows_sha256": rows_sha256(digests.values()),
        "previous_head": previous.head if previous else "",
        # A clock that was set back makes no seal older than the one before: verifying holds it against that.
        "time": max(now, previous.time) if previous else now,
    }
    return AuditSeal(**fields, head=head(AuditSeal(**fields, head=""), chain))


def _moment(time: datetime) -> str:
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _json(values: Mapping[str, Any]) -> bytes:
    return _JSON.encode(values).encode()
