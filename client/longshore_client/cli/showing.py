"""What commands connect with: options, then variables, then the context, and the token that is kept."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from longshore_client.addresses import checked_addresses, is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from longshore_client.credentials import Credentials

    from .contexts import Context

TOKEN_VARIABLE: Final = "LONGSHORE_TOKEN"  # noqa: S105
TOKEN_FILE_VARIABLE: Final = "LONGSHORE_TOKEN_FILE"  # noqa: S105
TLS_VARIABLE: Final = "LONGSHORE_TLS"
CERTIFICATE_VARIABLES: Final = {"ca": "LONGSHORE_CA", "cert": "LONGSHORE_CERT", "key": "LONGSHORE_KEY"}
_YES: Final = ("1", "true", "yes")
_NO: Final = ("0", "false", "no")


@dataclass(frozen=True, slots=True)
class Tls:
    """Whether connections are encrypted, and the files for it; empty where none is named."""

    on: bool = False
    ca: str = ""
    cert: str = ""
    key: str = ""


NO_TLS: Final = Tls()


def variable(name: str) -> str:
    """What a variable says; "" where it is not set.

    Raises ``click.UsageError`` where it is set and empty, as a secret that is not there is in CI: what would
    be taken in its place may be another server, or another person.
    """
    text = os.environ.get(name)
    if text is not None and not text.strip():
        raise click.UsageError(f"{name} is set, and empty: give it a value, or unset it")
    return text or ""


def choose_tls(options: Mapping[str, object], context: Context | None) -> Tls:
    """What the options, the variables and the context come to. Raises ``click.UsageError``."""

    def file(name: str) -> str:
        named = options.get(name) or variable(CERTIFICATE_VARIABLES[name])
        return str(named or (getattr(context, name) if context is not None else ""))

    files = {name: file(name) for name in CERTIFICATE_VARIABLES}
    asked = bool(options.get("tls")) or _is_yes(TLS_VARIABLE)
    kept = context is not None and context.tls
    return Tls(asked or kept or any(files.values()), **files)


def _is_yes(name: str) -> bool:
    text = variable(name).lower()
    if text not in ("", *_YES, *_NO):
        raise click.UsageError(f"{name} is {text!r}: write {', '.join(_YES)}, or {', '.join(_NO)}")
    return text in _YES


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
    if token := variable(TOKEN_VARIABLE).strip():
        return token
    if named := variable(TOKEN_FILE_VARIABLE):
        try:
            token = Path(named).read_text("ascii").strip()
        except (OSError, ValueError) as error:
            raise click.UsageError(f"{TOKEN_FILE_VARIABLE}: {named} cannot be read: {error}") from error
        if not token:
            raise click.UsageError(f"{TOKEN_FILE_VARIABLE}: {named} is empty: it has to hold a token")
        return token
    from .kept_tokens import kept_token

    # One that is kept is not sent unencrypted, nor does it keep anybody from calling without.
    safe = tls.on or all(map(is_loopback, checked_addresses(server)))
    return kept_token(server) if safe else ""


def _path(name: str) -> Path | None:
    return Path(name).expanduser() if name else None
