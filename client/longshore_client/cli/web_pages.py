"""Addresses that people copy out of a browser: the pages that hosts of repositories show of them."""

from __future__ import annotations

import re
from typing import Final

_HOSTS: Final = r"(?:www\.)?(?:github\.com|gitlab\.com|codeberg\.org|bitbucket\.org)"
_TREE: Final = re.compile(
    rf"(?P<repository>https?://{_HOSTS}/[^/?#]+/[^/?#]+)/(?:tree|src/branch|src/tag|src)/(?P<ref>[^/?#]+)[^?#]*",
    re.IGNORECASE,
)
_GITLAB_TREE: Final = re.compile(
    r"(?P<repository>https?://[^/?#]+/[^?#]+?)/-/tree/(?P<ref>[^/?#]+)[^?#]*", re.IGNORECASE
)
_REPOSITORY: Final = re.compile(rf"(?P<repository>https?://{_HOSTS}/[^/?#]+/[^/?#]+)/?", re.IGNORECASE)


def repository_shown_at(url: str) -> str | None:
    """How to write the repository that a page shows, None where a URL is not known to be such a page."""
    for pattern in (_GITLAB_TREE, _TREE, _REPOSITORY):
        found = pattern.fullmatch(url)
        if found is not None and not found["repository"].endswith(".git"):
            ref = found.groupdict().get("ref")
            return f"git+{found['repository']}" + (f"@{ref}" if ref else "")
    return None
