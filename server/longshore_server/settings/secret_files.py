"""Secrets that stand in files of their own: those of systemd, of containers, or of whoever mounts them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

_LARGEST_BYTES: Final = 64 * 1024
_SUFFIX: Final = "_file"


def with_secrets_read(values: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Any]:
    """The values of a section, with ``KEY`` read from the file that ``KEY_file`` names, for each secret.

    The line end at the end of a file is no part of the secret. Raises ``ValueError`` for a secret that is
    given both ways, and for a file that holds none.
    """
    read = dict(values)
    for key in secrets:
        if not (file := values.get(key + _SUFFIX)):
            continue
        if values.get(key):
            raise ValueError(f"`{key}` and `{key}{_SUFFIX}` say the same: set one of them")
        read[key] = _secret(Path(file), key + _SUFFIX)
    return read


def _secret(path: Path, key: str) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_BYTES).decode()
    except OSError as error:
        raise ValueError(f"{path} (`{key}`) cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} (`{key}`) is no text in UTF-8") from None
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise ValueError(f"{path} (`{key}`) is empty")
    return secret
