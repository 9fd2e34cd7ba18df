"""Packages of npm registries: which version is meant, where its archive is, and which integrity it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from longshore_bundles import Constraint, InvalidConstraint
from longshore_bundles.component import PACKAGE_JSON, BundleManifest
from longshore_bundles.identity import usable_project, usable_version
from longshore_client.source_errors import SourceDamaged, SourceNotFound

from .checksums import Checksum
from .claims import Claim, hold_to_claim
from .documents import object_in, read_object, text_in
from .options import Deadline, FetchOptions
from .packages import PackageFile, fetch_package, unusable_version
from .registry_settings import npm_registry
from .source import Fetched, NpmSource, Progress, SourceKind
from .urls import shown_url
from .web import Web

_ACCEPT: Final = "application/vnd.npm.install-v1+json, application/json;q=0.8"
_SHOWN_CHARACTERS: Final = 200


def fetch_npm(
    source: NpmSource, into: Path, options: FetchOptions, deadline: Deadline, on_progress: Progress | None
) -> Fetched:
    """Fetch a package's archive. Raises ``SourceError``, ``DestinationUnusable``."""
    registry = npm_registry(source.name)
    web = Web(registry, options, deadline)
    package = read_object(web, f"{registry}/{quote(source.name, safe='@')}", accept=_ACCEPT)
    version = _chosen(package, source)
    facts = object_in(object_in(package, "versions"), version)
    for answered in (package, facts):
        _check_name(answered, source, registry)
    if text_in(facts, "version") not in ("", version):
        raise SourceDamaged(
            f"{shown_url(registry)} has {text_in(facts, 'version')[:_SHOWN_CHARACTERS]!r} as the version "
            f"{version} of {source.name}"
        )
    dist = object_in(facts, "dist")
    url = text_in(dist, "tarball")
    if not url:
        raise SourceDamaged(f"{shown_url(registry)} does not say where {source.name}@{version} is")
    integrity = Checksum.strongest_of_integrity(text_in(dist, "integrity"))
    file = PackageFile(
        SourceKind.NPM,
        f"{source.name}@{version}",
        f"{source.name.removeprefix('@').replace('/', '-')}-{version}.tgz",
        url,
        integrity,
        f"npm integrity {integrity.algorithm}" if integrity else "",
    )
    path, provenance = fetch_package(web, file, into, options, on_progress)
    hold_to_claim(path, _claim(source, version), into, deadline)
    notes = []
    if deprecated := text_in(facts, "deprecated")[:_SHOWN_CHARACTERS]:
        notes.append(f"{file.package} is deprecated: {deprecated}")
    if not usable_version(version):
        notes.append(unusable_version(source.name, version))
    return Fetched(path, provenance, source.name, usable_version(version), notes=tuple(notes))


def _check_name(answered: object, source: NpmSource, registry: str) -> None:
    name = text_in(answered, "name") or source.name
    if name.lower() != source.name.lower():
        raise SourceDamaged(
            f"{shown_url(registry)} answers with the package {name[:_SHOWN_CHARACTERS]!r}, not "
            f"{source.name!r}"
        )


def _claim(source: NpmSource, version: str) -> Claim:
    """A pack or a skill has no scope in its name, so that there the name behind the scope will do."""
    name = source.name.lower()

    def is_name(manifest: BundleManifest) -> bool:
        if PACKAGE_JSON in manifest.file_names:
            return manifest.name.lower() == name
        return manifest.project in (usable_project(name), name.rpartition("/")[2])

    return Claim("npm", source.name, version, is_name, lambda stated: stated == version)


def _chosen(package: dict[str, Any], source: NpmSource) -> str:
    """The version that is wanted: that one, what a tag points to, or the highest of a range."""
    versions = object_in(package, "versions")
    if source.wanted in versions:
        return source.wanted
    tags = object_in(package, "dist-tags")
    tagged = text_in(tags, source.wanted)
    if tagged in versions:
        return tagged
    try:
        found = Constraint.parse(source.wanted).highest(filter(usable_version, versions))
    except InvalidConstraint:
        found = None
    if found is None:
        there = ", ".join([f"{tag} is {text_in(tags, tag)}" for tag in tags][:5]) or "it has no tags"
        raise SourceNotFound(
            f"npm's {source.name} has no version {source.wanted!r}: {there[:_SHOWN_CHARACTERS]}"
        )
    return found
