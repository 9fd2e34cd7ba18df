"""What the shell completes besides commands and options: projects, versions, deployments, and so on.

Asks the server that the command would ask, for a moment only: a shell that waits is worse than one that knows
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem

from .wording import safe

if TYPE_CHECKING:
    from longshore_client.sync_client import SyncClient

    from .choosing import Chosen

_PATIENCE_S: Final = 2.0
# What a shell takes as it is, whatever a server says.
_HARMLESS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]*")
_MOST: Final = 200

_Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _asking(ask: Callable[[SyncClient, click.Context, str], Iterable[CompletionItem]]) -> _Complete:
    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from longshore_client.errors import LongshoreError
        from longshore_client.policy import CallPolicy
        from longshore_client.sync_client import SyncClient

        from .showing import credentials_of

        with suppress(LongshoreError, ValueError, click.ClickException):
            chosen = _chosen(ctx)
            credentials = credentials_of(chosen.server, chosen.tls)
            policy = CallPolicy(timeout_s=_PATIENCE_S)
            with SyncClient(chosen.server, policy=policy, credentials=credentials) as client:
                return [
                    item
                    for item in ask(client, ctx, incomplete)
                    if item.value.startswith(incomplete) and _HARMLESS.fullmatch(item.value)
                ]
        return []

    return complete


def _chosen(ctx: click.Context) -> Chosen:
    from .choosing import choose

    outer = ctx.find_root().params
    names = ("server", "context", "tls", "ca", "cert", "key")
    given = {name: ctx.params.get(name) or outer.get(name) for name in names}
    return choose(given["server"], given["context"], given)


def contexts(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The contexts of the contexts file, with their servers."""
    from .contexts import load_contexts

    with suppress(click.ClickException):
        return [
            CompletionItem(each.name, help=each.server)
            for each in load_contexts().by_name.values()
            if each.name.startswith(incomplete)
        ]
    return []


@_asking
def projects(client: SyncClient, _ctx: click.Context, _incomplete: str) -> Iterable[CompletionItem]:
    """The projects there are."""
    return [CompletionItem(each.project) for each in client.projects(limit=_MOST)]


@_asking
def versions(client: SyncClient, ctx: click.Context, _incomplete: str) -> Iterable[CompletionItem]:
    """The releases of the project that stands before."""
    project = ctx.params.get("project") or _chosen(ctx).project
    if not project:
        return []
    return [
        CompletionItem(each.version, help="" if each.payload_present else "no longer stored")
        for each in client.releases(project, limit=_MOST)
    ]


@_asking
def deployments(client: SyncClient, _ctx: click.Context, _incomplete: str) -> Iterable[CompletionItem]:
    """The newest deployments, with what they are."""
    return [
        CompletionItem(each.deployment_id, help=safe(f"{each.project} {each.version} {each.status}"))
        for each in client.list(limit=_MOST)
    ]


@_asking
def environments(client: SyncClient, _ctx: click.Context, _incomplete: str) -> Iterable[CompletionItem]:
    """The environments that nodes are in."""
    return [CompletionItem(name) for name in sorted({each.environment for each in client.nodes(limit=_MOST)})]


@_asking
def workflows(client: SyncClient, ctx: click.Context, _incomplete: str) -> Iterable[CompletionItem]:
    """The workflows that are live in the environment that stands before."""
    environment = ctx.params.get("environment") or _chosen(ctx).environment
    return [
        CompletionItem(each.ref, help=safe(each.label))
        for each in client.list_workflows(environment=environment, limit=_MOST)
    ]


@_asking
def nodes(client: SyncClient, _ctx: click.Context, _incomplete: str) -> Iterable[CompletionItem]:
    """The nodes there are."""
    return [
        CompletionItem(each.node_name, help="alive" if each.alive else "away")
        for each in client.nodes(limit=_MOST)
    ]
