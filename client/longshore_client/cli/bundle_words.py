"""What a release is and where it was taken from, as people read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from longshore_client.bundle_models import Bundle, BundleKind, InstallMethod, Source, SourceKind
from longshore_client.catalog_models import Project, Release

from .tables import Fact
from .wording import ago, entries, moment, short_id, size, words

_METHODS: Final = {
    InstallMethod.MANUAL: "by hand",
    InstallMethod.API: "by a program",
    InstallMethod.CLI: "on the command line",
    InstallMethod.AUTO: "by automation",
}
_ANY: Final = ("", "*")
_NAMING: Final = ("@", "==")
"""Between name and version in a ref that is no commit: of npm or an index, and of PyPI."""
_ON_DISK: Final = (SourceKind.DIRECTORY, SourceKind.FILE)


def kind_words(kind: BundleKind | None) -> str:
    """What a bundle is; empty where nothing is known yet."""
    return words(kind) if kind else ""


def needs_words(bundle: Bundle) -> str:
    """The projects that must be live beside it, with what is wanted of their versions."""
    return _with_constraints([(each.project, each.constraint) for each in bundle.dependencies])


def runtimes_words(bundle: Bundle) -> str:
    """The runtimes that every node must have, with what is wanted of their versions."""
    return _with_constraints([(each.name, each.constraint) for each in bundle.runtime_dependencies])


def source_words(source: Source | None) -> str:
    """Where a payload was taken from; empty where nobody said."""
    if source is None:
        return ""
    place = source.url if source.url and source.kind in _ON_DISK else f"{words(source.kind)} {source.url}"
    if source.kind is not SourceKind.GIT and any(sign in source.ref for sign in _NAMING):
        return f"{source.ref}, from {place}"
    return f"{place}@{source.ref}" if source.ref else place


def checksum_words(source: Source | None) -> str:
    """What the place told as its checksum, and whether the content had it."""
    if source is None or not source.checksum:
        return ""
    return f"{source.checksum}, {'verified' if source.verified else 'not verified'}"


def bundle_words(bundle: Bundle) -> str:
    """What a bundle is called: its kind, its name, its label."""
    label = f"({bundle.label})" if bundle.label else ""
    return " ".join(filter(None, (kind_words(bundle.kind), bundle.name, label)))


def project_facts(project: Project) -> list[Fact]:
    """What is known about a project."""
    return [
        Fact("project", project.project),
        Fact("kind", kind_words(project.kind)),
        Fact("name", project.display_name if project.display_name != project.project else ""),
    ]


def release_facts(release: Release, live_in: Sequence[str]) -> list[Fact]:
    """What there may be to know about a release; texts are empty where nothing is known."""
    r, b = release, release.bundle
    let_through = f"errors were let through: longshore findings {short_id(r.deployment_id)}"
    return [
        Fact("project", r.project),
        Fact("version", r.version),
        Fact("live in", ", ".join(live_in), "green"),
        Fact("kind", kind_words(b.kind)),
        Fact("name", b.name),
        Fact("label", b.label),
        Fact("description", b.description),
        Fact("author", b.author),
        Fact("tags", ", ".join(b.tags)),
        Fact("needs", needs_words(b)),
        Fact("runtimes", runtimes_words(b)),
        Fact("actions", ", ".join(b.actions)),
        Fact("sensors", ", ".join(b.sensors)),
        Fact("validation", let_through if r.validation_skipped else "", "yellow"),
        Fact("source", source_words(r.source)),
        Fact("checksum", checksum_words(r.source)),
        Fact("payload", f"{size(r.payload_size_bytes)} {r.payload_format}, sha256:{r.payload_sha256}"),
        Fact("stored", _stored_words(r)),
        Fact("content", f"sha256:{r.content_sha256}"),
        Fact("holds", f"{entries(r.entries)}, {size(r.unpacked_size_bytes)} unpacked"),
        Fact("deployed", _METHODS.get(r.install_method, "") if r.install_method else ""),
        Fact("by", r.created_by),
        Fact("created", f"{moment(r.create_time)} ({ago(r.create_time)})" if r.create_time else ""),
        Fact("deployment", r.deployment_id),
    ]


def _with_constraints(needs: Sequence[tuple[str, str]]) -> str:
    return ", ".join(name if constraint in _ANY else f"{name} {constraint}" for name, constraint in needs)


def _stored_words(release: Release) -> str:
    if not release.payload_present:
        return "no longer"
    return f"pinned by {release.pinned_by}: {release.pin_reason}" if release.pin_reason else "yes"
