"""What a bundle on this machine says of itself, as the calls tell it of a release."""

from __future__ import annotations

from longshore_bundles import BundleScan
from longshore_bundles.dependencies import ANY_VERSION
from longshore_bundles.packs import PackManifest
from longshore_bundles.skills import SkillManifest

from .bundle_models import Bundle, BundleDependency, BundleKind, RuntimeDependency


def described(found: BundleScan) -> Bundle:
    """What the manifest says of what was looked through; empty where it has none."""
    manifest = found.manifest
    label = description = author = ""
    tags: tuple[str, ...] = ()
    dependencies: tuple[BundleDependency, ...] = ()
    runtimes: tuple[RuntimeDependency, ...] = ()
    if isinstance(manifest, SkillManifest | PackManifest):
        description, author, tags = manifest.description, manifest.author, manifest.tags
    if isinstance(manifest, PackManifest):
        label = manifest.label
        dependencies = tuple(
            BundleDependency(each.ref, "" if each.constraint == ANY_VERSION else each.constraint)
            for each in manifest.dependencies
        )
        runtimes = tuple(RuntimeDependency(name, wanted) for name, wanted in manifest.runtime_deps.items())
    return Bundle(
        kind=BundleKind(found.kind.value),
        name=manifest.name if manifest else "",
        label=label,
        description=description,
        author=author,
        tags=tags,
        dependencies=dependencies,
        runtime_dependencies=runtimes,
        actions=tuple(each.name for each in found.actions),
        sensors=tuple(each.name for each in found.sensors),
    )
