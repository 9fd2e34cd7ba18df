"""Where ``longshore dev`` deploys to, and whether that is meant: nobody wants every save in production.

A server that is not this machine is named on the command line. A release that is live is not replaced by
what is being edited, unless a person says so.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

import click

from longshore_client.addresses import checked_addresses, is_loopback
from longshore_client.client import Client
from longshore_client.errors import EnvironmentNotFound, Frozen, ProjectNotFound

from .choosing import Chosen
from .development_versions import is_development
from .making import confirm
from .wording import count, safe

_NAMES_IT = ("--server", "--context")


@dataclass(frozen=True, slots=True)
class DevelopmentPlace:
    """An environment at a server; ``yes`` where nobody is asked about releases that are live there."""

    chosen: Chosen
    environment: str
    yes: bool

    def check_server(self) -> None:
        """Raises ``click.UsageError`` for a server elsewhere that was not named on the command line."""
        elsewhere = [each for each in checked_addresses(self.chosen.server) if not is_loopback(each)]
        if elsewhere and self.chosen.source not in _NAMES_IT:
            raise click.UsageError(
                f"{elsewhere[0]} is not this machine, and every change would be deployed there: name it with "
                "--server or --context if that is meant"
            )

    async def words(self, client: Client) -> str:
        """In which environment, at which server, on how many nodes.

        Raises ``EnvironmentNotFound`` where there is none, and ``Unavailable``.
        """
        async with aclosing(client.nodes(environment=self.environment)) as listed:
            nodes = len([node async for node in listed])
        if not nodes:
            raise EnvironmentNotFound(f"no node is in the environment {self.environment!r}")
        context = f" (context {safe(self.chosen.context)})" if self.chosen.context else ""
        where = f"in {safe(self.environment)} at {safe(self.chosen.server)}{context}"
        return f"{where}, on {count(nodes, 'node')}"

    async def agree(self, client: Client, project: str) -> None:
        """End the command unless ``project`` may be developed here.

        Raises ``Frozen``, and ``click.UsageError`` where a release is live and nobody can be asked.
        """
        try:
            overview = await client.project(project)
        except ProjectNotFound:
            return
        for each in overview.environments:
            if each.environment != self.environment:
                continue
            if each.freeze_time is not None:
                raise Frozen(f"{project} is frozen in {self.environment}: {each.freeze_reason}")
            if each.live_version and not is_development(each.live_version):
                self._ask(f"the release {project} {each.live_version} is live in {self.environment}")

    def _ask(self, live: str) -> None:
        if not self.yes and not sys.stdin.isatty():
            raise click.UsageError(f"{live}: with --yes what is edited takes its place at every change")
        question = f"{live[0].upper()}{live[1:]}. Let what is edited take its place, at every change?"
        with _interrupted_at_once():
            confirm(question, yes=self.yes, otherwise="nothing was deployed")


@contextmanager
def _interrupted_at_once() -> Iterator[None]:
    """Have Ctrl-C end a question: asyncio has it wait for the loop, which the question holds up."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
