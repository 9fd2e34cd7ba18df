"""The options that commands share, which may stand before and behind the command's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from longshore_client.addresses import DEFAULT_SERVER

from . import completing
from .choosing import CONTEXT_VARIABLE, DEFAULT_ENVIRONMENT, SERVER_VARIABLE
from .moments import Unless
from .showing import CERTIFICATE_VARIABLES, TLS_VARIABLE

_Command = TypeVar("_Command", bound=Callable[..., Any])

_ALL: Final = "all"

COMMAND: Final = "longshore.command"
"""In a context's ``meta``, which is one for all of a run: the command that was called."""


class OutputFormat(StrEnum):
    """What ``--output`` takes; SARIF where findings are told to other programs only."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    SARIF = "sarif"


FORMATS: Final = (OutputFormat.TABLE, OutputFormat.JSON, OutputFormat.YAML)


def output_options(function: _Command, *, formats: Sequence[OutputFormat] = FORMATS) -> _Command:
    """Add ``--output``, ``--quiet`` and ``--plain``."""
    output = click.option(
        "-o",
        "--output",
        type=click.Choice([each.value for each in formats]),
        help="How results are printed; lists in JSON are one object a line.  [default: table]",
    )
    quiet = click.option(
        "-q", "--quiet", is_flag=True, help="Print only what a script goes on with: an id, a version, a name."
    )
    plain = click.option("--plain", is_flag=True, help="Lines only: no colours, no bars, nothing cut.")
    return output(quiet(plain(function)))


def server_options(function: _Command) -> _Command:
    """Add ``--server``, ``--context``, and how to connect."""
    server = click.option(
        "--server",
        metavar="HOST:PORT[,…]",
        help="The server to talk to; of several the first that can do it.  "
        f"[env: {SERVER_VARIABLE}; default: the context's, else {DEFAULT_SERVER}]",
    )
    context = click.option(
        "--context",
        metavar="NAME",
        shell_complete=completing.contexts,
        help=f"The context to work in: see `longshore context`.  [env: {CONTEXT_VARIABLE}]",
    )
    tls = click.option("--tls", is_flag=True, help=f"Connect encrypted.  [env: {TLS_VARIABLE}]")
    files = [
        click.option(
            f"--{name}",
            type=click.Path(dir_okay=False),
            metavar="FILE",
            help=f"{what}, in PEM; with it connections are encrypted.  [env: {CERTIFICATE_VARIABLES[name]}]",
        )
        for name, what in (
            ("ca", "The authority of the server's certificate"),
            ("cert", "The certificate to show the server"),
            ("key", "Its key"),
        )
    ]
    for option in (*reversed(files), tls, context, server):
        function = option(function)
    return function


def environment_option(where: str) -> Callable[[_Command], _Command]:
    """Add ``--environment`` to a command that acts in one environment; ``where`` is its help."""
    return click.option(
        "-e",
        "--environment",
        shell_complete=completing.environments,
        help=f"{where}  [default: the context's, else {DEFAULT_ENVIRONMENT}]",
    )


def environment_filter(function: _Command) -> _Command:
    """Add ``--environment`` to a command that looks at all of them unless one is named."""
    return click.option(
        "-e", "--environment", shell_complete=completing.environments, help="Only of this environment."
    )(function)


@dataclass(frozen=True, slots=True)
class Limit:
    """How many rows of a list are shown, None for all; ``given`` where somebody chose the number."""

    rows: int | None
    given: bool


def _limit(context: click.Context, option: click.Parameter, limit: Any) -> Limit:
    given = context.get_parameter_source(option.name or "") is not ParameterSource.DEFAULT
    return Limit(None if limit == _ALL else limit, given)


def limit_option(function: _Command) -> _Command:
    """Add ``--limit``."""
    return click.option(
        "-n",
        "--limit",
        type=Unless(click.IntRange(1), _ALL),
        callback=_limit,
        metavar="N|all",
        default=20,
        show_default=True,
        help="How many at most. Where there are more, that is told on standard error.",
    )(function)
