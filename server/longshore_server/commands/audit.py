"""``longshore admin audit``: the audit trail sealed, verified and exported, beside nodes or without them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import click

from longshore_server.auditing import make_sealing
from longshore_server.counting import counted as of_number
from longshore_server.counting import tally
from longshore_server.settings import Settings
from longshore_server.stores import open_blobs, open_catalogue_of
from longshore_storage.auditing import Finding, Restoration, Verified, exported_lines
from longshore_storage.auditing import verify as verify_trail
from longshore_storage.private_files import open_private

from .acting import admin_actor
from .finite import Finite
from .running import run_with_settings, where

_EXIT_WRONG = 1
# Further ones are counted: whoever cleared a table is told so in fewer lines.
_MOST_TOLD = 1000


@click.group(epilog="Example: longshore admin audit verify --config longshore.yaml")
def audit() -> None:
    """Prove the audit trail, and take it elsewhere."""


@audit.command(epilog="Example: longshore admin audit seal --config longshore.yaml")
@where
def seal(config: Path | None, data_dir: Path | None) -> None:
    """Seal and anchor now what is not sealed yet; control nodes do so every `audit.seal_every_s`."""

    async def run(settings: Settings) -> None:
        async with AsyncExitStack() as stack:
            catalogue = open_catalogue_of(settings, stack)
            await catalogue.check()
            blobs = await open_blobs(settings, stack)
            report = await make_sealing(settings.audit, catalogue, blobs, admin_actor()).run()
        batches = of_number(report.batches, "batch", "batches")
        click.echo(tally(report.entries, "entry", f"sealed, in {batches}", "entries"))
        click.echo(tally(report.anchored, "batch", "anchored in the blob store", "batches"))
        if report.removed:
            click.echo(tally(report.removed, "entry", "removed, older than `audit.keep_for_s`", "entries"))

    run_with_settings(config, {"data_dir": data_dir}, run)


@audit.command(epilog="Example: longshore admin audit verify --config longshore.yaml")
@where
@click.option(
    "--restored",
    "restorations",
    nargs=2,
    multiple=True,
    metavar="BACKUP RESTORED",
    help="The database was restored: from a backup of the first moment, at the second one. Heads that were "
    "sealed in between are told, and expected. May be given several times.",
)
@click.option(
    "--kept-for",
    "kept_for_s",
    type=Finite(1),
    metavar="SECONDS",
    help="The shortest time that entries were ever kept for, where `audit.keep_for_s` is another now.",
)
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How to print.")
def verify(
    config: Path | None,
    data_dir: Path | None,
    restorations: Sequence[tuple[str, str]],
    kept_for_s: float | None,
    output: str,
) -> None:
    """Hold every entry against its seal, and every seal against its anchor. Changes nothing.

    The exit code is 1 when an entry was changed or inserted after it was sealed, or removed before it was
    older than `audit.keep_for_s`, or the chain of seals was written anew. Entries that no seal proves yet are
    counted.
    """
    counted = Verified()
    told: list[Finding] = []
    known = [
        Restoration(_moment(backup, "--restored"), _moment(restored, "--restored"))
        for backup, restored in restorations
    ]

    async def run(settings: Settings) -> None:
        keep_for_s = kept_for_s or settings.audit.keep_for_s
        keep_for = timedelta(seconds=keep_for_s) if keep_for_s else None
        async with AsyncExitStack() as stack:
            catalogue = open_catalogue_of(settings, stack)
            await catalogue.check()
            blobs = await open_blobs(settings, stack)
            found = verify_trail(catalogue, blobs, counted, keep_for=keep_for, restorations=known)
            findings = await stack.enter_async_context(aclosing(found))
            async for finding in findings:
                if len(told) < _MOST_TOLD:
                    told.append(finding)
        _print(counted, told, output)

    run_with_settings(config, {"data_dir": data_dir}, run)
    if counted.findings:
        raise SystemExit(_EXIT_WRONG)


def _print(counted: Verified, told: list[Finding], output: str) -> None:
    if output == "json":
        findings = [asdict(finding) for finding in told]
        click.echo(json.dumps({**asdict(counted), "findings": findings, "total": counted.findings}, indent=2))
        return
    for finding in told:
        entry = f", entry {finding.entry_id}" if finding.entry_id is not None else ""
        expected = "expected, " if finding.expected else ""
        click.echo(f"{expected}{finding.fault}: batch {finding.batch}{entry}: {finding.message}")
    if (more := counted.findings + counted.expected - len(told)) > 0:
        click.echo(f"and {more} more")
    removed = f"looked at, {counted.removed_batches} removed by retention"
    click.echo(tally(counted.batches, "batch", removed, "batches"))
    click.echo(tally(counted.entries, "entry", "proved", "entries"))
    if counted.unanchored_batches:
        click.echo(tally(counted.unanchored_batches, "batch", "not anchored yet", "batches"))
    click.echo(tally(counted.unsealed_entries, "entry", "not sealed yet", "entries"))
    if counted.expected:
        click.echo(tally(counted.expected, "thing", "that a restore explains"))
    click.echo(tally(counted.findings, "thing", "wrong"))


@audit.command(epilog="Example: longshore admin audit export --since 2026-11-01 -o november.jsonl")
@where
@click.option("--since", metavar="TIME", help="From this moment on, like 2026-11-01 or 2026-11-01T08:00Z.")
@click.option("--until", metavar="TIME", help="Before this moment, likewise.")
@click.option(
    "-o",
    "--output",
    "path",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write there, for its owner only, rather than to standard output.",
)
def export(
    config: Path | None, data_dir: Path | None, since: str | None, until: str | None, path: Path | None
) -> None:
    """Write entries as JSON lines, the oldest first. A line's sha256 is what its batch's anchor has."""
    begin = _moment(since, "--since") if since is not None else None
    end = _moment(until, "--until") if until is not None else None

    async def run(settings: Settings) -> None:
        async with AsyncExitStack() as stack:
            catalogue = open_catalogue_of(settings, stack)
            await catalogue.check()
            lines = exported_lines(catalogue, since=begin, until=end)
            if path is None:
                await _write(lines, sys.stdout.buffer)
                return
            with _written_whole(path) as file:
                written = await _write(lines, file)
        click.echo(f"{of_number(written, 'entry', 'entries')} written to {path}", err=True)

    run_with_settings(config, {"data_dir": data_dir}, run)


async def _write(lines: AsyncIterator[bytes], file: BinaryIO) -> int:
    written = 0
    async for line in lines:
        file.write(line + b"\n")
        written += 1
    file.flush()
    return written


@contextmanager
def _written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file, for its owner only, that has its name when the block has ended well; nothing else had it."""
    if os.path.lexists(path):
        # Somebody else's link or pipe, the export of last month: what it was meant for is not known here.
        raise click.ClickException(f"{path} is there already: choose another name, or remove it")
    beside = path.with_name(f"{path.name}.unfinished")
    try:
        with os.fdopen(open_private(beside), "wb") as file:
            try:
                file.truncate(0)
                yield file
                file.flush()
                os.fsync(file.fileno())
                beside.replace(path)
            finally:
                beside.unlink(missing_ok=True)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror or error}") from error


def _moment(text: str, option: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            "must be a day or a moment, like 2026-11-01 or 2026-11-01T08:00Z", param_hint=option
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
