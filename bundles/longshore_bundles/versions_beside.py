"""Whether a package's file beside a manifest says another version. The manifest counts then."""

from __future__ import annotations

from .bundle_files import BundleFiles
from .component import MANIFEST_NAMES, read_component_manifest
from .findings import FindingLog


def conflict_beside(files: BundleFiles, manifest: str, version: str) -> str:
    """What to tell of it; empty where nothing says another ``version`` than the file ``manifest`` does."""
    other = read_component_manifest(component_files(files), FindingLog())
    if other is None or not other.version or not version or other.version == version:
        return ""
    return (
        f"{' and '.join(other.file_names)} says version {other.version}, {manifest} says "
        f"{version}, which counts: make them agree"
    )


def component_files(files: BundleFiles) -> dict[str, bytes]:
    """The files at the root that say what a component is called."""
    return {name: files[name].content for name in MANIFEST_NAMES if name in files}
