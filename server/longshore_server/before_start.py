"""What a start needs of its machine, looked at before the node is in the catalogue.

A node that is there and does not run is one that rollouts wait for; so a start that cannot come to its end,
for want of a port or a certificate, leaves none behind. Each part is looked at again when it is taken.
"""

from __future__ import annotations

import socket
from contextlib import closing

from longshore_storage.errors import Misconfigured

from .access.json_web_tokens import JsonWebTokens
from .access.policy import read_policy
from .certificates import check_certificate
from .settings import Settings
from .signing import read_secret
from .tracing import check_tracing


def check_before_start(settings: Settings) -> None:
    """Raises ``Misconfigured`` for what a start would raise it for later. Blocks: names are looked up."""
    check_certificate(settings.tls)
    if settings.access.enabled:
        if settings.access.policy_file is not None:
            read_policy(settings.access.policy_file)
        JsonWebTokens(settings.access.issuers)
    check_tracing(settings.tracing)
    for receiver in settings.notifications:
        read_secret(receiver.secret_file, "notifications.secret_file")
    if settings.push.listen:
        for hook in settings.push.hooks:
            read_secret(hook.secret_file, "push.hooks.secret_file")
    taken: set[object] = set()
    _check_free(settings.listen, "--listen", taken)
    _check_free(settings.metrics.listen, "metrics.listen", taken)
    _check_free(settings.push.listen, "push.listen", taken)


def _check_free(listen: str, setting: str, taken: set[object]) -> None:
    """Whether somebody could listen there, at an address of the name that is not among the ``taken``."""
    host, _, port = listen.rpartition(":")
    if not listen or port == "0":
        return
    reason: object = "the name has no address"
    try:
        addresses = socket.getaddrinfo(
            host.strip("[]") or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        addresses, reason = [], error
    for family, kind, protocol, _name, address in addresses:
        if address in taken:
            reason = "another setting has it, too"
            continue
        try:
            with closing(socket.socket(family, kind, protocol)) as one:
                # As who listens does: what was closed a moment ago is no hindrance, who listens there is.
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.bind(address)
            taken.add(address)
            return
        except OSError as error:
            reason = error.strerror or error
    raise Misconfigured(
        f"cannot listen on {listen}: {reason}; another program uses the port, or the address is not this "
        f"machine's; choose another with `{setting}` (port 0 picks a free one)"
    )
