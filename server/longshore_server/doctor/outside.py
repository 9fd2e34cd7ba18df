"""Those outside who are told of deployments, and who tell of pushes: looked at without sending anything."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from longshore_server.settings import PushSettings, ReceiverSettings
from longshore_server.signing import read_secret
from longshore_storage.errors import Misconfigured

from .finding import Finding, State

_PATIENCE_S: Final = 5.0
_MEND: Final = "mend it: a node does not start without it"


async def look_at_receivers(receivers: tuple[ReceiverSettings, ...]) -> AsyncIterator[Finding]:
    """Whether each has its secret, and a connection to it can be opened; its address is a secret."""
    for receiver in receivers:
        part = "notifications"
        try:
            read_secret(receiver.secret_file, "notifications.secret_file")
        except Misconfigured as error:
            yield Finding(part, State.BAD, f"{receiver.name}: {error}", _MEND)
            continue
        if why := await _unreachable(receiver):
            advice = "see whether it can be reached from here; what it misses is tried again for a day"
            yield Finding(part, State.WARN, f"{receiver.name}: {why}", advice)
        else:
            yield Finding(part, State.OK, f"{receiver.name} can be connected to")


async def _unreachable(receiver: ReceiverSettings) -> str:
    """Why it is; empty where it is not."""
    parts = urlsplit(receiver.url.get_secret_value())
    secure = parts.scheme == "https"
    try:
        trust = ssl.create_default_context(cafile=receiver.ca_file) if secure else None
    except OSError as error:
        return f"{receiver.ca_file} (`notifications.ca_file`) has no certificates ({error.strerror})"
    try:
        async with asyncio.timeout(_PATIENCE_S):
            port = parts.port or (443 if secure else 80)
            _, writer = await asyncio.open_connection(parts.hostname, port, ssl=trust)
    except UnicodeError:
        return "its name can be none"
    except TimeoutError:
        return f"no connection within {_PATIENCE_S:g} s"
    except ssl.SSLCertVerificationError as error:
        return f"its certificate cannot be trusted ({error.verify_message}); `ca_file` names its authority"
    except ssl.SSLError as error:
        return f"no TLS with it ({error.reason})"
    except OSError as error:
        # That a name is not known, or that of several addresses none answers, is no number of the system's.
        number = error.errno or 0
        why = os.strerror(number) if number > 0 else error.strerror or "none of its addresses answers"
        return f"cannot be connected to ({why})"
    writer.close()
    return ""


def look_at_pushes(push: PushSettings) -> Iterator[Finding]:
    """Whether every hook has what it is let in by, and deploys by; no repository is asked."""
    if not push.listen:
        return
    wrong = [*_without_secrets(push)]
    yield from wrong
    if shutil.which("git") is None:
        wrong.append(Finding("push", State.BAD, "the program `git` is not here", "install it"))
        yield wrong[-1]
    if not wrong:
        names = ", ".join(hook.name for hook in push.hooks)
        yield Finding("push", State.OK, f"{names}: what can be looked at without a push is there")


def _without_secrets(push: PushSettings) -> Iterator[Finding]:
    for hook in push.hooks:
        try:
            read_secret(hook.secret_file, "push.hooks.secret_file")
        except Misconfigured as error:
            yield Finding("push", State.BAD, f"{hook.name}: {error}", _MEND)
        if hook.token_file is not None and (why := _no_token(hook.token_file)):
            told = f"{hook.name}: {hook.token_file} (`push.hooks.token_file`) {why}"
            yield Finding("push", State.BAD, told, "what is pushed is not let in until it is mended")


def _no_token(path: Path) -> str:
    try:
        return "" if path.read_bytes().strip() else "is empty"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
