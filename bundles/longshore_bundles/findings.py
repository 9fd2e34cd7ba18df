"""What was noticed about a payload's content: single findings, and the bounded collection of them.

Invariant: a collection keeps at most ``KEPT_FINDINGS`` findings, errors first, and counts all of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from .errors import BundleError

KEPT_FINDINGS = 1000
"""How many findings are kept one by one; beyond that they are only counted."""

_SHOWN_PATH_CHARACTERS = 200
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")


class Severity(StrEnum):
    """How bad a finding is: only an error stops a deployment."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing noticed about the content.

    ``code`` is a word in upper case for programs, ``message`` says to people what it is and what to do,
    ``path`` is the file or entry it is about (or empty), ``line`` counts from 1.
    """

    code: str
    severity: Severity
    message: str
    path: str = ""
    line: int | None = None


class FindingLog:
    """Collects findings in bounded memory."""

    def __init__(self) -> None:
        self._errors: list[Finding] = []
        self._others: list[Finding] = []
        self._error_count = 0
        self._other_count = 0

    def add(self, finding: Finding) -> None:
        """Take a finding in."""
        if finding.severity is Severity.ERROR:
            self._error_count += 1
            kept = self._errors
        else:
            self._other_count += 1
            kept = self._others
        if len(kept) < KEPT_FINDINGS:
            kept.append(finding)

    def add_error(self, error: BundleError) -> None:
        """Take an error in as a finding."""
        self.add(Finding(error.reason, Severity.ERROR, error.message, printable(error.path)))

    def add_all(self, other: FindingLog) -> None:
        """Take in what another log holds, with what it only counted."""
        self._errors = (self._errors + other._errors)[:KEPT_FINDINGS]
        self._others = (self._others + other._others)[:KEPT_FINDINGS]
        self._error_count += other._error_count
        self._other_count += other._other_count

    @property
    def has_errors(self) -> bool:
        """Whether anything was found that stops a deployment."""
        return self._error_count > 0

    @property
    def error_count(self) -> int:
        """How many errors there were in all."""
        return self._error_count

    @property
    def total(self) -> int:
        """How many findings there were in all."""
        return self._error_count + self._other_count

    def findings(self) -> tuple[Finding, ...]:
        """The findings that were kept, errors first, each kind in the order it was found."""
        return tuple((self._errors + self._others)[:KEPT_FINDINGS])


def printable(name: str) -> str:
    r"""A name as it can stand in a message: bytes that are no UTF-8 as ``\xNN``, and not endless."""
    bytes_shown = _ESCAPED_BYTE.sub(lambda match: f"\\x{ord(match[0]) - 0xDC00:02x}", name)
    text = bytes_shown.encode("utf-8", "backslashreplace").decode("utf-8")
    if len(text) > _SHOWN_PATH_CHARACTERS:
        return f"{text[:_SHOWN_PATH_CHARACTERS]}…"
    return text


def quoted(name: str) -> str:
    r"""A name in quotes, on one line. What does not show is escaped, bytes that are no UTF-8 as ``\xNN``."""
    shown = printable(name)
    if not shown.isprintable():
        shown = "".join(each if each.isprintable() else repr(each)[1:-1] for each in shown)
    return f"'{shown}'"
