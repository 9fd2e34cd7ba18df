"""The settings as they hold, with where each came from, and without secrets: for people to look at."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from pydantic import BaseModel, SecretStr
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from .settings import PREFIX, Settings

_DEFAULT: Final = "default"
_HIDDEN: Final = "********"
# As pydantic writes a secret that is not empty.
_SECRET: Final = str(SecretStr("x"))
_LOGIN: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_PASSWORD: Final = re.compile(r"://[^/@:\s]*:[^/@\s]+@")
_DATABASE: Final = ("database", "url")
# Hidden in any case; they are secrets only with a password in them.
_ADDRESSES: Final = (_DATABASE, ("blobs", "url"), ("blobs", "read_urls"))


class Effective(NamedTuple):
    """A setting: its key with dots, its value as JSON tells it, and what said so."""

    key: str
    value: Any
    source: str


def effective(settings: Settings, config: Path | None, options: Mapping[str, Any]) -> list[Effective]:
    """Every setting, in the order of the documentation; those that are secret as ``********``."""
    in_file = yaml.safe_load(config.read_bytes()) if config is not None else None
    variables = {name.upper() for name in os.environ}
    values = settings.model_dump(mode="json")
    # What an empty address stands for.
    for store, url in (("database", settings.database_url), ("blobs", settings.blobs_url)):
        values[store]["url"] = values[store]["url"] or url
    found = []
    for path in _leaves(type(settings), ()):
        value: Any = values
        for name in path:
            value = value[name]
        source = _source(path, in_file, config, variables, options)
        found.append(Effective(".".join(path), _without_secrets(value), source))
    return found


def secrets_in(settings: Settings, config: Path) -> list[str]:
    """The keys of the settings that stand in the file and are secret, or have a password in them."""
    in_file = yaml.safe_load(config.read_bytes())
    values = settings.model_dump(mode="json")
    found = []
    for path in _leaves(type(settings), ()):
        section, value = in_file, values
        for name in path[:-1]:
            section = section.get(name) if isinstance(section, dict) else None
            value = value[name]
        if not isinstance(section, dict) or path[-1] not in section:
            continue
        if _is_secret(path, section[path[-1]], value[path[-1]]):
            found.append(".".join(path))
    return found


def _is_secret(path: tuple[str, ...], written: Any, value: Any) -> bool:
    if path == _DATABASE and isinstance(written, str):
        return _has_database_password(written)
    if _has_password(written):
        return True
    return path not in _ADDRESSES and json.dumps(_SECRET) in json.dumps(value)


def _has_password(written: Any) -> bool:
    if isinstance(written, dict):
        return any(map(_has_password, written.values()))
    if isinstance(written, list):
        return any(map(_has_password, written))
    return isinstance(written, str) and _PASSWORD.search(written) is not None


def _has_database_password(url: str) -> bool:
    """Whether what connects would find one there: it takes slashes into it, and one behind the ``?``."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return _has_password(url)
    return bool(parsed.password or parsed.query.get("password"))


def _leaves(model: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _leaves(field.annotation, (*path, name))
        else:
            yield (*path, name)


def _source(
    path: tuple[str, ...],
    in_file: Any,
    config: Path | None,
    variables: set[str],
    options: Mapping[str, Any],
) -> str:
    if options.get(path[0]) is not None:
        return f"--{path[0].replace('_', '-')}"
    variable = PREFIX + "__".join(path).upper()
    # A secret may stand in a file that another setting names.
    for suffix in ("", "_FILE"):
        if variable + suffix in variables:
            return variable + suffix
    section: Any = in_file
    for name in path[:-1]:
        section = section.get(name) if isinstance(section, dict) else None
    if isinstance(section, dict) and (path[-1] in section or f"{path[-1]}_file" in section):
        return str(config)
    return _DEFAULT


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_secrets(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_secrets(each) for each in value]
    if isinstance(value, str):
        return _HIDDEN if value == _SECRET else _LOGIN.sub(_HIDDEN, value)
    return value
