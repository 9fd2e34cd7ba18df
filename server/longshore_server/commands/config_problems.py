"""What is wrong with settings that can be read: looked at as a start would, without asking any service."""

from __future__ import annotations

import os
from asyncio import to_thread
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from longshore_server.access.json_web_tokens import JsonWebTokens
from longshore_server.access.policy import read_policy
from longshore_server.doctor import Finding, State, keys_of, look_at_certificates
from longshore_server.settings import IssuerSettings, Settings
from longshore_server.settings.named_files import named_files
from longshore_server.signing import read_secret
from longshore_server.stores import open_coordination_of
from longshore_server.tracing import check_tracing
from longshore_storage.blobs.urls import parse_blob_url, parse_read_urls
from longshore_storage.catalogue import open_catalogue
from longshore_storage.errors import Misconfigured


async def problems(settings: Settings) -> tuple[list[str], list[str]]:
    """What is wrong, and what is a warning only, each with what to do. No service is asked."""
    unreadable = dict(_unreadable(settings))
    dated = list(look_at_certificates(settings.tls))
    told = [finding.what for finding in dated if finding.state is State.BAD]
    for look in _looks(settings):
        try:
            await look()
        except Misconfigured as error:
            told += str(error).splitlines()
    # Once is enough for a file that is not there.
    found = [line for line in told if not any(str(path) in line for path in unreadable)]
    warnings = [_warning(finding) for finding in dated if finding.state is State.WARN]
    return [*unreadable.values(), *found, *_data_dir(settings.data_dir.absolute())], warnings


def _warning(finding: Finding) -> str:
    return f"{finding.what}; {finding.advice}"


def _looks(settings: Settings) -> Iterator[Callable[[], Awaitable[object]]]:
    """What a start does with the settings, one thing after the other. Each raises ``Misconfigured``."""

    async def coordination() -> None:
        # Its client wants an event loop.
        async with AsyncExitStack() as stack:
            open_coordination_of(settings, stack)

    if settings.database.url.get_secret_value():
        yield partial(to_thread, open_catalogue, settings.database_url)
    yield partial(
        to_thread, lambda: parse_read_urls(settings.blobs_read_urls, parse_blob_url(settings.blobs_url))
    )
    yield coordination
    if settings.access.policy_file is not None:
        yield partial(to_thread, read_policy, settings.access.policy_file)
    yield partial(to_thread, check_tracing, settings.tracing)
    for issuer in settings.access.issuers:
        # What a URL has, only `longshore doctor` asks.
        yield partial(to_thread, JsonWebTokens, [issuer]) if issuer.jwks_url else partial(_check_keys, issuer)
    for receiver in settings.notifications:
        yield partial(to_thread, read_secret, receiver.secret_file, "notifications.secret_file")
    for hook in settings.push.hooks:
        yield partial(to_thread, read_secret, hook.secret_file, "push.hooks.secret_file")


async def _check_keys(issuer: IssuerSettings) -> None:
    if why := (await keys_of(issuer))[0]:
        raise Misconfigured(why)


def _unreadable(settings: Settings) -> Iterator[tuple[Path, str]]:
    """Every file that a setting names and that cannot be read, with what to say of it."""
    for key, path in named_files(settings):
        try:
            path.open("rb").close()
        except OSError as error:
            yield path, f"{path} (`{key}`) cannot be read: {error.strerror}"


def _data_dir(folder: Path) -> Iterator[str]:
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield f"{folder} (`data_dir`) cannot be written: {there} is no folder, or another user's"
