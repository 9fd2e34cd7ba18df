"""An entry's canonical bytes: anchors of years ago prove them, so they stay what they are."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from longshore_storage.auditing.proof import canonical, digest, row_digest
from longshore_storage.catalogue import audit_seals
from longshore_storage.catalogue.audit_trail import AuditResult, record_audit, record_audits
from longshore_storage.catalogue.rows import AuditEntry

from .trails import ANNA, Trail

ENTRY = AuditEntry(
    id=4711,
    time=datetime(2026, 11, 22, 9, 30, 0, 120, tzinfo=UTC),
    principal="anna@example.com",
    peer="ipv4:192.0.2.1:40000",
    request_id="0123456789abcdef",
    action="deployment.failed",
    project="zürich",
    environment="default",
    deployment_id="7d9f",
    version="1.0.0",
    from_status="ROLLING_OUT",
    to_status="FAILED",
    result="FAILED",
    reason="HOOK_FAILED",
    message='it said "no" \\ \u2028 \x7f \x01 🙂\r\n\t/',
)


def columns(entry: AuditEntry) -> list[object]:
    """The entry as a row has it."""
    return list(asdict(entry).values())


def test_the_bytes_are_these() -> None:
    line = (
        '{"action":"deployment.failed","deployment_id":"7d9f","environment":"default",'
        '"from_status":"ROLLING_OUT","id":4711,'
        '"message":"it said \\"no\\" \\\\ \u2028 \x7f \\u0001 🙂\\r\\n\\t/",'
        '"peer":"ipv4:192.0.2.1:40000","principal":"anna@example.com","project":"zürich",'
        '"reason":"HOOK_FAILED","request_id":"0123456789abcdef","result":"FAILED",'
        '"time":"2026-11-22T09:30:00.000120Z","to_status":"FAILED","version":"1.0.0"}'
    ).encode()
    assert canonical(ENTRY) == line
    assert digest(ENTRY) == row_digest(columns(ENTRY)) == hashlib.sha256(line).hexdigest()


def test_of_another_zone_it_is_the_same_moment() -> None:
    elsewhere = ENTRY.time.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert canonical(replace(ENTRY, time=elsewhere)) == canonical(ENTRY)


_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    st.builds(
        AuditEntry,
        **{name: _TEXT for name, value in asdict(ENTRY).items() if isinstance(value, str)},
        id=st.integers(min_value=-(1 << 63), max_value=(1 << 63) - 1),
        time=st.datetimes(
            datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=st.timezones(), allow_imaginary=False
        ),
    )
)
def test_are_what_a_json_encoder_makes_of_all_columns(entry: AuditEntry) -> None:
    time = entry.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    made = json.dumps(
        asdict(entry) | {"time": time}, ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )
    assert canonical(entry) == made.encode()
    assert row_digest(columns(entry)) == digest(entry)


async def test_rows_are_the_entries(trail: Trail) -> None:
    """With a difference between any two columns, and those of several entries written at once."""
    async with trail.catalogue.transaction() as transaction:
        await record_audit(
            transaction,
            ANNA,
            "an.action",
            project="a project",
            environment="an environment",
            version="a version",
            from_status="FROM",
            to_status="TO",
            result=AuditResult.DENIED,
            reason="A_REASON",
            message="zwölf \u2028 🙂",
        )
        await record_audits(
            transaction,
            ANNA,
            "payload.reclaimed",
            project="netops",
            messages={"1.0.0": "1 byte", "2.0.0": "zwölf"},
            from_status="STORED",
            to_status="RECLAIMED",
        )
        await record_audits(transaction, ANNA, "payload.reclaimed", project="netops", messages={})
    entries = await trail.entries()
    async with trail.catalogue.reading() as transaction:
        rows = await audit_seals.rows_after(transaction, audit_seals.BEGIN, through=entries[-1].id, limit=10)
        fewer = await audit_seals.rows_after(transaction, entries[0].id, through=entries[1].id, limit=10)
        first = await audit_seals.rows_after(transaction, audit_seals.BEGIN, through=entries[-1].id, limit=2)
    assert [row_digest(row) for row in rows] == [digest(entry) for entry in entries]
    assert [row[0] for row in fewer] == [entries[1].id]
    assert [row[0] for row in first] == [entry.id for entry in entries[:2]]
    written = [
        (each.project, each.version, each.message, each.from_status, each.to_status) for each in entries
    ]
    assert written == [
        ("a project", "a version", "zwölf \u2028 🙂", "FROM", "TO"),
        ("netops", "1.0.0", "1 byte", "STORED", "RECLAIMED"),
        ("netops", "2.0.0", "zwölf", "STORED", "RECLAIMED"),
    ]
    assert {(each.principal, each.peer, each.request_id) for each in entries} == {
        (ANNA.principal, ANNA.peer, ANNA.request_id)
    }
    assert [each.action for each in entries] == ["an.action", *["payload.reclaimed"] * 2]
