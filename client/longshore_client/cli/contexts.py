"""Contexts: named servers, each with the environment and the project that commands mean there, in one file.

``$XDG_CONFIG_HOME/longshore/contexts.yaml``, for its owner only. Invariants: the file is there whole or not
at all, and a change made beside another change loses neither; what cannot be read is an error that names file
and line, and is never written over.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from longshore_client.addresses import checked_addresses
from longshore_client.file_replacing import replace_file

if TYPE_CHECKING:
    from yaml.nodes import Node

_FORMS: Final = {
    "name": re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"),
    "environment": re.compile(r"[a-z0-9][a-z0-9-]{0,62}"),
    "project": re.compile(r"[a-z0-9][a-z0-9._-]{0,99}"),
}
_ARTICLES: Final = {"name": "a context", "environment": "an environment", "project": "a project"}
_FIELDS: Final = ("server", "environment", "project", "tls", "ca", "cert", "key")
_MOST_BYTES: Final = 1024 * 1024


class ContextError(click.ClickException):
    """A contexts file that is broken, or a context that is not in it; ends the command as wrong usage."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Context:
    """A server, or several with commas between them, and what is meant there unless something else is said.

    Empty ``environment`` and ``project`` are those that a command has without a context; ``ca``, ``cert`` and
    ``key`` are files. Tokens are kept elsewhere.
    """

    name: str
    server: str
    environment: str = ""
    project: str = ""
    tls: bool = False
    ca: str = ""
    cert: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class ContextRow:
    """A context, and whether it is the one in use."""

    name: str
    server: str
    environment: str
    project: str
    tls: bool
    ca: str
    cert: str
    key: str
    current: bool


@dataclass(frozen=True, slots=True)
class Contexts:
    """What the file holds: ``current`` names the context that is used when none is named, "" for none."""

    by_name: Mapping[str, Context] = dataclasses.field(default_factory=dict)
    current: str = ""

    def named(self, name: str) -> Context:
        """One of them. Raises ``ContextError``."""
        if name in self.by_name:
            return self.by_name[name]
        known = f"there are {', '.join(self.by_name)}" if self.by_name else "there is none yet"
        raise ContextError(f"no context is called {name!r}: {known}; `longshore context set` makes one")

    def row(self, name: str) -> ContextRow:
        """One of them as it is listed. Raises ``ContextError``."""
        return ContextRow(**dataclasses.asdict(self.named(name)), current=self.current == name)


def contexts_file() -> Path:
    """Where contexts are kept: below ``$XDG_CONFIG_HOME``, which counts only when it is absolute.

    Raises ``ContextError`` where there is no home either.
    """
    try:
        return _settings_folder() / "longshore" / "contexts.yaml"
    except RuntimeError as error:
        raise ContextError(f"no place for contexts: {error}; set XDG_CONFIG_HOME") from error


def load_contexts_if_any() -> Contexts:
    """What the file holds; nothing too where there is no home, or one that we may not enter.

    Raises ``ContextError`` for a file that is broken, or may not be read.
    """
    try:
        may_enter = os.access(_settings_folder(), os.X_OK)
    except RuntimeError:
        may_enter = False
    return load_contexts() if may_enter else Contexts()


def load_contexts() -> Contexts:
    """What the file holds, nothing where there is none. Raises ``ContextError``."""
    path = contexts_file()
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return Contexts()
    except OSError as error:
        raise ContextError(f"{path}: {error.strerror}") from error
    if len(text) > _MOST_BYTES:
        raise ContextError(f"{path}: is larger than {_MOST_BYTES // 1024} KiB")
    return _Reader(path).contexts(text)


def change_contexts(change: Callable[[Contexts], Contexts]) -> Contexts:
    """Read, ``change`` and replace the file while no other process does. Raises ``ContextError``."""
    import fcntl

    # A link, into a folder of dotfiles say, stays one.
    path = Path(os.path.realpath(contexts_file()))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            changed = change(load_contexts())
            replace_file(path, _written(changed), mode=0o600)
        finally:
            os.close(folder)
    except OSError as error:
        raise ContextError(f"{path}: {error.strerror}") from error
    return changed


def checked_field(field: str, text: str) -> str:
    """The text of a context's field, or its ``name``, if it has that form. Raises ``ValueError``."""
    if field == "server":
        checked_addresses(text)
    elif field in _FORMS and (text or field == "name") and not _FORMS[field].fullmatch(text):
        raise ValueError(f"{text!r} is no name of {_ARTICLES[field]}")
    return text


def _settings_folder() -> Path:
    """Raises ``RuntimeError`` where there is no home."""
    named = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return named if named.is_absolute() else Path.home() / ".config"


class _Reader:
    """Takes a file's text apart, and says of what is wrong in which line it stands."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def contexts(self, text: bytes) -> Contexts:
        import yaml

        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            why = error.problem or error.context or "is no YAML"
            raise self._wrong(mark.line if mark else 0, why) from error
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            raise self._wrong(0, "is no YAML in UTF-8") from error
        if root is None:
            return Contexts()
        top = self._mapping(root, ("current", "contexts"), "the file")
        listed = self._mapping(top["contexts"], None, "contexts") if "contexts" in top else {}
        by_name = {name: self._context(name, node) for name, node in listed.items()}
        current = self._text(top["current"], "current") if "current" in top else ""
        if current and current not in by_name:
            raise self._wrong(top["current"].start_mark.line, f"no context is called {current!r}")
        return Contexts(by_name, current)

    def _context(self, name: str, node: Node) -> Context:
        fields = self._mapping(node, _FIELDS, f"the context {name!r}")
        if "server" not in fields:
            raise self._wrong(node.start_mark.line, f"the context {name!r} has no server")
        self._checked(node, "name", name)
        tls = self._text(fields.pop("tls"), "tls") == "true" if "tls" in fields else False
        texts = {field: self._checked(each, field, self._text(each, field)) for field, each in fields.items()}
        return Context(name, tls=tls, **texts)

    def _checked(self, node: Node, field: str, text: str) -> str:
        try:
            return checked_field(field, text)
        except ValueError as error:
            raise self._wrong(node.start_mark.line, str(error)) from error

    def _mapping(self, node: Node, known: tuple[str, ...] | None, what: str) -> dict[str, Node]:
        from yaml.nodes import MappingNode

        if not isinstance(node, MappingNode):
            raise self._wrong(node.start_mark.line, f"{what} must be keys with values")
        fields: dict[str, Node] = {}
        for key, value in node.value:
            name = self._text(key, "a key")
            if name in fields:
                raise self._wrong(key.start_mark.line, f"{name!r} stands here twice")
            if known is not None and name not in known:
                raise self._wrong(key.start_mark.line, f"{name!r} is unknown: {what} has {', '.join(known)}")
            fields[name] = value
        return fields

    def _text(self, node: Node, what: str) -> str:
        from yaml.nodes import ScalarNode

        if not isinstance(node, ScalarNode):
            raise self._wrong(node.start_mark.line, f"{what} must be a word")
        return str(node.value)

    def _wrong(self, line: int, why: str) -> ContextError:
        return ContextError(f"{self._path}, line {line + 1}: {why}")


def _written(contexts: Contexts) -> bytes:
    import yaml

    listed = {
        context.name: {
            field: text
            for field, text in dataclasses.asdict(context).items()
            if field != "name" and (text or field == "server")
        }
        for context in contexts.by_name.values()
    }
    fields = {**({"current": contexts.current} if contexts.current else {}), "contexts": listed}
    return yaml.safe_dump(fields, sort_keys=False, encoding="utf-8")
