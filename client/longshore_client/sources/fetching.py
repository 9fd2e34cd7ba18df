"""Brings the payload that a source names to this machine: the one way in for all kinds of sources."""

from __future__ import annotations

from pathlib import Path

from longshore_bundles.findings import printable
from longshore_client.contents import content_of
from longshore_client.source_errors import SourceDamaged

from .checksums import Checksum
from .downloads import download, file_name_of, local_file
from .git_fetching import fetch_git
from .indexes import fetch_indexed
from .npm import fetch_npm
from .options import Deadline, FetchOptions
from .pypi import fetch_pypi
from .source import (
    Fetched,
    GitSource,
    IndexSource,
    NpmSource,
    PathSource,
    Progress,
    Provenance,
    PypiSource,
    Source,
    SourceKind,
    UrlSource,
)
from .urls import bare_url
from .web import Web

_DEFAULTS = FetchOptions()


def fetch(
    source: Source, into: Path, options: FetchOptions = _DEFAULTS, on_progress: Progress | None = None
) -> Fetched:
    """Bring what ``source`` names to this machine, below ``into``; what is on this machine stays where it is.

    ``into`` is an existing directory that is the caller's, who removes it: what is left in it after an error
    is of no use. Blocks for as long as ``options.timeout_s``, so that it belongs into a thread;
    ``on_progress`` is called there.

    Raises ``SourceError``, ``PayloadUnreadable`` and ``DestinationUnusable``.
    """
    deadline = Deadline(options.timeout_s)
    match source:
        case PathSource():
            return _of_path(source, options.checksum)
        case UrlSource():
            return _of_url(source, into, options, deadline, on_progress)
        case GitSource():
            return _of_git(source, into, options, deadline)
        case NpmSource():
            return fetch_npm(source, into, options, deadline, on_progress)
        case PypiSource():
            return fetch_pypi(source, into, options, deadline, on_progress)
        case IndexSource():
            return fetch_indexed(source, into, options, deadline, on_progress)


def _of_path(source: PathSource, expected: Checksum | None) -> Fetched:
    # A name that is not UTF-8 could not be recorded.
    url = printable(str(source.path))
    if expected is None:
        return Fetched(source.path, Provenance(source.kind, url))
    if source.kind is not SourceKind.DIRECTORY:
        file = local_file(source.path, expected)
        return Fetched(source.path, _given(source.kind, url, "", str(file.sha256)))
    found = f"sha256:{content_of(source.path).content_sha256}"
    if found != str(expected):
        raise SourceDamaged(f"the content of {source.path} has the checksum {found}, not {expected}")
    return Fetched(source.path, _given(source.kind, url, "", found))


def _of_url(
    source: UrlSource, into: Path, options: FetchOptions, deadline: Deadline, on_progress: Progress | None
) -> Fetched:
    expected = options.checksum or source.checksum
    found = download(
        Web(source.url, options, deadline),
        source.url,
        into / file_name_of(source.url),
        expected=expected,
        options=options,
        on_progress=on_progress,
    )
    url, checksum = bare_url(source.url), str(found.sha256)
    if expected is None:
        return Fetched(found.path, Provenance(SourceKind.URL, url, "", checksum))
    return Fetched(found.path, _given(SourceKind.URL, url, "", checksum))


def _of_git(source: GitSource, into: Path, options: FetchOptions, deadline: Deadline) -> Fetched:
    checkout = fetch_git(source, into, options, deadline, expected=options.checksum)
    url, content = bare_url(source.url), str(checkout.content)
    if options.checksum is not None:
        provenance = _given(SourceKind.GIT, url, checkout.commit, content)
    else:
        by = "git commit" if checkout.by_commit else ""
        provenance = Provenance(SourceKind.GIT, url, checkout.commit, content, checkout.by_commit, by)
    return Fetched(checkout.path, provenance, notes=checkout.notes)


def _given(kind: SourceKind, url: str, ref: str, checksum: str) -> Provenance:
    """Of what was held against a checksum that the person gave."""
    return Provenance(kind, url, ref, checksum, verified=True, verified_by="checksum given")
