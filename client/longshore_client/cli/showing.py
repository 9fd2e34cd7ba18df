"""What commands connect with: options, then variables, then the context, and the token that is kept."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from longshore_client.addresses import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from longshore_client.credentials import Credentials

    from .contexts import Context

TOKEN_VARIABLE: Final = "LONGSHORE_TOKEN"  # noqa: S105
TOKEN_FILE_VARIABLE: Final = "LONGSHORE_TOKEN_FILE"  # noqa: S105
TLS_VARIABLE: Final = "LONGSHORE_TLS"
CERTIFICATE_VARIABLES: Final = {"ca": "LONGSHORE_CA", "cert": "LONGSHORE_CERT", "key": "LONGSHORE_KEY"}
_TRUE: Final = ("1", "true", "yes")


@dataclass(frozen=True, slots=True)
class Tls:
    """Whether connections are encrypted, and the files for it; empty where none is named."""

    on: bool = False
    ca: str = ""
    cert: str = ""
    key: str = ""


NO_TLS: Final = Tls()


def choose_tls(options: Mapping[str, object], context: Context | None) -> Tls:
    """What the options, the variables and the context come to."""

    def file(name: str) -> str:
        named = options.get(name) or os.environ.get(CERTIFICATE_VARIABLES[name], "")
        return str(named or (getattr(context, name) if context is not None else ""))

    files = {name: file(name) for name in CERTIFICATE_VARIABLES}
    asked = bool(options.get("tls")) or os.environ.get(TLS_VARIABLE, "").lower() in _TRUE
    kept = context is not None and context.tls
    return Tls(asked or kept or any(files.values()), **files)


def credentials_of(server: str, tls: Tls, token: str = "") -> Credentials:
    """The credentials for a server; ``token`` goes before every other. Raises ``click.UsageError``."""
    from longshore_client.credentials import Credentials

    try:
        return Credentials(
            tls=tls.on,
            ca_file=_path(tls.ca),
            cert_file=_path(tls.cert),
            key_file=_path(tls.key),
            token=token or _token(server, tls),
        )
    except ValueError as error:
        raise click.UsageError(f"{error} (--cert, --key, {TOKEN_VARIABLE})") from error


def _token(server: str, tls: Tls) -> str:
    if token := os.environ.get(TOKEN_VARIABLE, "").strip():
        return token
    if named := os.environ.get(TOKEN_FILE_VARIABLE, ""):
        try:
            return Path(named).read_text("ascii").strip()
        except (OSError, ValueError) as error:
            raise click.UsageError(f"{TOKEN_FILE_VARIABLE}: {named} cannot be read: {error}") from error
    from .kept_tokens import kept_token

    # One that is kept is not sent unencrypted, nor does it keep anybody from calling without.
    safe = tls.on or all(is_loopback(address) for address in server.split(","))
    return kept_token(server) if safe else ""


def _path(name: str) -> Path | None:
    return Path(name).expanduser() if name else None
