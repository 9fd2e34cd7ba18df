"""What a repository says that its ref is now: a signature does not tell when something was signed.

So a push deploys only while its commit is what its ref points at. One that was overtaken, one that somebody
kept and sends again, and one of a commit that never was there, deploy nothing.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from typing import Final

from longshore_server.hooks.environment import passed_on
from longshore_server.hooks.output import OutputTail
from longshore_server.hooks.process import run_command

_TIMEOUT_S: Final = 60.0
# What forges tell of may be a moment ahead of what they serve.
_LOOKS: Final = 3
_BETWEEN_LOOKS_S: Final = 2.0
_LONGEST_MESSAGE: Final = 500

# How programs reach the network, show who they are and keep things; no secrets but a proxy's.
_NEEDED_BY_GIT: Final = (
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"),
)


class RepositoryAway(Exception):
    """The repository does not tell; the message says why, in git's words."""


def git_environment() -> dict[str, str]:
    """All that a program which runs git finds of the node's own variables."""
    needed = {name: os.environ[name] for name in _NEEDED_BY_GIT if name in os.environ}
    return {**passed_on(), **needed, "GIT_TERMINAL_PROMPT": "0", "SSH_ASKPASS_REQUIRE": "never"}


async def is_what_ref_is(source: str, ref: str, commit: str) -> bool:
    """Whether ``ref`` of a repository points at ``commit`` (of an annotated tag: or at the tag itself).

    Raises ``RepositoryAway``.
    """
    for look in range(_LOOKS):
        if look:
            await asyncio.sleep(_BETWEEN_LOOKS_S)
        if commit in await _pointed_at(source, ref):
            return True
    return False


async def _pointed_at(source: str, ref: str) -> set[str]:
    output = OutputTail()
    ended = await run_command(
        ["git", "ls-remote", "--", source, ref, f"{ref}^{{}}"],
        {**git_environment(), **_settings(source), "LC_ALL": "C"},
        timeout_s=_TIMEOUT_S,
        output=output,
    )
    lines = output.lines(whole=True)
    if not ended.well:
        raise RepositoryAway(f"git ls-remote {ended.how}: {' '.join(lines[-5:])[:_LONGEST_MESSAGE]}")
    told = (re.fullmatch(r"([0-9a-f]+)\t(\S+?)(?:\^\{\})?", line) for line in lines)
    return {match[1] for match in told if match is not None and match[2] == ref}


def _settings(source: str) -> Mapping[str, str]:
    scheme = source.partition("://")[0] if "://" in source else "ssh"
    return {
        "GIT_ALLOW_PROTOCOL": scheme,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.followRedirects",
        "GIT_CONFIG_VALUE_0": "false",
    }
