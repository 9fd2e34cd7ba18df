"""What seals are made of: entries as canonical bytes, their digests, and heads that follow from each other.

Canonical JSON is that of RFC 8785: keys in order, no spaces, nothing escaped that need not be. An exported
line is an entry's canonical bytes, so that anybody can hold an export against the anchors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from json.encoder import encode_basestring as _quoted
from typing import Any, Final

from longshore_storage.catalogue.rows import AuditEntry, AuditSeal

FORMAT: Final = 1
_FIELDS: Final = tuple(field.name for field in fields(AuditEntry))
_JSON: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def canonical(entry: AuditEntry) -> bytes:
    """An entry's bytes, the same for ever; time in UTC with six digits."""
    return _line([getattr(entry, name) for name in _FIELDS])


def digest(entry: AuditEntry) -> str:
    """The sha256 of an entry's canonical bytes, in hexadecimal."""
    return hashlib.sha256(canonical(entry)).hexdigest()


def row_digest(row: Sequence[Any]) -> str:
    """The digest of an entry that is not made: of its row, with columns in the order of its fields."""
    return hashlib.sha256(_line(row)).hexdigest()


def rows_sha256(digests: Iterable[str]) -> str:
    """The sha256 of the entries' digests, 32 bytes each, in the order of their ids."""
    return hashlib.sha256(b"".join(map(bytes.fromhex, digests))).hexdigest()


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


def _line(row: Sequence[Any]) -> bytes:
    # Of every entry there is, beside calls that are to be answered: JSON's encoder takes six times as long.
    entry_id, time, *texts = row
    (
        principal,
        peer,
        request_id,
        action,
        project,
        environment,
        deployment_id,
        version,
        from_status,
        to_status,
        result,
        reason,
        message,
    ) = map(_quoted, texts)
    return (
        f'{{"action":{action},"deployment_id":{deployment_id},"environment":{environment}'
        f',"from_status":{from_status},"id":{entry_id},"message":{message},"peer":{peer}'
        f',"principal":{principal},"project":{project},"reason":{reason},"request_id":{request_id}'
        f',"result":{result},"time":"{_moment(time)}","to_status":{to_status},"version":{version}}}'
    ).encode()


def _moment(time: datetime) -> str:
    # Without the "+00:00".
    return time.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _json(values: Mapping[str, Any]) -> bytes:
    return _JSON.encode(values).encode()
