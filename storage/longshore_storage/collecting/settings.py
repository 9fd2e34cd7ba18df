"""How old garbage must be before it goes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CollectingSettings:
    """Times that collecting leaves to others.

    ``resume_for``: an upload without a sign of life for that long is given up. ``keep_unnamed``: what was
    stored less than that long ago stays, named or not, so that an upload that failed can be tried again
    without sending its bytes twice. ``keep_unfinished``: what was begun less than that long ago and is not
    stored yet stays; longer than any put, or uploads break on it. ``grace``: so long an object stays after
    its row went; longer than any read, and than the age of any backup of the database that one may restore.
    ``orphans_after``: an object that no row names is removed at that age. ``events_for``: so long after its
    end a deployment keeps all of its events.
    """

    resume_for: timedelta = _DAY
    keep_unnamed: timedelta = timedelta(hours=1)
    keep_unfinished: timedelta = timedelta(hours=1)
    grace: timedelta = _DAY
    orphans_after: timedelta = _DAY
    events_for: timedelta = 30 * _DAY
