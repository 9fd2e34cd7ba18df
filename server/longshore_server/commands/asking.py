"""The question before what cannot be taken back."""

from __future__ import annotations

import sys
from typing import Final

import click

_EXIT_BROKEN_OFF: Final = 130


def confirm(question: str) -> None:
    """Go on only when a person says yes; else say that nothing was changed, and end the command.

    Raises ``click.UsageError`` where nobody can be asked.
    """
    check_askable()
    try:
        if click.confirm(question, err=True):
            return
    except click.Abort:
        click.echo(err=True)
    click.echo("nothing was changed", err=True)
    click.get_current_context().exit(_EXIT_BROKEN_OFF)


def check_askable() -> None:
    """Raises ``click.UsageError`` where nobody can be asked."""
    if not has_terminal():
        raise click.UsageError("nobody can be asked here: confirm with --yes")


def has_terminal() -> bool:
    """Whether whoever started this can be asked."""
    return sys.stdin.isatty()
