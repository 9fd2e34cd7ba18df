"""Bundles by their ref in registry indexes: which version is meant, and which of its sources can be had.

The first index that has a version that is wanted decides, so that a public index never stands in for an own
one before it; an index that cannot be read is an error, and not passed over. Whatever a version is fetched
from must have the content checksum that its index states.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from longshore_bundles import InvalidConstraint
from longshore_bundles.findings import FindingLog
from longshore_bundles.registry import (
    MAX_INDEX_BYTES,
    Index,
    IndexedPack,
    IndexedRelease,
    InstallSource,
    read_index,
)
from longshore_client.errors import LongshoreError, PayloadUnreadable
from longshore_client.file_opening import open_file
from longshore_client.source_errors import (
    SourceDamaged,
    SourceError,
    SourceInvalid,
    SourceNotFound,
    SourceRefused,
    SourceTooLarge,
    SourceUnavailable,
)

from .beside import archive_beside
from .checksums import Checksum
from .claims import Claim, hold_to_claim
from .documents import check_values
from .downloads import download, file_name_of, local_file
from .git_fetching import fetch_git
from .git_urls import check_ref, git_source
from .index_limits import check_index
from .options import Deadline, FetchOptions
from .source import Fetched, IndexSource, Progress, Provenance, SourceKind
from .urls import bare_url, joined, shown_text, shown_url
from .web import Web

_URL: Final = re.compile(r"https?://", re.IGNORECASE)
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|/|~")
_CHECKED: Final = "index checksum"


@dataclass(frozen=True, slots=True)
class OpenIndex:
    """An index that was read from ``location``, and the way to what it names."""

    location: str
    index: Index
    web: Web


def open_index(location: str, options: FetchOptions, deadline: Deadline) -> OpenIndex:
    """Read an index from a file or a URL. Raises ``SourceError``."""
    if _URL.match(location):
        web = Web(location, options, deadline)
        with web.get(location, accept="application/json", compressed=True) as answer:
            data = answer.document(MAX_INDEX_BYTES)
    else:
        web = Web(None, options, deadline)
        data = _read(location)
    shown = shown_url(location)
    check_values(data, location)
    log = FindingLog()
    index = read_index(data, shown, log)
    if index is None:
        first = log.findings()[0]
        line = f" (line {first.line})" if first.line else ""
        raise SourceDamaged(f"{shown} is no index that can be used{line}: {first.message}")
    check_index(index, shown)
    return OpenIndex(location, index, web)


def fetch_indexed(
    source: IndexSource, into: Path, options: FetchOptions, deadline: Deadline, on_progress: Progress | None
) -> Fetched:
    """Fetch the wanted version of a bundle from the first of its sources that can be had, and verify it.

    Raises ``SourceError``, ``DestinationUnusable``.
    """
    opened, pack, release = _found(source, options, deadline)
    if not release.install_sources:
        raise SourceNotFound(
            f"{shown_url(opened.location)} does not say where {pack.ref}@{release.version} is to be had"
        )
    if options.checksum not in (None, Checksum.parse(release.checksum)):
        raise SourceDamaged(
            f"{pack.ref}@{release.version} is to have {options.checksum}, but its index states "
            f"{release.checksum}"
        )
    failures: list[LongshoreError] = []
    for place in release.install_sources:
        try:
            fetched = _of_place(opened, place, release.checksum, into, options, deadline, on_progress)
        except LongshoreError as error:
            if deadline.passed:
                raise
            failures.append(error)
        else:
            hold_to_claim(fetched.path, _claim(opened, pack, release), into, deadline)
            provenance = replace(fetched.provenance, index=bare_url(opened.location))
            return replace(fetched, provenance=provenance, name=pack.ref, version=release.version)
    first, *others = failures
    for each in others:
        first.add_note(f"another source failed too: {each.message}")
    raise first


def _claim(opened: OpenIndex, pack: IndexedPack, release: IndexedRelease) -> Claim:
    return Claim(
        f"the index {shown_url(opened.location)}",
        pack.ref,
        release.version,
        lambda manifest: manifest.project == pack.ref,
        lambda version: version == release.version,
    )


def _found(
    source: IndexSource, options: FetchOptions, deadline: Deadline
) -> tuple[OpenIndex, IndexedPack, IndexedRelease]:
    if not options.indexes:
        raise SourceInvalid(
            f"{source.ref!r} is no path that exists, and there is no index to look it up in: name one with "
            "--index, or write ./ before a path"
        )
    there: list[str] = []
    tokenless = replace(options, token_env="")
    named = next(filter(_URL.match, options.indexes), None)
    for location in options.indexes:
        # Of several indexes the first alone gets the token: the others may be anybody's.
        opened = open_index(location, options if location == named else tokenless, deadline)
        pack = opened.index.pack(source.ref)
        release = _chosen(pack, source.wanted) if pack else None
        if pack is not None and release is not None:
            return opened, pack, release
        if pack is not None:
            there += [each.version for each in pack.releases]
    if there:
        raise SourceNotFound(
            f"{source.ref!r} has no version {source.wanted!r}; there are {', '.join(there[:8])}"
        )
    raise SourceNotFound(f"no index has {source.ref!r}: {', '.join(map(shown_url, options.indexes))}")


def _chosen(pack: IndexedPack, wanted: str) -> IndexedRelease | None:
    try:
        return pack.wanted(wanted)
    except InvalidConstraint:
        return None


def _of_place(
    opened: OpenIndex,
    place: InstallSource,
    checksum: str,
    into: Path,
    options: FetchOptions,
    deadline: Deadline,
    on_progress: Progress | None,
) -> Fetched:
    """Fetch from one of a version's sources, and hold it against its checksum."""
    expected = Checksum.parse(checksum)
    if place.type == "git":
        return _of_git(opened, place, expected, into, options, deadline)
    if _URL.match(place.url) or _URL.match(opened.location):
        url = joined(opened.location, place.url)
        found = download(
            opened.web,
            url,
            into / file_name_of(url),
            expected=expected,
            options=options,
            on_progress=on_progress,
        )
        provenance = Provenance(
            SourceKind.URL, bare_url(url), "", str(found.sha256), verified=True, verified_by=_CHECKED
        )
        return Fetched(found.path, provenance)
    path = _beside(opened.location, place.url)
    found = local_file(path, expected)
    provenance = Provenance(
        SourceKind.ARCHIVE, str(path), "", str(found.sha256), verified=True, verified_by=_CHECKED
    )
    return Fetched(path, provenance)


def _of_git(
    opened: OpenIndex,
    place: InstallSource,
    expected: Checksum,
    into: Path,
    options: FetchOptions,
    deadline: Deadline,
) -> Fetched:
    source = git_source(place.url)
    checkout = fetch_git(
        replace(source, ref=check_ref(place.ref)),
        into,
        options,
        deadline,
        expected=expected,
        web=opened.web,
    )
    provenance = Provenance(
        SourceKind.GIT,
        bare_url(source.url),
        checkout.commit,
        str(expected),
        verified=True,
        verified_by=_CHECKED,
    )
    return Fetched(checkout.path, provenance, notes=checkout.notes)


def _beside(location: str, url: str) -> Path:
    """An archive that lies beside an index of this machine, or below that. Raises ``SourceRefused``."""
    if _ABSOLUTE.match(url) or ".." in PurePosixPath(url).parts:
        raise SourceRefused(
            f"the index {location} names {shown_text(url)!r}: what an index of this machine may name is a "
            "URL, a git repository, or an archive below its own folder"
        )
    return archive_beside(Path(location), url)


def _read(location: str) -> bytes:
    shown = shown_url(location)
    failure: SourceError | None = None
    data = b""
    try:
        with open_file(Path(location)) as file:
            data = file.read(MAX_INDEX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        failure = SourceNotFound(f"there is no index at {shown}")
    except PayloadUnreadable:
        failure = SourceInvalid(f"the index {shown} is no file: put what comes out of it into one first")
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else error
        failure = SourceUnavailable(f"cannot read the index {shown}: {told}")
    if failure is not None:
        # Not from the system's error, which repeats the path: it may be a mistyped URL with a password.
        raise failure
    if len(data) > MAX_INDEX_BYTES:
        raise SourceTooLarge(f"the index {shown} is larger than {MAX_INDEX_BYTES} bytes, which is the limit")
    return data
