"""Where a payload was taken from, as the client that sent it says: looked at, and recorded as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from longshore_server.refusal import invalid

_LONGEST_URL_BYTES = 2000
_LONGEST_REF_BYTES = 255
_CHECKSUM = re.compile(r"[a-z0-9]{1,20}:[0-9a-f]{16,200}")


@dataclass(frozen=True, slots=True)
class Source:
    """``kind`` is DIRECTORY, FILE, URL, GIT, NPM or PYPI, or empty; see the contract for the rest."""

    kind: str
    url: str
    ref: str
    checksum: str
    verified: bool

    def checked(self, field_name: str) -> Self:
        """The source, every field looked at; raises ``Refusal`` with the field that is wrong."""
        _check_line(f"{field_name}.url", self.url, _LONGEST_URL_BYTES)
        _check_line(f"{field_name}.ref", self.ref, _LONGEST_REF_BYTES)
        if _has_credentials(self.url):
            raise invalid(f"{field_name}.url", "must not carry credentials: it is recorded and shown")
        if self.checksum and not _CHECKSUM.fullmatch(self.checksum):
            raise invalid(f"{field_name}.checksum", "must be ALGORITHM:HEX in lower case")
        if self.verified and not self.checksum:
            raise invalid(f"{field_name}.verified", "says that a checksum was found right, and there is none")
        return self

    def to_row(self) -> dict[str, Any]:
        """As kept in a release's row."""
        return asdict(self)

    @classmethod
    def of_row(cls, row: Mapping[str, Any] | None) -> Self | None:
        """The other way round; what a later version knows besides is left out."""
        if row is None:
            return None
        return cls(**{name: value for name, value in row.items() if name in cls.__dataclass_fields__})


def _check_line(field_name: str, value: str, longest_bytes: int) -> None:
    if len(value.encode()) > longest_bytes:
        raise invalid(field_name, f"must be at most {longest_bytes} bytes of UTF-8")
    if not value.isprintable():
        raise invalid(field_name, "must be one line without control characters")


def _has_credentials(url: str) -> bool:
    """Whether a URL names a user or a password, or has a query, which may hold a token."""
    try:
        parts = urlsplit(url)
    except ValueError:
        # No URL then: a path, say.
        return False
    if not parts.netloc:
        return False
    # ssh://git@host names a user who is no secret.
    has_user = parts.username is not None and parts.scheme not in ("ssh", "git+ssh")
    return has_user or parts.password is not None or "=" in parts.query
