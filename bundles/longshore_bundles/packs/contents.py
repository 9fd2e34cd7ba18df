"""The actions and sensors of a pack, listed from its tree.

Each file of metadata in ``actions/`` or ``sensors/`` (``NAME.yaml``, as StackStorm has them) is one. So is an
executable file that no metadata speaks for; where there is no metadata at all, any script.

Codes: INVALID_NAME_FORMAT, NAME_DUPLICATE, and those of ``documents`` and ``schemas``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from longshore_bundles.bundle_files import BundleFiles, is_read
from longshore_bundles.documents import ReadingBudget, read_yaml
from longshore_bundles.documents.fields import text
from longshore_bundles.findings import Finding, FindingLog, Severity, quoted
from longshore_bundles.schemas import check_shape
from longshore_bundles.schemas.pack_item import PACK_ITEM

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,254}")
_SCRIPT = re.compile(r".+\.(py|sh|js|mjs|ts|rb|pl|ps1|lua|go)")
_NO_ACTIONS = ("__init__.py", "README", "README.md", "requirements.txt")


@dataclass(frozen=True, slots=True)
class PackItem:
    """An action or a sensor; ``path`` is the file that says so, ``entry_point`` what it runs, or empty."""

    name: str
    description: str = ""
    path: str = ""
    entry_point: str = ""


class _Found(NamedTuple):
    """An item, and the line of its name where that is written."""

    item: PackItem
    line: int | None = None


def read_items(
    files: BundleFiles, folder: str, log: FindingLog, budget: ReadingBudget | None = None
) -> tuple[PackItem, ...]:
    """What stands in ``folder`` (``actions/`` or ``sensors/``), by name; what is wrong goes into ``log``.

    ``budget`` is what is left of the pack's.
    """
    budget = budget or ReadingBudget()
    inside = [path for path in sorted(files) if path.startswith(folder) and "/" not in path[len(folder) :]]
    metadata = [path for path in inside if is_read(path)]
    described = [found for path in metadata if (found := _from_metadata(files, folder, path, log, budget))]
    spoken_for = {f"{folder}{found.item.entry_point}" for found in described}
    spoken_for |= {f"{folder}{_stem(folder, path)}" for path in metadata}
    bare = [
        _Found(PackItem(_stem(folder, path), path=path))
        for path in inside
        if not is_read(path)
        and path not in spoken_for
        and f"{folder}{_stem(folder, path)}" not in spoken_for
        and _is_program(files, folder, path, alone=not metadata)
    ]
    return tuple(sorted(_named([*described, *bare], log), key=lambda item: item.name))


def _from_metadata(
    files: BundleFiles, folder: str, path: str, log: FindingLog, budget: ReadingBudget
) -> _Found | None:
    document = read_yaml(files[path].content, path, log, budget=budget)
    if document is None:
        return None
    check_shape(document, PACK_ITEM, log)
    fields = document.value if isinstance(document.value, dict) else {}
    key = next((key for key in ("name", "class_name") if text(fields, key)), "")
    item = PackItem(
        text(fields, key) or _stem(folder, path),
        text(fields, "description"),
        path,
        text(fields, "entry_point"),
    )
    return _Found(item, document.line((key,)) if key else None)


def _is_program(files: BundleFiles, folder: str, path: str, *, alone: bool) -> bool:
    name = path.removeprefix(folder)
    if name.startswith(".") or name in _NO_ACTIONS:
        return False
    return files[path].executable or (alone and _SCRIPT.fullmatch(name) is not None)


def _named(found: Iterable[_Found], log: FindingLog) -> list[PackItem]:
    """Those whose names can be used and are not taken, whatever their case."""
    taken: dict[str, PackItem] = {}
    for item, line in found:
        shown = quoted(item.name)
        other = taken.get(item.name.casefold())
        if _NAME.fullmatch(item.name) is None:
            message = f"the name {shown} cannot be used: take letters, digits, '_', '.' and '-'"
            log.add(Finding("INVALID_NAME_FORMAT", Severity.ERROR, message, item.path, line))
        elif other is not None:
            message = f"the name {shown} is taken by {quoted(other.path)}: rename one of the two"
            log.add(Finding("NAME_DUPLICATE", Severity.ERROR, message, item.path, line))
        else:
            taken[item.name.casefold()] = item
    return list(taken.values())


def _stem(folder: str, path: str) -> str:
    name = path.removeprefix(folder)
    return name.rpartition(".")[0] or name
