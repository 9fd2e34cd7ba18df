"""Which server a command talks to, and what environment and project it means there.

What is said on the command line goes before variables, variables before the file; of the same rank a server
goes before a context's. A server that is named sets the file's current context aside; a context that is named
beside it still tells environment and project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from longshore_client.addresses import DEFAULT_SERVER

from .showing import NO_TLS, Tls, choose_tls, variable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .contexts import Context

SERVER_VARIABLE: Final = "LONGSHORE_SERVER"
CONTEXT_VARIABLE: Final = "LONGSHORE_CONTEXT"
DEFAULT_ENVIRONMENT: Final = "default"
_NO_OPTIONS: Final[Mapping[str, object]] = {}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a command works with; ``project`` is "" where no context names one.

    ``source`` tells what named the server: an option, a variable, ``current`` or ``default``.
    """

    server: str
    environment: str
    project: str
    context: str
    source: str
    tls: Tls = NO_TLS


def choose(
    server: str | None, context: str | None, certificates: Mapping[str, object] = _NO_OPTIONS
) -> Chosen:
    """What the options, the variables and the contexts file come to.

    ``certificates`` are the options about TLS, which count together with those of a context's server. Raises
    ``ContextError``, and ``click.UsageError`` for variables that say nothing.
    """
    named_server = server or variable(SERVER_VARIABLE)
    named_context = context or variable(CONTEXT_VARIABLE)
    found = _context(named_context, current=not named_server)
    if found is None:
        source = "--server" if server else SERVER_VARIABLE if named_server else "default"
        tls = choose_tls(certificates, None)
        return Chosen(named_server or DEFAULT_SERVER, DEFAULT_ENVIRONMENT, "", "", source, tls)
    if server or (named_server and not context):
        address, source = named_server, "--server" if server else SERVER_VARIABLE
        tls = choose_tls(certificates, None)
    else:
        address = found.server
        tls = choose_tls(certificates, found)
        source = "--context" if context else CONTEXT_VARIABLE if named_context else "current"
    environment = found.environment or DEFAULT_ENVIRONMENT
    return Chosen(address, environment, found.project, found.name, source, tls)


def _context(name: str, *, current: bool) -> Context | None:
    """The one called ``name``; without a name the file's current one, where that counts."""
    if not name and not current:
        return None
    from .contexts import load_contexts, load_contexts_if_any

    if name:
        return load_contexts().named(name)
    contexts = load_contexts_if_any()
    return contexts.named(contexts.current) if contexts.current else None
