"""The addresses in an index of this machine: usable by whoever fetches, and without anybody's secret.

Codes: ADDRESS_INVALID, ADDRESS_WITH_CREDENTIALS, and of archives that lie beside the index
ARCHIVE_UNREADABLE, CHECKSUM_MISMATCH, ARCHIVE_DIFFERS and ARCHIVE_REFUSED. No message repeats a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import parse_qsl

from longshore_bundles.findings import Finding, FindingLog, Severity, printable
from longshore_bundles.kinds import BundleKind
from longshore_bundles.registry import (
    GIT,
    Index,
    IndexedPack,
    IndexedRelease,
    InstallSource,
    is_beside,
)

from .contents import scanned
from .errors import PayloadUnreadable
from .source_errors import SourceDamaged, SourceError, SourceInvalid, SourceNotFound, SourceRefused
from .sources.beside import archive_beside
from .sources.checksums import Checksum
from .sources.downloads import local_file
from .sources.git_urls import check_ref, git_source
from .sources.urls import checked_url, shown_text, shown_url

_SECRET: Final = re.compile(
    r"token|secret|passw|pwd|signature|credential|(?:api|access|private)[_-]?key"
    r"|^(?:auth|authorization|jwt|key|sig)$",
    re.IGNORECASE,
)
_ADVICE: Final = "name an archive by https://…, or by its path below the folder of the index"
_URL: Final = re.compile(r"https?://", re.IGNORECASE)


def check_addresses(packs: Sequence[IndexedPack], log: FindingLog, *, path: Path) -> None:
    """Hold every address of packs in an index at ``path`` against the rules of fetching."""
    for pack, release, source in _sources(packs):
        try:
            _check(source)
        except SourceError as error:
            credentials = isinstance(error, SourceRefused)
            code = "ADDRESS_WITH_CREDENTIALS" if credentials else "ADDRESS_INVALID"
            _tell(log, code, f"'{pack.ref}' {release.version}: {error.message}", path)


def check_archives(index: Index, log: FindingLog, *, path: Path) -> None:
    """Hold every archive that lies beside an index at ``path`` against what the index says of its version."""
    for pack, release, source in _sources(index.packs):
        if not is_beside(source) or not _is_below(source.url):
            continue
        try:
            archive = archive_beside(path, source.url)
            local_file(archive, Checksum.parse(release.checksum))
            wrong = _misdescribed(archive, pack.ref, release.version)
        except SourceRefused as error:
            code, message = "ADDRESS_INVALID", error.message
        except SourceDamaged as error:
            code, message = "CHECKSUM_MISMATCH", error.message
        except (SourceNotFound, PayloadUnreadable) as error:
            code, message = "ARCHIVE_UNREADABLE", error.message
        else:
            if wrong is None:
                continue
            code, message = wrong
        _tell(log, code, f"'{pack.ref}' {release.version}: {message}", path)


def _misdescribed(archive: Path, ref: str, version: str) -> tuple[str, str] | None:
    """Why an archive cannot be deployed as a version of a pack, with a code; None where it can.

    Raises ``PayloadUnreadable``.
    """
    found = scanned(archive)
    shown = printable(archive.name)
    manifest = found.manifest
    if found.accepted and found.kind is not BundleKind.PACK:
        return "ARCHIVE_DIFFERS", f"{shown} is a {found.kind.value}: an index has packs only"
    if manifest and (manifest.project not in ("", ref) or manifest.version not in ("", version)):
        says = " ".join(filter(None, (printable(manifest.name), manifest.version)))
        told = f"the {' and '.join(manifest.file_names)} in {shown} says {says}"
        return "ARCHIVE_DIFFERS", f"{told}, so nobody can deploy it by this: put it in as what it is"
    if not found.accepted:
        first = found.findings[0]
        where = f"{first.path}: " if first.path else ""
        return "ARCHIVE_REFUSED", f"{shown} would be refused: {where}{first.message}"
    return None


def _check(source: InstallSource) -> None:
    """Raises ``SourceInvalid`` for what nobody can fetch, ``SourceRefused`` for what carries a secret."""
    url = source.url
    if source.type == GIT:
        if git_source(url).url.startswith("file:"):
            raise SourceInvalid(
                f"{shown_url(url)} is a path: an index names a repository by https://…, or by ssh"
            )
        check_ref(source.ref)
    elif not url or url.startswith("-"):
        raise SourceInvalid(
            f"{_shown(url)} is no address, which is not empty and does not begin with '-': {_ADVICE}"
        )
    elif is_beside(source):
        if not _is_below(url):
            raise SourceInvalid(f"{_shown(url)} does not lie below the folder of the index: {_ADVICE}")
    elif _URL.match(url) is None:
        raise SourceInvalid(f"{_shown(url)} cannot be fetched: {_ADVICE}")
    else:
        parts = checked_url(url, "http", "https")
        _refuse_secrets(f"{parts.query}&{parts.fragment}")


def _refuse_secrets(fields: str) -> None:
    for name, _ in parse_qsl(fields, keep_blank_values=True):
        if _SECRET.search(name):
            raise SourceRefused(
                f"the address carries {printable(name[:100])!r}, and an index would tell it everybody: leave "
                "it out; whoever fetches gives a token with --source-token-env"
            )


def _shown(url: str) -> str:
    return repr(printable(shown_text(url)))


def _is_below(url: str) -> bool:
    return url.isprintable() and " " not in url and ".." not in PurePosixPath(url).parts


def _sources(
    packs: Sequence[IndexedPack],
) -> Iterator[tuple[IndexedPack, IndexedRelease, InstallSource]]:
    for pack in packs:
        for release in pack.releases:
            for source in release.install_sources:
                yield pack, release, source


def _tell(log: FindingLog, code: str, message: str, path: Path) -> None:
    log.add(Finding(code, Severity.ERROR, message, str(path)))
