"""What every command of the client shares: its server, its output, and a client to work with."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

import click

from longshore_client.addresses import DEFAULT_SERVER, checked_addresses

from .printing import OutputFormat, print_object
from .tables import Column, draw, terminal_width

if TYPE_CHECKING:
    from longshore_client.client import Client

SERVER_VARIABLE: Final = "LONGSHORE_SERVER"

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
_Row = TypeVar("_Row")
_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Session:
    """One run of one command."""

    server: str
    output: OutputFormat
    width: int | None = field(default_factory=terminal_width)

    @property
    def for_people(self) -> bool:
        """Whether results are printed as tables."""
        return self.output is OutputFormat.TABLE

    def run(self, work: Callable[[Client], Awaitable[_Result]]) -> _Result:
        """What ``work`` gives, called with an open client."""
        # What gRPC's core logs is no word for people; errors carry what matters.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from longshore_client.client import Client

        async def with_client() -> _Result:
            async with Client(self.server) as client:
                return await work(client)

        return asyncio.run(with_client())

    async def print_rows(
        self, rows: AsyncIterable[_Row], columns: Sequence[Column[_Row]], *, nothing: str
    ) -> None:
        """Print rows as a table, or one object a line as they come; ``nothing`` is said to people."""
        if not self.for_people:
            async for row in rows:
                print_object(row, self.output)
            return
        listed = [row async for row in rows]
        if not listed:
            click.echo(nothing, err=True)
        for line in draw(columns, listed, width=self.width) if listed else ():
            click.echo(line)

    def print_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Print what is known about one thing, a line for each fact that is not empty."""
        known = [(name, text) for name, text in facts if text]
        longest = max(len(name) for name, _ in known)
        for name, text in known:
            click.echo(f"{click.style(name.ljust(longest), bold=True)}  {text}")


def shared_options(function: _Command) -> _Command:
    """Add ``--server`` and ``--output``, which may stand before and behind the command's name."""
    server = click.option(
        "--server",
        metavar="HOST:PORT[,…]",
        help="The server to talk to; of several the first that can do it.  "
        f"[env: {SERVER_VARIABLE}; default: {DEFAULT_SERVER}]",
    )
    output = click.option(
        "-o",
        "--output",
        type=click.Choice([each.value for each in OutputFormat]),
        help="How results are printed; lists in JSON are one object a line.  [default: table]",
    )
    return server(output(function))


def client_command(
    function: Callable[Concatenate[Session, _Parameters], None],
) -> Callable[..., None]:
    """Give a command's function its session in place of the shared options."""

    @functools.wraps(function)
    def command(*args: Any, server: str | None, output: str | None, **options: Any) -> None:
        outer: dict[str, str | None] = click.get_current_context().obj or {}
        session = Session(
            server=_checked(
                server or outer.get("server") or os.environ.get(SERVER_VARIABLE) or DEFAULT_SERVER
            ),
            output=OutputFormat(output or outer.get("output") or OutputFormat.TABLE),
        )
        function(session, *args, **options)

    return shared_options(command)


def _checked(server: str) -> str:
    try:
        checked_addresses(server)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    return server
