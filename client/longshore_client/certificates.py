"""The files that a client connects with: read once, and looked at before anything is connected.

gRPC says of none of them what is wrong with it, and an empty certificate ends its whole process.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .errors import CredentialsUnusable

_KEY: Final = b"PRIVATE KEY-----"
_MOST_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """What the files hold, in PEM; None where none is named."""

    authorities: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)


def read_certificates(ca_file: Path | None, cert_file: Path | None, key_file: Path | None) -> Certificates:
    """What the files hold. Raises ``CredentialsUnusable`` where one is none, or two do not go together."""
    authorities, certificate = _certificates(ca_file), _certificates(cert_file)
    key = _key(key_file)
    if cert_file is not None and key_file is not None and can_be_read_again(cert_file, key_file):
        _check_pair(cert_file, key_file)
    return Certificates(authorities=authorities, certificate=certificate, key=key)


def can_be_read_again(*files: Path) -> bool:
    """Whether all of them can: what comes out of another program is left to the connection."""
    return all(file.is_file() for file in files)


def trusting(authorities: bytes) -> ssl.SSLContext:
    """A context that trusts these alone. Raises ``ssl.SSLError`` or ``ValueError`` where there is none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Between certificates there may be words in any alphabet.
    context.load_verify_locations(cadata=authorities.decode("ascii", "ignore"))
    return context


def _certificates(path: Path | None) -> bytes | None:
    if path is None:
        return None
    content = _content(path)
    try:
        trusting(content)
    except (ssl.SSLError, ValueError) as error:
        raise CredentialsUnusable(f"{path} holds no certificate in PEM") from error
    return content


def _key(path: Path | None) -> bytes | None:
    if path is None:
        return None
    content = _content(path)
    if _KEY not in content:
        raise CredentialsUnusable(f"{path} holds no key in PEM")
    return content


def _check_pair(cert_file: Path, key_file: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(cert_file, key_file, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise CredentialsUnusable(f"{key_file} is not the key of the certificate {cert_file}") from error
        if "TOO_" in (error.reason or ""):
            # How strong they have to be is for the server to judge.
            return
        raise CredentialsUnusable(
            f"{key_file} cannot be used: it is broken, or encrypted, which a key here must not be"
        ) from error


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise CredentialsUnusable(f"{path} cannot be read: {error.strerror}") from error
    if not content.strip():
        raise CredentialsUnusable(f"{path} is empty")
    if len(content) > _MOST_BYTES:
        raise CredentialsUnusable(f"{path} is larger than {_MOST_BYTES // 1024 // 1024} MiB")
    return content
