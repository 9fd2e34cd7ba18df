"""URLs of sources: what one may look like, which server it leads to, and how it is shown.

A URL carries no credentials; one that does is refused, and no message repeats it.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from longshore_client.source_errors import SourceInvalid, SourceRefused

_PORTS: Final = {"http": 80, "https": 443, "ssh": 22}
_LABEL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_MOST_HOST_CHARACTERS: Final = 253
_WRITTEN_AS_THEY_ARE: Final = "!#$%&'()*+,/:;=?@[]~|"
_SHOWN_CHARACTERS: Final = 300
_OF_SSH: Final = re.compile(r"[^\s/@:]+@[^\s/@:]+:(?!//)[^@]*")
"""How ssh names a repository: a user, but no password."""
MOST_URL_CHARACTERS: Final = 8192


class Origin(NamedTuple):
    """The server that a URL leads to; ``host`` is without brackets, in lower case and ASCII."""

    scheme: str
    host: str
    port: int


def checked_url(url: str, *schemes: str) -> SplitResult:
    """Take a URL apart. Raises ``SourceInvalid``, and ``SourceRefused`` for one with credentials."""
    if len(url) > MOST_URL_CHARACTERS:
        raise SourceInvalid(f"the URL {shown_url(url)} is longer than {MOST_URL_CHARACTERS} characters")
    if not url.isprintable() or " " in url or "\\" in url:
        raise SourceInvalid(
            "the URL holds spaces, backslashes or control characters: write them as %20 and so on"
        )
    parts = _apart(url)
    if parts is None:
        raise SourceInvalid(f"{shown_url(url)} is no URL: its server or its port cannot be read")
    if parts.scheme not in schemes:
        raise SourceInvalid(
            f"{shown_url(url)} is no URL that can be fetched: write {'://… or '.join(schemes)}://…"
        )
    refuse_credentials(parts)
    if parts.port == 0 or not _is_host(_ascii_host(parts.hostname or "")):
        raise SourceInvalid(f"{shown_url(url)} names no server: write {parts.scheme}://HOST/PATH")
    return parts


def refuse_credentials(parts: SplitResult) -> None:
    """Raises ``SourceRefused`` for a password in a URL, and for a user's name other than that of ssh."""
    if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
        raise SourceRefused(
            f"the URL for {parts.hostname or 'the source'} carries credentials, which would end up in logs "
            "and records: leave them out, put a token into an environment variable, and name that with "
            "--source-token-env"
        )


def joined(base: str, url: str) -> str:
    """What ``url`` means where it is read at ``base``; not checked. Raises ``SourceInvalid``."""
    if len(url) <= MOST_URL_CHARACTERS and _apart(url) is not None:
        return urljoin(base, url)
    raise SourceInvalid(f"{shown_url(base)} names {shown_url(url)}, which is no URL")


def plain_http(url: str) -> SourceRefused:
    """What to raise for a URL that would be fetched over plain HTTP without being allowed to."""
    return SourceRefused(
        f"{shown_url(url)} is plain HTTP, which anyone on the way can change: write https, or allow it with "
        "--allow-http"
    )


def encoded(text: str | bytes) -> str:
    """A URL, or a part of one, with ``%`` and digits for what no request may hold as it is."""
    return quote(text, safe=_WRITTEN_AS_THEY_ARE)


def origin_of(parts: SplitResult) -> Origin:
    """The server that a checked URL leads to."""
    return Origin(parts.scheme, _ascii_host(parts.hostname or ""), parts.port or _PORTS[parts.scheme])


def host_header(origin: Origin) -> str:
    """The server's name as a request says it."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return host if origin.port == _PORTS[origin.scheme] else f"{host}:{origin.port}"


def shown_url(url: str) -> str:
    """A URL as people may see it: without credentials, without what may hold some, and not endless."""
    text = bare_url(url)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def bare_url(url: str) -> str:
    """A URL as records may hold it: without credentials and without what may hold some.

    What is no URL is taken for one that was mistyped: what may be a password in it is left out, too.
    """
    bare, question_mark, _ = url.partition("#")[0].partition("?")
    hidden = "?…" if question_mark else ""
    scheme, slashes, rest = bare.partition("://")
    parts = _apart(url)
    if parts is not None and (parts.netloc or parts.scheme == "file"):
        authority, slash, path = rest.partition("/")
        if scheme.removeprefix("git+") != "ssh" or ":" in authority.rpartition("@")[0]:
            authority = authority.rpartition("@")[2]
        return f"{scheme}://{authority}{slash}{path}{hidden}"
    if _OF_SSH.fullmatch(bare):
        return bare + hidden
    behind = url.partition("://")[2] if slashes else url
    if slashes and "@" not in behind:
        return f"{shown_text(scheme)}://{rest.partition('/')[0].partition(':')[0]}:…"
    shown = shown_text(behind).partition("#")[0].partition("?")[0]
    return f"{scheme}{slashes}{shown}{hidden}" if slashes else shown + hidden


def shown_text(text: str) -> str:
    """What is no URL as people may see it: what may be a password before an ``@`` is left out."""
    before, at_sign, behind = text.rpartition("@")
    shown = f"…@{behind}" if at_sign and ":" in before else text
    return shown[:_SHOWN_CHARACTERS]


def _apart(url: str) -> SplitResult | None:
    """A URL's parts; None where its server or its port cannot be read.

    The errors of the library repeat what they cannot read, so that nothing is raised from them.
    """
    try:
        parts = urlsplit(url)
        _ = parts.hostname, parts.port
    except ValueError:
        return None
    return parts


def _is_host(host: str) -> bool:
    if ":" in host:
        try:
            ip_address(host)
        except ValueError:
            return False
        return "%" not in host
    labels = host.removesuffix(".").split(".")
    return len(host) <= _MOST_HOST_CHARACTERS and all(map(_LABEL.fullmatch, labels))


def _ascii_host(host: str) -> str:
    if host.isascii():
        return host.lower()
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""
