"""Which keys a blob store takes. Owns the rule; refuses whatever could leave a folder or hide in it.

A key is one or more names joined by ``/``; a name is made of ``a-z 0-9 . _ -`` and does not begin with a
dot, so that ``.``, ``..`` and a store's own hidden files are no keys. Longest key: 255 bytes. A bad key is
a mistake in the program, hence ``ValueError``.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST_KEY_BYTES: Final = 255

_NAME: Final = r"[a-z0-9_-][a-z0-9._-]*"
_KEY: Final = re.compile(rf"{_NAME}(/{_NAME})*")
_PREFIX: Final = re.compile(rf"(({_NAME}/)*({_NAME})?)?")


def check_key(key: str) -> str:
    """``key`` itself. Raises ``ValueError`` when it is none."""
    if len(key) > LONGEST_KEY_BYTES or not _KEY.fullmatch(key):
        raise ValueError(f"{key[:300]!r} is not a key: names of a-z 0-9 . _ - joined by /, 255 bytes at most")
    return key


def check_prefix(prefix: str) -> str:
    """``prefix`` itself, the begin of a key or empty. Raises ``ValueError`` when it is none."""
    if len(prefix) > LONGEST_KEY_BYTES or not _PREFIX.fullmatch(prefix):
        raise ValueError(f"{prefix[:300]!r} is not the begin of a key: names of a-z 0-9 . _ - joined by /")
    return prefix
