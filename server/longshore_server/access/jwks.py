"""The keys that an issuer signs with: from a file or a URL, read again when they may have changed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
import urllib3
from jwt import PyJWK, PyJWKSet
from jwt.exceptions import PyJWKSetError, PyJWTError

from longshore_storage.errors import Misconfigured, Unavailable

_log = structlog.get_logger(__name__)

_LARGEST_SET_BYTES: Final = 1 << 20
_FETCH_TIMEOUT_S: Final = 5.0
# A key that is not there may have come since; whoever makes up key ids must not make us ask all the time.
_LOOK_AGAIN_AFTER_S: Final = 10.0
# An issuer may be away; but whoever keeps us from reading must not keep a withdrawn key good for ever.
_GOOD_FOR_S: Final = 86_400.0
# While there are no keys at all, calls must not wait for one attempt behind the other.
_TRY_AGAIN_AFTER_S: Final = 1.0

UNREADABLE: Final = (
    OSError,
    ValueError,
    RecursionError,
    # Of a key for the algorithm `none`.
    NotImplementedError,
    PyJWTError,
    urllib3.exceptions.HTTPError,
)
"""What reading a set, and ``keys_in``, may raise."""


class KeySet:
    """Keys by their id. ``read`` blocks, up to some seconds, and gives a JSON Web Key Set.

    While it cannot be read the set before is good, for ``good_for_s`` beyond ``fresh_s``.
    """

    def __init__(
        self, name: str, read: Callable[[], bytes], *, fresh_s: float, good_for_s: float = _GOOD_FOR_S
    ) -> None:
        self._name = name
        self._read = read
        self._fresh_s = fresh_s
        self._good_for_s = good_for_s
        self._keys: dict[str, PyJWK] = {}
        self._read_at = -float("inf")
        self._good_until = -float("inf")
        self._failed_at = -float("inf")
        self._lock = asyncio.Lock()

    async def key(self, key_id: str) -> PyJWK | None:
        """The key, read again where it is unknown or the set is old; None where there is none.

        An empty id is that of the only key. Raises ``Unavailable`` while no set could be read at all.
        """
        age_s = time.monotonic() - self._read_at
        known = self._find(key_id)
        if known is not None and self._lock.locked():
            # Somebody looks just now; that may take its time.
            return known
        if age_s > self._fresh_s or (known is None and age_s > _LOOK_AGAIN_AFTER_S):
            async with self._lock:
                if time.monotonic() - self._read_at > min(self._fresh_s, _LOOK_AGAIN_AFTER_S):
                    await self._look()
        return self._find(key_id)

    def _find(self, key_id: str) -> PyJWK | None:
        if not key_id and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    async def _look(self) -> None:
        if time.monotonic() - self._failed_at < _TRY_AGAIN_AFTER_S:
            raise self._unavailable()
        try:
            self._keys = keys_in(await asyncio.to_thread(self._read))
            self._good_until = time.monotonic() + self._fresh_s + self._good_for_s
        except UNREADABLE as error:
            _log.warning("access.keys_not_read", keys=self._name, error=str(error))
            if time.monotonic() > self._good_until:
                self._keys = {}
                self._failed_at = time.monotonic()
                raise self._unavailable() from error
        # After a failure, too: what was read before is good until the next look.
        self._read_at = time.monotonic()

    def _unavailable(self) -> Unavailable:
        return Unavailable(f"the keys of {self._name}, by which tokens are verified")


def keys_in(content: bytes) -> dict[str, PyJWK]:
    """The keys of a set by their ids, without secrets that both sides have. Raises ``UNREADABLE``."""
    document = json.loads(content)
    if not isinstance(document, dict):
        raise PyJWKSetError("the set is no JSON object")
    keys = PyJWKSet.from_dict(document).keys
    return {key.key_id or "": key for key in keys if key.key_type != "oct"}


def from_file(path: Path) -> Callable[[], bytes]:
    """Read a set from a file."""

    def read() -> bytes:
        with path.open("rb") as file:
            return file.read(_LARGEST_SET_BYTES)

    return read


def from_url(url: str, ca_file: Path | None) -> Callable[[], bytes]:
    """Fetch a set by HTTPS, or by HTTP from this machine. No redirects are followed."""
    pool = urllib3.PoolManager(
        num_pools=1, retries=False, timeout=_FETCH_TIMEOUT_S, ca_certs=str(ca_file) if ca_file else None
    )

    def read() -> bytes:
        response = pool.request("GET", url, preload_content=False, redirect=False)
        try:
            if response.status != 200:
                raise ValueError(f"it answered {response.status}")
            return bytes(response.read(_LARGEST_SET_BYTES, decode_content=True))
        finally:
            response.release_conn()

    return read


def check_readable(path: Path, setting: str) -> None:
    """Raise ``Misconfigured`` for a file that cannot be read."""
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise Misconfigured(f"{path} (`{setting}`) cannot be read: {error.strerror}") from error
