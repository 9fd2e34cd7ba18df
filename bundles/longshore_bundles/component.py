"""The manifests of a plain component: ``package.json`` and ``pyproject.toml``, for name and version.

A component needs none. What is there must be well-formed; a name or version that Longshore cannot use is
a warning, because both can be given with the deployment. When the two files disagree neither is used.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from .documents.json_places import Duplicate, find_duplicates
from .errors import InvalidName, InvalidVersion
from .findings import Finding, FindingLog, Severity, printable
from .names import project_from_name
from .versions import check_version

PACKAGE_JSON = "package.json"
PYPROJECT_TOML = "pyproject.toml"
MANIFEST_NAMES = (PACKAGE_JSON, PYPROJECT_TOML)
"""The files that say what a component is called; it needs none of them."""
MAX_MANIFEST_BYTES = 1 << 20

_FIELDS = ("name", "version")
_SHOWN_CHARACTERS = 100
_MAX_KEY_STEPS = 5_000_000


@dataclass(frozen=True, slots=True)
class BundleManifest:
    """What a bundle says about itself.

    ``project`` is what ``name`` becomes, ``version`` is valid SemVer; each is empty where the manifest
    says nothing that can be used. ``name`` is as written, for people to read; ``file_names`` are the
    files it was read from.
    """

    file_names: tuple[str, ...]
    name: str = ""
    project: str = ""
    version: str = ""


def read_component_manifest(files: Mapping[str, bytes], log: FindingLog) -> BundleManifest | None:
    """Read the manifests among ``files`` (name to content, at most one byte more than the limit).

    What is wrong goes into ``log``. None when there is no manifest.
    """
    manifests = [_read(name, files[name], log) for name in MANIFEST_NAMES if name in files]
    if not manifests:
        return None
    names = tuple(manifest.file_names[0] for manifest in manifests)
    projects = {manifest.project for manifest in manifests if manifest.project}
    versions = {manifest.version for manifest in manifests if manifest.version}
    if len(projects) > 1 or len(versions) > 1:
        said = " and ".join(f"{m.file_names[0]} {m.name or '-'} {m.version or '-'}" for m in manifests)
        log.add(
            Finding(
                "MANIFESTS_DISAGREE",
                Severity.WARNING,
                f"two manifests say different things ({said}), so neither is used: give project and version "
                "with the deployment",
                names[0],
            )
        )
        return BundleManifest(names)
    return BundleManifest(
        names,
        name=next((m.name for m in manifests if m.project), ""),
        project=next(iter(projects), ""),
        version=next(iter(versions), ""),
    )


def _read(file_name: str, content: bytes, log: FindingLog) -> BundleManifest:
    def error(code: str, message: str) -> BundleManifest:
        log.add(Finding(code, Severity.ERROR, message, file_name))
        return BundleManifest((file_name,))

    if len(content) > MAX_MANIFEST_BYTES:
        return error("MANIFEST_TOO_LARGE", f"{file_name} is larger than {MAX_MANIFEST_BYTES} bytes")
    duplicates: list[Duplicate] = []
    try:
        fields = _name_and_version(file_name, content, duplicates)
    except (ValueError, TypeError) as problem:
        return error("MANIFEST_INVALID", f"{file_name} cannot be read: {str(problem)[:_SHOWN_CHARACTERS]}")
    except RecursionError:
        return error("MANIFEST_INVALID", f"{file_name} cannot be read: it is nested too deeply")
    for twice in duplicates:
        message = f"the key {twice.key!r} stands in line {twice.first_line} already: keep one of the two"
        log.add(Finding("KEY_DUPLICATE", Severity.ERROR, message, file_name, twice.line))
    manifest = BundleManifest((file_name,))
    for key, value in fields.items():
        if value is None or key in (twice.key for twice in duplicates):
            continue
        if not isinstance(value, str):
            return error("MANIFEST_INVALID", f"{key!r} in {file_name} is no text: write it in quotes")
        manifest = _with_field(manifest, key, value, log)
    return manifest


def _name_and_version(file_name: str, content: bytes, duplicates: list[Duplicate]) -> dict[str, object]:
    """What the file says; ``duplicates`` takes those of the two that it says twice."""
    table: object
    if file_name == PACKAGE_JSON:
        text = content.decode(json.detect_encoding(content), "surrogatepass")
        outermost: list[tuple[str, object]] = []

        def to_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
            # The outermost object is the last to end.
            outermost[:] = pairs
            return dict(pairs)

        table = json.loads(text, object_pairs_hook=to_object)
        if not isinstance(table, dict):
            raise ValueError("its outermost value is no object")
        if any(sum(1 for key, _ in outermost if key == field) > 1 for field in _FIELDS):
            duplicates += [each for each in find_duplicates(text) if not each.depth and each.key in _FIELDS]
    else:
        text = content.decode("utf-8-sig")
        if _is_slow_to_read(text):
            raise ValueError("its lines have too many dots: split it")
        table = tomllib.loads(text).get("project", {})
        if not isinstance(table, dict):
            raise ValueError("'project' is no table")
    return {key: table.get(key) for key in _FIELDS}


def _is_slow_to_read(text: str) -> bool:
    """Whether ``tomllib`` might take long, whose time grows with the square of a dotted key's parts.

    A key is in one line and has no more parts than that line dots, those of its table's header included.
    """
    header = steps = 0
    for line in text.split("\n"):
        dots = line.count(".")
        if line.lstrip().startswith("["):
            header = dots
        steps += (dots + 1) * (dots + header + 1)
        if steps > _MAX_KEY_STEPS:
            return True
    return False


def _with_field(manifest: BundleManifest, key: str, value: str, log: FindingLog) -> BundleManifest:
    """The manifest with one more field, or a warning when Longshore cannot use its value."""
    file_name = manifest.file_names[0]
    try:
        if key == "name":
            return replace(manifest, name=value, project=project_from_name(value))
        return replace(manifest, version=check_version(value))
    except (InvalidName, InvalidVersion) as problem:
        code = "INVALID_NAME_FORMAT" if key == "name" else "INVALID_VERSION_FORMAT"
        shown = printable(value[:_SHOWN_CHARACTERS])
        message = f"{key} {shown!r} in {file_name} is not used: {problem.message}"
        log.add(Finding(code, Severity.WARNING, message, file_name))
        return manifest
