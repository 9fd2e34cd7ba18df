"""The one file of a package: brought here, held against what its registry states, and told of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from longshore_bundles import InvalidName, check_file_name
from longshore_client.source_errors import SourceDamaged, SourceRefused

from .checksums import Checksum
from .downloads import download
from .options import FetchOptions
from .source import Progress, Provenance, SourceKind
from .urls import bare_url
from .web import Web


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file that a registry names for ``package`` (``NAME@VERSION``), and the checksum it states, if any.

    ``stated_by`` is what the statement is called.
    """

    kind: SourceKind
    package: str
    name: str
    url: str
    stated: Checksum | None
    stated_by: str


def fetch_package(
    web: Web, file: PackageFile, into: Path, options: FetchOptions, on_progress: Progress | None
) -> tuple[Path, Provenance]:
    """Fetch it below ``into``; where it is, and where it came from. Raises ``SourceError``."""
    try:
        check_file_name(file.name)
    except InvalidName as error:
        raise SourceDamaged(f"the registry names a file that cannot be: {error.message}") from error
    expected = options.checksum or file.stated
    if expected is None and not options.allow_unverified:
        raise SourceRefused(
            f"the registry states no checksum of {file.name} that can be trusted: give what it must have "
            "with --checksum, or do without by --allow-unverified"
        )
    found = download(
        web, file.url, into / file.name, expected=expected, options=options, on_progress=on_progress
    )
    verified_by = "" if expected is None else "checksum given" if options.checksum else file.stated_by
    provenance = Provenance(
        file.kind,
        bare_url(file.url),
        file.package,
        str(found.sha256),
        verified=expected is not None,
        verified_by=verified_by,
    )
    return found.path, provenance


def unusable_version(name: str, version: str) -> str:
    """What to tell of a version by which no release can be called."""
    return (
        f"version {version} of {name} is none of SemVer, so the release is not called by it: give it a "
        "version of your own, or it gets the next one of the project"
    )
