"""What this package raises, as one tree. Every error carries a ``reason`` for programs.

BundleError
├── InvalidName         PROJECT_INVALID, ENVIRONMENT_INVALID, FILE_NAME_INVALID
├── InvalidVersion      VERSION_INVALID
├── InvalidConstraint   CONSTRAINT_INVALID
├── EntryRefused        one file, directory or link breaks a rule; the others can still be looked at
│                       PATH_NOT_UTF8, PATH_EMPTY, PATH_ABSOLUTE, PATH_ESCAPES, PATH_INVALID, PATH_TOO_LONG,
│                       PATH_DUPLICATE, PATH_CONFLICT, CASE_COLLISION, LINK_ESCAPES, LINK_INVALID,
│                       HARD_LINK_INVALID, SPECIAL_FILE, ENTRY_UNSUPPORTED
├── TreeUnreadable      a directory cannot be read: PATH_UNREADABLE, NOT_A_DIRECTORY, LOCALE_NOT_UTF8,
│   │                   IGNORE_FILE_INVALID
│   └── TreeChanged     it changed while it was read: PATH_CHANGED
├── ArchiveUnreadable   an archive cannot be read any further
│                       ARCHIVE_CORRUPT, ARCHIVE_TRUNCATED, ARCHIVE_UNSUPPORTED, ARCHIVE_TRAILING_DATA
├── LimitExceeded       TOO_MANY_ENTRIES, TOTAL_TOO_LARGE, FILE_TOO_LARGE, RATIO_TOO_HIGH, HEADER_TOO_LARGE,
│                       TOO_MANY_HEADERS
└── ContentRefused      CONTENT_REFUSED: an archive was not unpacked; ``findings`` say why, one by one

An ``OSError`` of the disk that is written to (no space left, say) and whatever the caller's source
raises pass through untouched: neither is the archive's fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .findings import Finding


class BundleError(Exception):
    """Base of everything that this package raises on purpose.

    ``reason`` is a stable word in upper case; ``path`` the file or entry it is about, or empty.
    """

    def __init__(self, reason: str, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.path = path


class InvalidName(BundleError):
    """A project, environment or file name breaks its rule; the message shows the rule."""


class InvalidVersion(BundleError):
    """A version is not SemVer 2.0 without build metadata, or is too long."""


class InvalidConstraint(BundleError):
    """A text is no constraint on versions; the message shows how one is written."""


class EntryRefused(BundleError):
    """One file, directory or link breaks a rule; the others can still be looked at."""


class TreeUnreadable(BundleError):
    """A directory, or something in it, cannot be read."""


class TreeChanged(TreeUnreadable):
    """A file changed while it was read, so that no honest archive of it exists."""


class ArchiveUnreadable(BundleError):
    """An archive is damaged, cut short, or of a form that is not read here."""


class LimitExceeded(BundleError):
    """Unpacking went past a limit; the message names it and its value."""


class ContentRefused(BundleError):
    """An archive was not unpacked and nothing of it was left behind.

    ``findings`` are the first of them, errors before warnings; ``total_findings`` counts them all.
    """

    def __init__(self, findings: tuple[Finding, ...], total_findings: int) -> None:
        first = findings[0]
        more = {1: "", 2: " (and 1 more finding)"}.get(
            total_findings, f" (and {total_findings - 1} more findings)"
        )
        super().__init__("CONTENT_REFUSED", f"{first.code}: {first.message}{more}", path=first.path)
        self.findings = findings
        self.total_findings = total_findings
