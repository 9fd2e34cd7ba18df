"""What commands on a node do to the stores is told in the audit trail: who of which host, and what."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
from collections.abc import Sequence
from pathlib import Path

from click.testing import CliRunner

from longshore_server.commands import admin
from longshore_storage.catalogue import open_catalogue
from longshore_storage.catalogue.audit_seals import BEGIN, entries_between
from longshore_storage.catalogue.rows import AuditEntry

from .gone_nodes import gone

# In an order in which each finds what it needs; restoring comes last, since it takes back the trail too.
CHANGES = (
    (["token", "create", "ci", "--role", "viewer"], "token.created"),
    (["token", "revoke", "ci"], "token.revoked"),
    (["rebuild"], "database.rebuilt"),
    (["scrub"], "store.scrubbed"),
    (["compact"], "store.compacted"),
    (["gc"], "store.collected"),
    (["gc", "--take-over", "--yes"], "store.taken_over"),
    (["remove-node", "gone", "--yes"], "node.removed"),
    (["backup", "FILE"], "database.backed_up"),
    (["restore", "FILE", "--replace", "--yes"], "database.restored"),
)
# `audit seal` does what nodes do all the time, and `migrate` tells of a schema that is raised.
OTHERS = {"audit", "config", "grants", "migrate"}


def test_each_command_changes_or_reads() -> None:
    """A new one has to be put into one of the tables above, and is then tried."""
    assert set(admin.commands) == {words[0] for words, _ in CHANGES} | OTHERS


def test_every_change_leaves_an_entry(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    _run(folder, ["migrate"])
    asyncio.run(_boot_and_go(folder))
    me = f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"
    for words, action in CHANGES:
        _run(folder, [word.replace("FILE", str(tmp_path / "backup")) for word in words])
        told = [one for one in asyncio.run(_entries(folder)) if one.action == action]
        assert [(one.principal, one.peer) for one in told] == [("admin", me)], words


def test_what_changes_nothing_leaves_none(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    _run(folder, ["migrate"])
    # A backup may still be restored into what was only just made.
    _run(folder, ["migrate"])
    for words in (["compact", "--dry-run"], ["gc", "--dry-run"], ["token", "list"]):
        _run(folder, words)
    assert not asyncio.run(_entries(folder))


def _run(folder: Path, words: Sequence[str]) -> None:
    result = CliRunner().invoke(admin, [*words, "--data-dir", str(folder)])
    assert result.exit_code == 0, result.output


async def _boot_and_go(folder: Path) -> None:
    catalogue = open_catalogue(f"sqlite:///{folder}/longshore.db")
    await gone(catalogue)
    await catalogue.close()


async def _entries(folder: Path) -> Sequence[AuditEntry]:
    catalogue = open_catalogue(f"sqlite:///{folder}/longshore.db")
    async with catalogue.reading() as transaction:
        found = await entries_between(transaction, BEGIN, since=None, until=None, limit=100)
    await catalogue.close()
    return found
