"""Versions of development: ``1.4.0-dev.3`` is the third state of what shall become 1.4.0."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from longshore_bundles.versions import FIRST_VERSION, Bump, bump_version, order_key

_DEVELOPMENT: Final = re.compile(r"[-.]dev\.[0-9]+", re.IGNORECASE)


def is_development(version: str) -> bool:
    """Whether it is one of these."""
    return _DEVELOPMENT.search(version) is not None


def development_version(wanted: str, taken: Collection[str]) -> str:
    """The next one towards ``wanted``, the version in the manifest, where ``taken`` are the project's.

    Above all development versions of the same, and above ``wanted`` itself where that is released already:
    behind 1.4.0 it is ``1.4.1-dev.1``. Where nothing is wanted it is above everything.
    """
    goal = wanted or _beyond(taken)
    while goal in taken and "-" not in goal:
        goal = bump_version(goal, Bump.PATCH)
    begin = f"{goal}{'.' if '-' in goal else '-'}dev."
    # Versions that differ only in case are one.
    rest = [version[len(begin) :] for version in taken if version.lower().startswith(begin.lower())]
    return f"{begin}{max((int(number) for number in rest if number.isdecimal()), default=0) + 1}"


def _beyond(taken: Collection[str]) -> str:
    """What the highest one is to become."""
    if not taken:
        return FIRST_VERSION
    highest = max(taken, key=order_key)
    found = list(_DEVELOPMENT.finditer(highest))
    return highest[: found[-1].start()] if found and found[-1].end() == len(highest) else highest
