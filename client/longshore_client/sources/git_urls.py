"""Git repositories as people write them: pip's, npm's and git's own ways, taken apart into URL and ref.

- ``git+https://HOST/PATH@REF``, ``git+ssh://USER@HOST/PATH@REF``, ``git+file:///PATH@REF``
- ``https://HOST/PATH.git#REF``, or with ``@REF``
- ``ssh://USER@HOST/PATH@REF`` and ``USER@HOST:PATH@REF``, with ``#REF`` as well
"""

from __future__ import annotations

import re
from typing import Final

from longshore_client.source_errors import SourceInvalid

from .source import GitSource
from .urls import checked_url, plain_http, shown_text, shown_url

_SCP: Final = re.compile(
    r"(?P<user>[A-Za-z0-9._][A-Za-z0-9._-]*)@(?P<host>[A-Za-z0-9._][A-Za-z0-9._-]*):(?P<path>[^-].*)"
)
_FORBIDDEN_IN_REF: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|[./]$")
_MOST_REF_CHARACTERS: Final = 255


def git_source(text: str) -> GitSource:
    """Take a repository's address apart. Raises ``SourceInvalid``, ``SourceRefused``."""
    url, ref = _split_ref(text.removeprefix("git+"))
    if "://" not in url and _SCP.fullmatch(url) is None:
        # All of it: what stands before an @ may be a password here.
        raise _no_address(text)
    check_repository(url)
    return GitSource(url, ref)


def check_repository(url: str) -> None:
    """Hold a repository's address against the rules. Raises ``SourceInvalid``, ``SourceRefused``."""
    if "://" not in url:
        if _SCP.fullmatch(url) is None or not url.isprintable():
            raise _no_address(url)
    elif url.startswith("file://"):
        if not url.startswith("file:///"):
            raise SourceInvalid(f"{shown_url(url)} names another machine's file: write git+file:///PATH")
        if not url.isprintable():
            raise SourceInvalid("the repository's path holds control characters")
    else:
        parts = checked_url(url, "https", "ssh", "http", "file")
        if (parts.username or "").startswith("-"):
            raise SourceInvalid(f"the user's name in {shown_url(url)} looks like an option")
        if parts.query:
            raise SourceInvalid(
                f"{shown_url(url)} has a question mark, which addresses of repositories have not"
            )


def check_ref(ref: str) -> str:
    """Return ``ref`` if git takes it for a branch, a tag or a commit. Raises ``SourceInvalid``."""
    # Behind a # may stand the rest of a password that has one in it.
    shown = repr(shown_url(f"…@{ref.rpartition('@')[2]}" if "@" in ref else ref)[:80])
    if ref.startswith("-"):
        raise SourceInvalid(f"the git ref {shown} looks like an option: refs do not begin with '-'")
    if (
        not ref
        or len(ref) > _MOST_REF_CHARACTERS
        or ref[0] in "+/."
        or ref == "@"
        or _FORBIDDEN_IN_REF.search(ref)
    ):
        raise SourceInvalid(
            f"{shown} is no git ref: write a branch, a tag, or a commit with all of its digits"
        )
    return ref


def _no_address(text: str) -> SourceInvalid:
    return SourceInvalid(
        f"{shown_text(text)} is no address of a repository: write git+https://HOST/PATH@REF or USER@HOST:PATH"
    )


def _split_ref(text: str) -> tuple[str, str]:
    """The address and the ref behind its ``#`` or its last ``@``; an ``@`` of a user's name is none."""
    url, hash_sign, fragment = text.partition("#")
    scheme, slashes, rest = url.rpartition("://")
    authority, slash, path = rest.partition("/") if slashes else rest.partition(":")
    path, at_sign, ref = path.partition("@")
    if (hash_sign and at_sign) or "@" in ref:
        raise SourceInvalid(
            f"{shown_url(url)} may name a ref twice: write it behind #, and %40 for @ before that"
        )
    if hash_sign:
        return url, check_ref(fragment)
    if at_sign:
        return f"{scheme}{slashes}{authority}{slash}{path}", check_ref(ref)
    return url, ""


def refuse_protocol(url: str, *, allow_http: bool) -> None:
    """Raises ``SourceRefused`` for a repository over plain HTTP that was not allowed."""
    if url.startswith("http://") and not allow_http:
        raise plain_http(url)
