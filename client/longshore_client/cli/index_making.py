"""What the commands that make and change indexes share: where a pack is fetched from, and what goes wrong."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from .failing import finding_lines
from .printer import Printer
from .wording import count

if TYPE_CHECKING:
    from longshore_bundles import FindingLog
    from longshore_bundles.registry import Index, IndexedPack

    from .results import IndexVerified

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Where a pack's version is fetched from: addresses of archives, and a git repository with its ref."""

    urls: tuple[str, ...]
    git: str | None
    git_ref: str | None


EXAMPLE_SOURCE: Final = SourceOptions(("https://packs.example.org/REF-VERSION.tar",), None, None)
"""What stands in an entry until its author knows better."""


def source_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add ``--url``, ``--git`` and ``--git-ref``, which the function gets as ``sources``."""

    @functools.wraps(function)
    def command(
        *args: Any, urls: tuple[str, ...], git: str | None, git_ref: str | None, **options: Any
    ) -> None:
        if bool(git) != bool(git_ref):
            raise click.UsageError(
                "--git and --git-ref go together: the repository, and a tag or commit in it"
            )
        function(*args, sources=SourceOptions(urls, git, git_ref), **options)

    url = click.option(
        "--url", "urls", multiple=True, help="Where an archive of it is fetched from; repeatable."
    )
    git = click.option("--git", metavar="URL", help="The git repository that it is fetched from.")
    ref = click.option("--git-ref", metavar="REF", help="The tag or commit there.")
    return url(git(ref(command)))


def made_entry(path: Path, sources: SourceOptions) -> IndexedPack:
    """The entry of the pack at a path. Raises as ``index_entries.entry_at``, and ``IndexRefused``."""
    from longshore_bundles.registry import ARCHIVE, GIT, InstallSource
    from longshore_client.index_entries import entry_at

    archives = [InstallSource(ARCHIVE, url) for url in sources.urls]
    git = [InstallSource(GIT, sources.git, sources.git_ref)] if sources.git and sources.git_ref else []
    return checked_sources(entry_at(path, (*archives, *git), published_at=now()), path)


def checked_sources(entry: IndexedPack, path: Path) -> IndexedPack:
    """The entry, which others can fetch from where it says, and whose addresses carry no secrets.

    ``path`` is what the findings are about. Raises ``IndexRefused``.
    """
    from longshore_bundles import FindingLog
    from longshore_client.contents import findings_of
    from longshore_client.errors import IndexRefused
    from longshore_client.index_addresses import check_addresses

    log = FindingLog()
    check_addresses([entry], log, path=path)
    if log.has_errors:
        raise IndexRefused(
            "an index must not name this address",
            findings=findings_of(log.findings()),
            total_findings=log.total,
        )
    return entry


def merged(files: Sequence[Path], out: Path, name: str | None) -> Index:
    """What the indexes make together in the file ``out``, where paths of archives begin in its folder.

    Raises ``PayloadUnreadable``, ``IndexRefused``.
    """
    from longshore_bundles import registry
    from longshore_client.index_addresses import check_addresses
    from longshore_client.index_files import read_index_file

    folder = _folder(out)
    indexes = [
        (str(path), registry.moved_index(read_index_file(path), _folder(path), folder)) for path in files
    ]

    def change(log: FindingLog) -> Index | None:
        index = registry.merge_indexes(indexes, log, registry_name=name, last_updated=now())
        if index is not None:
            check_addresses(index.packs, log, path=out)
        return None if log.has_errors else index

    return changed(f"{out} is left as it is", change)


def _folder(path: Path) -> str:
    """The folder in which a file is, behind all links."""
    return str(Path(os.path.realpath(path)).parent)


def changed(otherwise: str, change: Callable[[FindingLog], Index | None]) -> Index:
    """What ``change`` makes. Raises ``IndexRefused`` with what it finds, saying that ``otherwise`` is so."""
    from longshore_bundles import FindingLog
    from longshore_client.contents import findings_of
    from longshore_client.errors import IndexRefused

    log = FindingLog()
    index = change(log)
    if index is None:
        raise IndexRefused(otherwise, findings=findings_of(log.findings()), total_findings=log.total)
    return index


def now() -> str:
    """The time as an index tells it."""
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def print_document(text: str) -> None:
    """Print a document as it is; what a terminal must not get is escaped as JSON escapes it."""
    from .printing import escaped

    click.echo(escaped(text), nl=False)


def verified(file: Path, paths: tuple[Path, ...]) -> IndexVerified:
    """Hold an index's file, and the packs at ``paths`` against it. Raises as reading them does."""
    from longshore_bundles import FindingLog
    from longshore_bundles.registry import verify_packs, verify_sources
    from longshore_client.contents import findings_of
    from longshore_client.index_addresses import check_addresses, check_archives
    from longshore_client.index_entries import entry_at
    from longshore_client.index_files import index_if_any

    from .results import IndexVerified

    log = FindingLog()
    index = index_if_any(file, log)
    if index is not None:
        verify_sources(index, log, path=str(file))
        check_addresses(index.packs, log, path=file)
        check_archives(index, log, path=file)
        verify_packs(index, [(str(path), entry_at(path)) for path in paths], log)
    packs = index.packs if index else ()
    return IndexVerified(
        file,
        not log.has_errors,
        len(packs),
        sum(len(pack.releases) for pack in packs),
        tuple(findings_of(log.findings())),
        log.total,
    )


def print_verified(printer: Printer, verified: IndexVerified) -> None:
    """Print what became of verifying an index. Raises ``IndexRefused`` when it does not hold."""
    from longshore_client.errors import IndexRefused

    if printer.for_programs or verified.valid:
        told = f"{count(verified.packs, 'pack')} in {count(verified.releases, 'version')}"
        printer.result(verified, sentence=f"{verified.path} holds: {told}", name=str(verified.path))
        for line in finding_lines(verified.findings, verified.total_findings) if printer.for_people else ():
            click.echo(f"  {line}")
    if not verified.valid:
        raise IndexRefused(
            f"{verified.path} does not hold what it says",
            findings=verified.findings,
            total_findings=verified.total_findings,
        )
