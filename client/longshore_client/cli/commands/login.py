"""``longshore login`` and ``logout``: the token that commands show a server."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import click

from longshore_client.cli.session import Session, client_command


@dataclasses.dataclass(frozen=True, slots=True)
class LoggedIn:
    """For which server a token is kept, and where."""

    server: str
    kept_in: str


@click.command(
    "login",
    short_help="Keep the token that commands show a server.",
    epilog="""\b
Examples:
  longshore login --context live
  vault read -field=token secret/longshore | longshore login --server live-1:7420 --ca ca.pem""",
)
@client_command
def login_command(session: Session) -> None:
    """Keep the token for a server: asked for on a terminal, else read from standard input.

    It is tried first. It is kept in the system's keyring (with `longshore[keyring]`), else in tokens.json
    beside the contexts, which only its owner may read. LONGSHORE_TOKEN goes before it.
    """
    from longshore_client.cli.kept_tokens import keep_token

    if sys.stdin.isatty():
        token = str(click.prompt("Token", hide_input=True, err=True)).strip()
    else:
        token = sys.stdin.readline().strip()
    if not token:
        raise click.UsageError("there is no token on standard input")
    session.with_token(token).run(lambda client: client.server_info())
    where = keep_token(session.server, token)
    session.printer.result(
        LoggedIn(session.server, where), sentence=f"the token is kept in {Path(where).name}"
    )


@click.command(
    "logout",
    short_help="Forget the token for a server.",
    epilog="""\b
Examples:
  longshore logout --context live""",
)
@client_command
def logout_command(session: Session) -> None:
    """Forget the token that is kept for a server. The server still takes it: revoke it there."""
    from longshore_client.cli.kept_tokens import forget_token

    forgotten = forget_token(session.server)
    sentence = f"the token for {session.server} is forgotten" if forgotten else "no token was kept"
    session.printer.result(LoggedIn(session.server, ""), sentence=sentence)
