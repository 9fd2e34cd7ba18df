"""``longshore deploy`` of what is not on this machine yet: fetching it beforehand."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from .screen import moves
from .web_pages import repository_shown_at
from .wording import safe

if TYPE_CHECKING:
    from longshore_bundles import UnpackLimits
    from longshore_client.bundle_models import Source
    from longshore_client.models import PayloadFormat
    from longshore_client.sources import Fetched
    from longshore_client.sources import Source as FetchedFrom

    from .session import Session
    from .source_choice import SourceChoice

_FOLDER: Final = "longshore-source-"


@dataclass(frozen=True, slots=True)
class Sourced:
    """A payload on this machine; what is None the payload itself, or the library, tells.

    ``sha256`` is that of what was looked at, so that nothing else is deployed. ``stays`` says that it lies
    here also when the command has ended, ``from_index`` that an index named it.
    """

    path: Path
    taken_from: Source | None = None
    project: str | None = None
    version: str | None = None
    payload_format: PayloadFormat | None = None
    sha256: str | None = None
    stays: bool = False
    from_index: bool = False

    @property
    def limits(self) -> UnpackLimits:
        """How much of it is unpacked on this machine, to be looked through."""
        from longshore_bundles import DEFAULT_LIMITS
        from longshore_client.contents import FETCHED_LIMITS

        return DEFAULT_LIMITS if self.stays else FETCHED_LIMITS


@contextmanager
def sourced(
    session: Session, text: str, choice: SourceChoice, *, with_dependencies: bool
) -> Iterator[Sourced]:
    """The payload that ``text`` names, for as long as the block runs.

    Raises ``SourceError``, and ``click.UsageError`` for options that say nothing about such a source.
    """
    from longshore_client.sources import PathSource, fetch

    options = choice.options()
    source = _understood(text, has_index=bool(choice.indexes))
    choice.check_for(source, with_dependencies=with_dependencies)
    if isinstance(source, PathSource):
        payload = Sourced(Path(text), stays=True)
        if options.checksum is not None:
            # Where it lies is recorded from the root on; links keep their names.
            here = replace(source, path=Path(os.path.abspath(source.path)))  # noqa: PTH100
            fetched = fetch(here, Path(), options)
            payload = replace(payload, taken_from=fetched.as_source(), sha256=_sha256(fetched))
        yield payload
        return
    with tempfile.TemporaryDirectory(prefix=_FOLDER) as folder:
        with fetching_bar(session, text) as moved:
            fetched = fetch(source, Path(folder), options, moved)
        _say(session, fetched)
        yield found(fetched)


def found(fetched: Fetched) -> Sourced:
    """A payload that was fetched, and what it is deployed as."""
    from longshore_bundles.identity import usable_version
    from longshore_client.contents import FETCHED_LIMITS, scanned

    # What a package calls itself counts; a wheel has no manifest of ours, and many archives of sources none.
    manifest = scanned(fetched.path, FETCHED_LIMITS).manifest if fetched.name else None
    return Sourced(
        fetched.path,
        fetched.as_source(),
        project=_project(fetched.name) if manifest is None or not manifest.project else None,
        version=usable_version(fetched.version) or None if manifest is None or not manifest.version else None,
        payload_format=fetched.payload_format,
        sha256=_sha256(fetched),
        from_index=bool(fetched.provenance.index),
    )


def _understood(text: str, *, has_index: bool) -> FetchedFrom:
    """What ``text`` means. Raises ``SourceError`` with what to write for what is none."""
    from longshore_client.sources import IndexSource, SourceInvalid, SourceNotFound, UrlSource, parse_source

    source = parse_source(text)
    if isinstance(source, UrlSource) and (repository := repository_shown_at(source.url)) is not None:
        raise SourceInvalid(f"{text} is the page that shows a repository: write {repository}")
    if isinstance(source, IndexSource) and not has_index:
        raise SourceNotFound(
            f"{text} does not exist, and there is no index to look it up in: name one with --index"
        )
    return source


def _sha256(fetched: Fetched) -> str | None:
    """Of the bytes to be sent: those of a file, or of a tree's canonical tar."""
    algorithm, _, digits = fetched.provenance.checksum.partition(":")
    return digits if algorithm == "sha256" else None


def _project(name: str) -> str | None:
    from longshore_bundles import InvalidName, project_from_name

    try:
        return project_from_name(name) if name else None
    except InvalidName:
        return None


def _say(session: Session, fetched: Fetched) -> None:
    if session.printer.quiet:
        return
    told = fetched.provenance
    of = f" {safe(told.ref)}" if told.ref else ""
    how = f"verified by {safe(told.verified_by)}" if told.verified else "not verified"
    click.echo(f"fetched {safe(told.url)}{of}, {how}", err=True)
    for note in fetched.notes:
        click.echo(f"  {safe(note)}", err=True)


@contextmanager
def fetching_bar(session: Session, text: str) -> Iterator[Callable[[int, int | None], None] | None]:
    """Where bytes are told as they come; None where nothing moves."""
    stream = sys.stderr
    if session.printer.quiet or not moves(stream, plain=session.printer.plain):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    shown = Progress(*columns, TransferSpeedColumn(), console=console, transient=True)
    task = shown.add_task(f"fetching {safe(text)}"[:40], total=None)
    is_over = False

    def moved(done: int, total: int | None) -> None:
        if is_over:
            # A thread that was left behind goes on for a moment.
            return
        if not shown.live.is_started and total != done:
            shown.start()
        shown.update(task, completed=done, total=total)
        if total == done:
            shown.stop()

    try:
        yield moved
    finally:
        is_over = True
        shown.stop()
