"""Versions as Python's packages write them (PEP 440), and which version of SemVer each of them is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from longshore_bundles import InvalidVersion, check_version

MOST_VERSION_CHARACTERS: Final = 255

_WRITTEN: Final = re.compile(
    r"v?(?:(?P<epoch>[0-9]+)!)?(?P<release>[0-9]+(?:\.[0-9]+)*)"
    r"(?:[-_.]?(?P<stage>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<stage_number>[0-9]*))?"
    r"(?:[-_](?P<bare_post>[0-9]+)|[-_.]?(?P<post>post|rev|r)[-_.]?(?P<post_number>[0-9]*))?"
    r"(?:[-_.]?(?P<dev>dev)[-_.]?(?P<dev_number>[0-9]*))?"
    r"(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?"
)
_STAGES: Final = {"a": "alpha", "b": "beta", "c": "rc", "pre": "rc", "preview": "rc"}
_SEMVER_NUMBERS: Final = 3


@dataclass(frozen=True, slots=True)
class PythonVersion:
    """A version; equal to every other way to write it.

    ``release`` is without zeros at its end; ``stage`` is ``alpha``, ``beta``, ``rc`` or empty; what is not
    there is None.
    """

    epoch: int
    release: tuple[int, ...]
    stage: str
    stage_number: int
    post: int | None
    dev: int | None
    local: str

    @classmethod
    def parse(cls, text: str) -> PythonVersion | None:
        """Read a version; None for what is none."""
        if len(text) > MOST_VERSION_CHARACTERS:
            return None
        found = _WRITTEN.fullmatch(text.strip().lower())
        if found is None:
            return None
        numbers = [int(each) for each in found["release"].split(".")]
        while numbers and not numbers[-1]:
            numbers.pop()
        stage = found["stage"] or ""
        post = found["bare_post"] or (found["post_number"] or "0" if found["post"] else None)
        return cls(
            int(found["epoch"] or 0),
            tuple(numbers),
            _STAGES.get(stage, stage),
            int(found["stage_number"] or 0),
            None if post is None else int(post),
            int(found["dev_number"] or 0) if found["dev"] else None,
            re.sub("[-_]", ".", found["local"] or ""),
        )

    @property
    def semver(self) -> str:
        """The version of SemVer that has the same place among its like, empty where there is none.

        There is none for epochs, post releases, local versions, a fourth number, and what is developed
        towards an alpha, a beta or a candidate.
        """
        is_more = self.epoch or self.post is not None or self.local or len(self.release) > _SEMVER_NUMBERS
        if is_more or (self.stage and self.dev is not None):
            return ""
        text = ".".join(str(number) for number in (*self.release, 0, 0, 0)[:_SEMVER_NUMBERS])
        if self.stage:
            text += f"-{self.stage}.{self.stage_number}"
        elif self.dev is not None:
            # Numbers come before words: what is developed comes before its first alpha.
            text += f"-0.dev.{self.dev}"
        try:
            return check_version(text)
        except InvalidVersion:
            return ""
