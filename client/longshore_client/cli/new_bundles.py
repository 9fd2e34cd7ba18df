"""A new skill or pack from a template: every file below ``templates/skill`` or ``templates/pack``.

``@NAME@`` and ``@LABEL@`` stand for texts of YAML, ``@REF@`` for the name as it is. Scripts are executable,
whatever became of their modes when this program was installed.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

import yaml

from longshore_bundles import BundleKind
from longshore_bundles.identity import usable_project
from longshore_bundles.schemas import PACK, SKILL_FRONT_MATTER

_NAME_RULES: Final[Mapping[BundleKind, Mapping[str, Any]]] = {
    BundleKind.SKILL: SKILL_FRONT_MATTER["properties"]["name"],
    BundleKind.PACK: PACK["properties"]["ref"],
}
_SCRIPT: Final = ".sh"


class NameRefused(ValueError):
    """The name cannot be that of such a bundle; the message shows the rule."""


def check_name(kind: BundleKind, name: str) -> None:
    """Raises ``NameRefused``."""
    rule = _NAME_RULES[kind]
    if not (len(name) <= rule["maxLength"] and re.fullmatch(rule["pattern"], name) and usable_project(name)):
        characters = "a-z, 0-9, _ and -, beginning with a letter"
        if kind is BundleKind.SKILL:
            characters = "letters, digits, _ and -, beginning with a letter or digit"
        raise NameRefused(
            f"{name[:120]!r} is no name for a {kind}: use 1 to {rule['maxLength']} of {characters}"
        )


def write_bundle(kind: BundleKind, name: str, root: Path) -> tuple[str, ...]:
    """Write a bundle called ``name`` to ``root``, which must not be there yet; its files, by path.

    It is there whole or not at all, whenever this is killed. Raises ``NameRefused``, and ``OSError``:
    ``FileExistsError`` where anything is there.
    """
    check_name(kind, name)
    root.parent.mkdir(parents=True, exist_ok=True)
    _check_free(root)
    with tempfile.TemporaryDirectory(prefix=f".{root.name}-", dir=root.parent) as folder:
        whole = Path(folder) / root.name
        written = tuple(_write_files(kind, name, whole))
        try:
            whole.rename(root)
        except OSError:
            _check_free(root)
            raise
    return written


def _check_free(root: Path) -> None:
    if os.path.lexists(root):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(root))


def _write_files(kind: BundleKind, name: str, root: Path) -> Iterator[str]:
    filled_in = {"@NAME@": _as_yaml(name), "@LABEL@": _as_yaml(_label(name)), "@REF@": name}
    for path, text in _template(files(__package__) / "templates" / kind):
        for placeholder, value in filled_in.items():
            text = text.replace(placeholder, value)
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        if path.endswith(_SCRIPT):
            file.chmod(file.stat().st_mode | 0o111)
        yield path


def _template(folder: Traversable, parent: str = "") -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = parent + entry.name
        if entry.is_dir():
            yield from _template(entry, f"{path}/")
        else:
            yield path, entry.read_text(encoding="utf-8")


def _label(name: str) -> str:
    """The name in words: ``log-rotate`` is Log rotate."""
    return re.sub(r"[_-]+", " ", name).strip().capitalize() or name


def _as_yaml(text: str) -> str:
    """``text`` as YAML: in quotes where it would be something else without them, like ``yes``."""
    return text if yaml.safe_load(text) == text else f'"{text}"'
