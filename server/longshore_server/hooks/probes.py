"""One try of a health check: what is wrong in a few words, or nothing when all is well."""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import Final
from urllib.parse import urlsplit

from .configuration import CommandCheck, HttpCheck, TcpCheck
from .environment import SwitchFacts, hook_environment
from .output import OutputTail
from .process import GRACE_S, run_command

Check = CommandCheck | HttpCheck | TcpCheck

_AGENT: Final = "longshore-check"
_HTTPS_PORT: Final = 443
_HTTP_PORT: Final = 80


async def probe(check: Check, facts: SwitchFacts, output: OutputTail) -> str:
    """Try a check once, within its ``timeout_s``; the output of a command goes to ``output``."""
    if isinstance(check, CommandCheck):
        environment = hook_environment(facts, check.environment)
        grace_s = min(GRACE_S, check.timeout_s)
        end = await run_command(
            check.target, environment, timeout_s=check.timeout_s, output=output, grace_s=grace_s
        )
        return "" if end.well else f"its command {end.how}"
    try:
        async with asyncio.timeout(check.timeout_s):
            return await (_get(check.target) if isinstance(check, HttpCheck) else _connect(check.target))
    except TimeoutError:
        return f"no answer within {check.timeout_s:g} s"
    except (OSError, ssl.SSLError, ValueError, EOFError) as error:
        return str(error) or type(error).__name__


async def _connect(target: str) -> str:
    host, _, port = target.rpartition(":")
    _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    _close(writer)
    return ""


async def _get(target: str) -> str:
    """GET, and look at the status only: redirects are not followed, because elsewhere is not here."""
    url = urlsplit(target)
    secure = url.scheme == "https"
    port = url.port or (_HTTPS_PORT if secure else _HTTP_PORT)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    reader, writer = await asyncio.open_connection(
        url.hostname, port, ssl=ssl.create_default_context() if secure else None
    )
    try:
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {url.netloc}\r\nUser-Agent: {_AGENT}\r\nAccept: */*\r\n"
            "Connection: close\r\n\r\n"
        )
        writer.write(request.encode())
        line = (await reader.readline()).decode("latin-1").rstrip()
    finally:
        _close(writer)
    version, _, rest = line.partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/") or not re.fullmatch("[1-9][0-9]{2}", status):
        return f"it does not answer as HTTP: {line[:80]!r}" if line else "it closed the connection unanswered"
    return "" if status.startswith("2") else f"it answered {rest[:80]}"


def _close(writer: asyncio.StreamWriter) -> None:
    # Not awaited to its end: a server that does not read holds nobody up.
    writer.transport.abort()
