"""Who gets in: the certificate of the gRPC port, the policy, and the keys of those who issue tokens."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import urllib3

from longshore_server.access import jwks
from longshore_server.access.json_web_tokens import JsonWebTokens
from longshore_server.access.policy import read_policy
from longshore_server.certificates import check_certificate, dates_of
from longshore_server.counting import counted
from longshore_server.settings import IssuerSettings, TlsSettings
from longshore_storage.errors import Misconfigured

from .finding import Finding, State

_CERTIFICATE: Final = "certificate"
_PATIENCE_S: Final = 6.0
_RENEW: Final = "put a new one in its place: nothing has to be started again"


def look_at_certificates(tls: TlsSettings) -> Iterator[Finding]:
    """Whether the port can listen with it, and whether clients take it today and in two weeks."""
    if tls.cert_file is None:
        return
    try:
        check_certificate(tls)
    except Misconfigured as error:
        yield Finding(_CERTIFICATE, State.BAD, str(error), "mend it: a node does not start with it")
        return
    yield _dated(tls.cert_file, "tls.cert_file")
    if tls.client_ca_file is not None:
        found = _dated(tls.client_ca_file, "tls.client_ca_file", authorities=True)
        if found.state is not State.OK:
            yield found


def _dated(path: Path, setting: str, *, authorities: bool = False) -> Finding:
    dated, now = dates_of(path, authorities=authorities), datetime.now(UTC)
    what = f"{path} (`{setting}`)"
    if dated is None:
        return Finding(_CERTIFICATE, State.WARN, f"{what}: when it expires cannot be told", "look at it")
    if fault := dated.fault(now):
        return Finding(_CERTIFICATE, State.BAD, f"{what} {fault}", _RENEW)
    if warning := dated.warning(now):
        return Finding(_CERTIFICATE, State.WARN, f"{what} {warning}", _RENEW)
    return Finding(_CERTIFICATE, State.OK, f"{what} is good until {dated.end:%Y-%m-%d}")


def look_at_policy(policy_file: Path | None) -> Iterator[Finding]:
    """Whether a node can read it."""
    if policy_file is None:
        return
    try:
        policy = read_policy(policy_file)
    except Misconfigured as error:
        advice = "mend it: a node does not start with it, and one that runs keeps to what it was before"
        yield from (Finding("policy", State.BAD, line, advice) for line in str(error).splitlines())
        return
    counts = f"{counted(len(policy.grants), 'grant')}, {counted(len(policy.roles), 'role')} of its own"
    yield Finding("policy", State.OK, f"{policy_file}: {counts}")


async def look_at_issuers(issuers: tuple[IssuerSettings, ...]) -> AsyncIterator[Finding]:
    """Whether the keys of each can be read from here; they are fetched as a node does."""
    for issuer in issuers:
        why, told = await keys_of(issuer)
        if why:
            advice = "without keys no token of this issuer is taken: see whether they can be read from here"
            yield Finding("issuer", State.BAD, f"{issuer.issuer}: {why}", advice)
        else:
            yield Finding("issuer", State.OK, f"{issuer.issuer}: {told}")


async def keys_of(issuer: IssuerSettings) -> tuple[str, str]:
    """What is wrong with an issuer's keys, else how many there are; a ``jwks_url`` is asked."""
    try:
        JsonWebTokens([issuer])
        if issuer.ca_file is not None:
            jwks.check_readable(issuer.ca_file, "access.issuers.ca_file")
    except Misconfigured as error:
        return str(error), ""
    if issuer.secret_file is not None:
        return "", f"its secret is in {issuer.secret_file}"
    if issuer.jwks_file is not None:
        where, read = str(issuer.jwks_file), jwks.from_file(issuer.jwks_file)
    else:
        where, read = _shown(issuer.jwks_url), jwks.from_url(issuer.jwks_url, issuer.ca_file)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            content = await asyncio.to_thread(read)
    except jwks.UNREADABLE as error:
        return f"{where} cannot be read: {_why(error)}", ""
    try:
        keys = jwks.keys_in(content)
    except jwks.UNREADABLE:
        keys = {}
    if not keys:
        return f"{where} has no JSON Web Key Set with a key that a signature can be verified by", ""
    return "", f"{counted(len(keys), 'key')} at {where}"


def _shown(url: str) -> str:
    """The address without what may be secret in it: a user, and what is asked for."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _why(error: Exception) -> str:
    """In words of our own where the library's may have the whole address."""
    if isinstance(error, urllib3.exceptions.HTTPError):
        cause = error.__cause__ or error.__context__
        if isinstance(error, urllib3.exceptions.NameResolutionError):
            return "nobody knows its host"
        if isinstance(error, urllib3.exceptions.SSLError):
            reason = cause.verify_message if isinstance(cause, ssl.SSLCertVerificationError) else "no TLS"
            return f"it cannot be trusted ({reason}); `ca_file` names its authority"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        if isinstance(error, urllib3.exceptions.TimeoutError):
            return "no answer in time"
        return "the connection broke, or it is no address"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return error.strerror or "it cannot be opened" if isinstance(error, OSError) else str(error)
