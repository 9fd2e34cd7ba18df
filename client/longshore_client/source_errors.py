"""What fetching a source raises, as one tree below ``LocalError``.

SourceError
├── SourceInvalid      it is not written as a source is, or could mean more than one thing
├── SourceRefused      a rule of safety forbids it; the message says what to do
├── SourceNotFound     what it names is not there
├── SourceUnavailable  it cannot be reached, does not answer in time, or answers with an error
├── SourceTooLarge     it is larger than was allowed
└── SourceDamaged      what came is cut short, malformed, has another checksum, or is something else

Messages show URLs without what stands behind a question mark, and never a token.
"""

from __future__ import annotations

from longshore_client.errors import LocalError


class SourceError(LocalError):
    """A payload cannot be had from where it was to come from."""


class SourceInvalid(SourceError):
    """The text is no source, or could mean more than one thing; the message says how to write it."""


class SourceRefused(SourceError):
    """A rule of safety forbids it: plain HTTP, a private address, a credential in a URL, no checksum."""


class SourceNotFound(SourceError):
    """What the source names is not there: a path, a version, a git ref, a page."""


class SourceUnavailable(SourceError):
    """The source cannot be reached, is too slow, or answers with an error; trying again may help."""


class SourceTooLarge(SourceError):
    """The source has more bytes or entries than were allowed; the message names the limit."""


class SourceDamaged(SourceError):
    """What came is cut short, malformed, or has not the checksum, the name or the version it should have."""
