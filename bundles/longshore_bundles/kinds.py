"""What kinds of bundles there are, and how one is told from another: by the manifest at its root."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from .component import MANIFEST_NAMES as COMPONENT_MANIFESTS
from .findings import Finding, FindingLog, Severity, printable

SKILL_MD = "SKILL.md"
PACK_YAML = "pack.yaml"
ROOT_MANIFESTS = (SKILL_MD, PACK_YAML, *COMPONENT_MANIFESTS)
"""The files that make a directory the root of a bundle."""

MISTAKABLE = {
    "skill.md": SKILL_MD,
    "skill.markdown": SKILL_MD,
    "pack.yaml": PACK_YAML,
    "pack.yml": PACK_YAML,
}


class BundleKind(StrEnum):
    """What an archive is; a single file is a component, too."""

    SKILL = "skill"
    PACK = "pack"
    COMPONENT = "component"


def detect_kind(names: Collection[str], log: FindingLog) -> BundleKind:
    """The kind of the bundle that has files of these ``names`` at its root.

    A skill and a pack at once is an error; a manifest's name that is merely similar is a warning.
    """
    if SKILL_MD in names:
        if PACK_YAML in names:
            message = f"{SKILL_MD} and {PACK_YAML} stand beside each other: a bundle is a skill or a pack"
            log.add(Finding("KIND_AMBIGUOUS", Severity.ERROR, message, PACK_YAML))
        return BundleKind.SKILL
    if PACK_YAML in names:
        return BundleKind.PACK
    for name in sorted(names):
        if meant := MISTAKABLE.get(name.lower()):
            message = f"{printable(name)!r} is not read: call it {meant} if it is the bundle's manifest"
            log.add(Finding("MANIFEST_MISNAMED", Severity.WARNING, message, printable(name)))
    return BundleKind.COMPONENT
