"""How a source may be fetched, and the time that is left for it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from longshore_client.source_errors import SourceRefused, SourceUnavailable

from .checksums import Checksum
from .home import expanded

_GIB: Final = 1 << 30


def default_cache_folder() -> Path | None:
    """``$XDG_CACHE_HOME/longshore/sources``, or below ``~/.cache`` without that variable.

    None, so that nothing is kept, where there is neither the variable nor a home.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        home = expanded("~/.cache")
        if home is None or not home.is_absolute():
            return None
        base = home
    return base / "longshore" / "sources"


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """What is allowed, and what bounds it.

    Attributes:
        indexes: Registry indexes, files or URLs; the first that has what is asked for decides.
        checksum: What the payload must have: the sha256 of its bytes, or its content_sha256.
        token_env: The environment variable with a bearer token, sent to the first host only.
        allow_http: Also plain HTTP.
        allow_private: Also from a public host on to private addresses.
        allow_unverified: Also packages and index entries without a checksum.
        unpack_wheel: Take a wheel as the archive that it is, not as the file that pip installs.
        most_bytes: The largest payload, in bytes; of a git repository what is fetched, and the tree.
        timeout_s: The longest it may take in all, in seconds.
        idle_timeout_s: The longest a server may be silent, in seconds.
        cache_folder: Where verified downloads are kept; None for nowhere.
        cache_bytes: How much is kept there, in bytes; the longest unused goes first.
    """

    indexes: tuple[str, ...] = ()
    checksum: Checksum | None = None
    token_env: str = ""
    allow_http: bool = False
    allow_private: bool = False
    allow_unverified: bool = False
    unpack_wheel: bool = False
    most_bytes: int = 16 * _GIB
    timeout_s: float = 3600
    idle_timeout_s: float = 60
    cache_folder: Path | None = field(default_factory=default_cache_folder)
    cache_bytes: int = 4 * _GIB

    def token(self) -> str:
        """The token itself, empty where none is to be sent. Raises ``SourceRefused``."""
        if not self.token_env:
            return ""
        if not (self.token_env.isascii() and self.token_env.isidentifier()):
            # Not repeated: it may be the token itself.
            raise SourceRefused("what is to name the variable with the source's token is no variable's name")
        token = os.environ.get(self.token_env, "").strip()
        if not token:
            raise SourceRefused(
                f"the environment variable {self.token_env!r} is to hold the source's token, and is not set"
            )
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise SourceRefused(
                f"what the environment variable {self.token_env!r} holds is no token: it has spaces or "
                "characters that no token has"
            )
        return token


class Deadline:
    """The moment at which fetching has to be over."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._at = time.monotonic() + timeout_s

    @property
    def passed(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._at

    def left_s(self) -> float:
        """The seconds that are left. Raises ``SourceUnavailable`` when none are."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise self.error()
        return left

    def error(self) -> SourceUnavailable:
        """What to raise when the time is up."""
        return SourceUnavailable(f"fetching took longer than {self._timeout_s:g} s, which is the limit")
