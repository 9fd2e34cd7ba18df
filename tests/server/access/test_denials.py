"""Denials are written down, and nobody keeps those of others out by being denied a lot."""

from __future__ import annotations

import pytest

from longshore_server.access.denials import Denials
from longshore_storage.catalogue import Catalogue
from longshore_storage.catalogue.audit_trail import list_audit
from longshore_storage.catalogue.rows import Actor


@pytest.mark.parametrize("principal", ["mallory", "unknown"])
async def test_many_of_one_leave_room_for_others(catalogue: Catalogue, principal: str) -> None:
    denials = Denials(catalogue)
    for number in range(400):
        actor = Actor(principal, f"[2001:db8::{number:x}]:5000")
        await denials.record(actor, "deployment.create", "no", project=f"p{number}")
    await denials.record(Actor("bob", "127.0.0.1:5000"), "deployment.create", "no", project="shop")
    async with catalogue.reading() as transaction:
        written = await list_audit(transaction, before_id=None, limit=500)
    assert written[0].principal == "bob"
    assert 10 <= len(written) <= 100


async def test_one_with_long_names_is_written_down_short(catalogue: Catalogue) -> None:
    long = "x" * 1_000_000
    await Denials(catalogue).record(
        Actor("mallory", "127.0.0.1:5000"), "cluster.read", long, project=long, environment=long
    )
    async with catalogue.reading() as transaction:
        (entry,) = await list_audit(transaction, before_id=None, limit=5)
    assert (len(entry.message), len(entry.project), len(entry.environment)) == (1000, 200, 200)
