"""What a registry says that a payload is, held against what the payload's own manifest says.

A payload goes by its manifest: one that names something else would be deployed as what nobody asked for.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import longshore_bundles
from longshore_bundles.component import BundleManifest
from longshore_bundles.findings import printable
from longshore_client.contents import FETCHED_LIMITS, scanned
from longshore_client.models import PayloadFormat
from longshore_client.payloads import readable
from longshore_client.source_errors import SourceDamaged
from longshore_client.watched_stream import WatchedStream

from .options import Deadline


@dataclass(frozen=True, slots=True)
class Claim:
    """A name and a version, as ``by`` says them.

    ``is_name`` tells whether a manifest that names something means the same, ``is_version`` whether its
    version does.
    """

    by: str
    name: str
    version: str
    is_name: Callable[[BundleManifest], bool]
    is_version: Callable[[str], bool]


def hold_to_claim(
    path: Path, claim: Claim, into: Path, deadline: Deadline, payload_format: PayloadFormat | None = None
) -> None:
    """Hold a payload against what was said of it; what is below ``into`` goes when it is something else.

    A payload without a manifest, or whose manifest cannot be used, says nothing. Raises ``SourceDamaged``,
    ``SourceUnavailable`` when the time is up, ``PayloadUnreadable``.
    """
    manifest = _manifest(path, deadline, payload_format)
    if manifest is None:
        return
    is_named_so = not manifest.project or claim.is_name(manifest)
    if is_named_so and (not manifest.version or claim.is_version(manifest.version)):
        return
    if path.is_relative_to(into):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    says = " ".join(filter(None, (printable(manifest.name), manifest.version)))
    raise SourceDamaged(
        f"{claim.by} has this as {claim.name} {claim.version}, but its own "
        f"{' and '.join(manifest.file_names)} says {says}: it is not what was asked for; tell those who "
        "publish it, or deploy it from its file or URL if it is meant all the same"
    )


def _manifest(path: Path, deadline: Deadline, payload_format: PayloadFormat | None) -> BundleManifest | None:
    if payload_format is None:
        return scanned(path, FETCHED_LIMITS, deadline.left_s).manifest
    with readable(path), path.open("rb") as file, tempfile.TemporaryDirectory(prefix="longshore-") as scratch:
        as_format = longshore_bundles.PayloadFormat(payload_format.value)
        watched = cast("BinaryIO", WatchedStream(file, deadline.left_s))
        return longshore_bundles.scan(watched, as_format, FETCHED_LIMITS, scratch=Path(scratch)).manifest
