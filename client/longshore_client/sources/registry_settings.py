"""Which registries this machine's own npm and pip use: their variables and files, or the public ones.

Only where a registry is, is read, never a credential. A ``.npmrc`` in the working directory does not count:
it may be a stranger's, and would choose who gets a token.
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from .home import expanded

DEFAULT_NPM_REGISTRY: Final = "https://registry.npmjs.org"
DEFAULT_PYPI_INDEX: Final = "https://pypi.org/simple"

_MOST_BYTES: Final = 1024 * 1024
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def npm_registry(package: str) -> str:
    """The registry of a package, which its scope may choose, without a slash at its end."""
    scope = package.partition("/")[0] if package.startswith("@") else ""
    for key in ([f"{scope}:registry"] if scope else []) + ["registry"]:
        if value := _npm_setting(key):
            return value.rstrip("/")
    return DEFAULT_NPM_REGISTRY


def pypi_index() -> str:
    """The index of Python packages (PEP 503), without a slash at its end."""
    for variable in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if value := os.environ.get(variable, "").strip():
            return value.rstrip("/")
    for path in _pip_files():
        parser = configparser.RawConfigParser(strict=False)
        with suppress(configparser.Error):
            parser.read_string(_text(path))
        for section in ("install", "global"):
            if value := parser.get(section, "index-url", fallback="").strip():
                return value.rstrip("/")
    return DEFAULT_PYPI_INDEX


def _npm_setting(key: str) -> str:
    if key == "registry" and (value := _npm_variable(key)):
        return value
    for path in _npm_files():
        for line in _text(path).splitlines():
            name, equals, value = line.partition("=")
            if equals and name.strip() == key:
                return _VARIABLE.sub(lambda found: os.environ.get(found[1], ""), value.strip().strip("\"'"))
    return ""


def _npm_variable(key: str) -> str:
    """A setting out of the environment, where npm reads it in either case."""
    lower = f"npm_config_{key}"
    return (os.environ.get(lower) or os.environ.get(lower.upper()) or "").strip()


def _npm_files() -> Iterator[Path]:
    yield from _known(_npm_variable("userconfig") or "~/.npmrc")
    yield from _known(_npm_variable("globalconfig") or "/etc/npmrc")


def _pip_files() -> Iterator[Path]:
    named = os.environ.get("PIP_CONFIG_FILE", "")
    if named:
        yield Path(named)
        return
    yield from _known(f"{os.environ.get('XDG_CONFIG_HOME') or '~/.config'}/pip/pip.conf")
    yield from _known("~/.pip/pip.conf")
    yield Path("/etc/pip.conf")


def _known(text: str) -> Iterator[Path]:
    """A file's path, none where it is in a home and there is none."""
    path = expanded(text)
    if path is not None:
        yield path


def _text(path: Path) -> str:
    """What is in a file, nothing where it cannot be read or is something else, which may never end."""
    with suppress(OSError, UnicodeDecodeError):
        if path.is_file() and path.stat().st_size <= _MOST_BYTES:
            return path.read_text("utf-8-sig")
    return ""
