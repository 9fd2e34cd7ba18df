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

from longshore_storage.blobs.urls import parse_blob_url, shown_blob_url
from longshore_storage.catalogue.opening import shown_database_url
from longshore_storage.errors import Misconfigured

from .settings import PREFIX, Settings

_DEFAULT: Final = "default"
_HIDDEN: Final = "********"
# As pydantic writes a secret that is not empty.
_SECRET: Final = str(SecretStr("x"))
# Also with slashes in the password, which nobody escaped.
_LOGIN: Final = re.compile(r"(?<=://)(?:[^@\s]*:\S*|[^/\s]+)(?=@)")
_QUERY: Final = re.compile(r"(?<=://)([^?\s]*\?)\S+")
_PASSWORD: Final = re.compile(r"://[^/@:\s]*:[^/@\s]+@")
_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_DATABASE: Final = ("database", "url")
# Secrets only with a password in them.
_ADDRESSES: Final = (_DATABASE, ("blobs", "url"), ("blobs", "read_urls"))


class Effective(NamedTuple):
    """A setting: its key with dots, its value as JSON tells it, and what said so."""

    key: str
    value: Any
    source: str


def effective(settings: Settings, config: Path | None, options: Mapping[str, Any]) -> list[Effective]:
    """Every setting, in the order of the documentation; what is secret in it as ``********``.

    Of an address that is who logs in, and the options behind the ``?`` that may be anything; all of it where
    it cannot be read.
    """
    in_file = yaml.safe_load(config.read_bytes()) if config is not None else None
    variables = {name.upper() for name in os.environ}
    values = settings.model_dump(mode="json")
    # Also what an empty address stands for.
    values["database"]["url"] = _shown_database(settings.database_url)
    values["blobs"]["url"] = _shown_blobs(settings.blobs_url)
    values["blobs"]["read_urls"] = [_shown_blobs(url) for url in settings.blobs_read_urls]
    found = []
    for path in _leaves(type(settings), ()):
        value: Any = values
        for name in path:
            value = value[name]
        source = _source(path, in_file, config, variables, options)
        shown = value if path in _ADDRESSES else _without_secrets(value)
        found.append(Effective(".".join(path), shown, source))
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


def _shown_database(url: str) -> str:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return _HIDDEN
    login, at, place = shown_database_url(parsed).rpartition("@")
    if at and parsed.get_backend_name() != "sqlite":
        # A password with an @ in it, which nobody escaped, would reach into what follows.
        if "@" in login or "@" in str(parsed.database):
            return _HIDDEN
        login = f"{parsed.drivername}://{_HIDDEN}"
    elif parsed.username or parsed.password:
        return _HIDDEN
    mode = parsed.query.get("sslmode")
    options = [f"sslmode={mode}"] if mode in _SSL_MODES else []
    if parsed.query.keys() > ({"sslmode"} if options else set()):
        options.append(_HIDDEN)
    return "?".join(filter(None, [login + at + place, "&".join(options)]))


def _shown_blobs(url: str) -> str:
    try:
        place, shown = parse_blob_url(url), shown_blob_url(url)
    except Misconfigured:
        return _HIDDEN
    if isinstance(place, Path):
        return shown
    return _HIDDEN if "@" in shown else shown + (f"?region={place.region}" if place.region else "")


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_secrets(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_secrets(each) for each in value]
    if isinstance(value, str):
        return _HIDDEN if value == _SECRET else _QUERY.sub(rf"\1{_HIDDEN}", _LOGIN.sub(_HIDDEN, value))
    return value
