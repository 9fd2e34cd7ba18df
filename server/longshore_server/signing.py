"""How Longshore signs HTTP bodies, and wants those signed that no forge sends; secrets of both from files."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Final

from longshore_storage.errors import Misconfigured

_LEAST_SECRET_BYTES: Final = 16


def signature(secret: bytes, time_s: int, body: bytes) -> str:
    """The value of ``Longshore-Signature``: when it was signed (Unix time), and the HMAC-SHA256 in hex."""
    digest = hmac.new(secret, b"%d." % time_s + body, hashlib.sha256).hexdigest()
    return f"t={time_s},v1={digest}"


def read_secret(path: Path, setting: str) -> bytes:
    """A secret, without white space around it. Raises ``Misconfigured``."""
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise Misconfigured(f"{path} (`{setting}`) cannot be read: {error.strerror}") from error
    if len(secret) < _LEAST_SECRET_BYTES:
        raise Misconfigured(f"{path} (`{setting}`): a secret has at least {_LEAST_SECRET_BYTES} bytes")
    return secret
