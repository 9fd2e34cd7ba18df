"""What every command of the client shares: its server, its output, and a client to work with."""

from __future__ import annotations

import dataclasses
import functools
import gc
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

import click

from longshore_client.addresses import checked_addresses

from .choosing import Chosen, choose
from .given import refuse_empty, refuse_undecodable
from .options import COMMAND, FORMATS, OutputFormat, output_options, server_options
from .printer import Printer
from .screen import moves, terminal_width
from .showing import credentials_of
from .tracing import traced

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    from longshore_client.client import Client

    from .display import Display

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
_OUTPUT_OPTIONS: Final = ("output", "quiet", "plain")
_SERVER_OPTIONS: Final = ("server", "context", "tls", "ca", "cert", "key")


@dataclass(frozen=True, slots=True)
class Session:
    """One run of one command that asks a server."""

    printer: Printer
    chosen: Chosen
    token: str = ""
    tracing: TracerProvider | None = None

    def with_token(self, token: str) -> Session:
        """The same with a token that goes before every other."""
        return dataclasses.replace(self, token=token)

    @property
    def server(self) -> str:
        """The addresses, with commas between them."""
        return self.chosen.server

    def environment(self, named: str | None) -> str:
        """The environment that is meant: the one named, else the context's, else ``default``."""
        return named or self.chosen.environment

    def project(self, named: str | None) -> str:
        """The project that is meant: the one named, else the context's. Raises ``click.UsageError``."""
        project = named or self.chosen.project
        if not project:
            raise click.UsageError("name the project, here or in the context (`longshore context set`)")
        return project

    def release(self, project: str | None, version: str | None) -> tuple[str, str]:
        """Project and version of ``PROJECT VERSION``, ``PROJECT@VERSION``, or ``@VERSION`` in a context.

        Raises ``click.UsageError``.
        """
        if version is None:
            project, _, version = (project or "").partition("@")
        if not version:
            raise click.UsageError("name the release: PROJECT VERSION, or PROJECT@VERSION")
        return self.project(project), version

    @contextmanager
    def display(self, stream: IO[str] | None = None) -> Iterator[Display]:
        """Progress on a stream, standard error if none is given: moving, as lines, or not at all."""
        from .display import NoDisplay, PlainDisplay

        shown_on = stream or sys.stderr
        if self.printer.quiet:
            yield NoDisplay()
        elif not moves(shown_on, plain=self.printer.plain):
            yield PlainDisplay(shown_on)
        else:
            from .live_display import LiveDisplay

            with LiveDisplay(shown_on) as shown:
                yield shown

    def run(self, work: Callable[[Client], Awaitable[_Result]]) -> _Result:
        """What ``work`` gives, called with an open client."""
        import asyncio

        # What gRPC's core logs is no word for people; errors carry what matters.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from longshore_client.client import Client

        # Off since the start; what comes now goes too.
        gc.enable()

        credentials = credentials_of(self.server, self.chosen.tls, self.token)

        async def with_client() -> _Result:
            async with Client(self.server, credentials=credentials, tracing=self.tracing) as client:
                return await work(client)

        return asyncio.run(with_client())


def client_command(
    function: Callable[Concatenate[Session, _Parameters], None],
) -> Callable[..., None]:
    """Give a command's function its session in place of the shared options.

    These may stand before and behind the command's name.
    """

    @functools.wraps(function)
    def command(*args: Any, **options: Any) -> None:
        _remember_command()
        refuse_empty(click.get_current_context())
        refuse_undecodable(click.get_current_context())
        given = _given(options, _SERVER_OPTIONS)
        printer = _printer(_given(options, _OUTPUT_OPTIONS))
        chosen = choose(given["server"], given["context"], given)
        try:
            checked_addresses(chosen.server)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        with traced(click.get_current_context().command_path) as tracing:
            function(Session(printer, chosen, tracing=tracing), *args, **options)

    return server_options(output_options(command))


def local_command(
    function: Callable[Concatenate[Printer, _Parameters], None],
    *,
    formats: Sequence[OutputFormat] = FORMATS,
) -> Callable[..., None]:
    """Give the function of a command that asks no server its printer in place of the output options."""

    @functools.wraps(function)
    def command(*args: Any, **options: Any) -> None:
        _remember_command()
        refuse_undecodable(click.get_current_context())
        function(_printer(_given(options, _OUTPUT_OPTIONS)), *args, **options)

    return output_options(command, formats=formats)


def _remember_command() -> None:
    """An error that ends the command is told when its context is gone, with advice that it can follow."""
    context = click.get_current_context()
    context.meta[COMMAND] = context.command


def _given(options: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Take ``names`` out of the options: what stands behind the command's name, else what stands before."""
    outer: dict[str, Any] = click.get_current_context().obj or {}
    return {name: options.pop(name) or outer.get(name) for name in names}


def _printer(given: dict[str, Any]) -> Printer:
    if given["quiet"] and given["output"]:
        raise click.UsageError("--quiet and --output exclude each other")
    plain = bool(given["plain"])
    if plain:
        click.get_current_context().find_root().color = False
        click.get_current_context().color = False
    return Printer(
        output=OutputFormat(given["output"] or OutputFormat.TABLE),
        quiet=bool(given["quiet"]),
        plain=plain,
        width=None if plain else terminal_width(),
    )
