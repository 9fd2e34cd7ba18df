"""StackStorm's spelling of ``pack.yaml``, put into ours.

``name`` is the label, and the ref too where none is written; ``python_versions`` are a runtime dependency;
what has no place here is kept in ``meta``. Source: the reference of pack metadata in StackStorm's
documentation.
"""

from __future__ import annotations

import re

from longshore_bundles.documents import Document, JsonValue
from longshore_bundles.documents.findings_about import FindingsAbout
from longshore_bundles.findings import FindingLog
from longshore_bundles.schemas import PACK, check_shape
from longshore_bundles.schemas.stackstorm_pack import MAX_PYTHON_VERSIONS, STACKSTORM_PACK

from .constraint_rule import is_constraint

_KEPT_IN_META = ("stackstorm_version", "contributors", "system")
_OF_STACKSTORM = ("name", "python_versions", *_KEPT_IN_META)
_REF = re.compile(PACK["properties"]["ref"]["pattern"])
_TWO_NUMBERS = re.compile(r"[0-9]+\.[0-9]+")
_EXACT_DEPENDENCY = re.compile(r"(?P<ref>[^=/@:]+)={1,2}v?(?P<version>[^=]+)")
_MAX_DEPENDENCY_CHARACTERS = 500
_REPOSITORY = re.compile(r"(?:https?|git|ssh)\S*/(?:stackstorm-)?(?P<ref>[^/=@]+?)(?:\.git)?(?:[=@]\S*)?")


def in_our_spelling(document: Document, log: FindingLog) -> Document:
    """The document with the keys that Longshore knows; itself where nothing of StackStorm's is in it."""
    written = document.value
    if not isinstance(written, dict):
        return document
    foreign = [key for key in _OF_STACKSTORM if key in written]
    if not foreign:
        return document
    listed = ", ".join(f"'{key}'" for key in foreign)
    message = f"in StackStorm's spelling, which is read as well: {listed}; the schema of a pack has ours"
    findings = FindingsAbout(document, log)
    findings.info("STACKSTORM_SPELLING", message, (foreign[0],))
    check_shape(document, STACKSTORM_PACK, log)
    fields = {key: value for key, value in written.items() if key not in _OF_STACKSTORM}
    _take_name(fields, written.get("name"))
    _take_python(fields, written.get("python_versions"), findings)
    _take_meta(fields, {key: written[key] for key in _KEPT_IN_META if key in written})
    version = fields.get("version")
    if isinstance(version, str) and _TWO_NUMBERS.fullmatch(version):
        fields["version"] = f"{version}.0"
    if isinstance(dependencies := fields.get("dependencies"), list):
        fields["dependencies"] = [_dependency(each) for each in dependencies]
    return document.with_value(fields)


def _take_name(fields: dict[str, JsonValue], name: JsonValue) -> None:
    if name is None:
        return
    fields.setdefault("label", name)
    if isinstance(name, str) and _REF.fullmatch(name.lower()):
        fields.setdefault("ref", name.lower())


def _take_python(fields: dict[str, JsonValue], versions: JsonValue, findings: FindingsAbout) -> None:
    """Any of the versions will do. One of another type is left out: the shape's check has told of it."""
    if not isinstance(versions, list):
        return
    known = [
        text
        for index, version in enumerate(versions[:MAX_PYTHON_VERSIONS])
        if isinstance(version, (str, int)) and not isinstance(version, bool)
        if is_constraint(text := str(version), ("python_versions", index), findings)
    ]
    runtimes = fields.get("runtime_deps", {})
    if known and isinstance(runtimes, dict):
        fields["runtime_deps"] = {"python": " || ".join(known), **runtimes}


def _take_meta(fields: dict[str, JsonValue], more: dict[str, JsonValue]) -> None:
    meta = fields.get("meta", {})
    if more and isinstance(meta, dict):
        fields["meta"] = {**more, **meta}


def _dependency(written: JsonValue) -> JsonValue:
    """A pack, a pack with one version, or the address of its repository."""
    if not isinstance(written, str) or len(written) > _MAX_DEPENDENCY_CHARACTERS:
        return written
    if repository := _REPOSITORY.fullmatch(written):
        return repository["ref"].lower()
    if exact := _EXACT_DEPENDENCY.fullmatch(written):
        return {"ref": exact["ref"], "version": exact["version"]}
    return written
