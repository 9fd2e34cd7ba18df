"""What must be reached and what is aimed at: one target a line of the table.

Owns how a figure is judged and written. A row measures the targets whose names begin with its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .results import Figure


class Unit(StrEnum):
    """How a figure is written; percentages and sizes are kept as they are shown."""

    TIMES = "×"
    PERCENT = "%"
    MIB = "MiB"
    BYTES = "B"
    SECONDS = "s"
    MILLISECONDS = "ms"
    A_SECOND = "/s"
    COUNT = ""


@dataclass(frozen=True)
class Target:
    """``required`` is what counts, ``aim`` what would be good; both None where a figure only informs.

    ``what`` is measured, and ``measure`` says in which numbers: what the unit is of.
    """

    name: str
    what: str
    measure: str
    unit: Unit
    required: float | None
    aim: float | None
    more_is_better: bool

    @property
    def row(self) -> str:
        return self.name.partition(".")[0]

    def is_met(self, figure: Figure) -> bool:
        """Whether the median is within what is required."""
        return self.required is None or self._within(figure.median, self.required)

    def verdict(self, figure: Figure) -> str:
        """In a word or two: how the median stands to both numbers."""
        if self.required is None or self.aim is None:
            return "informs"
        if self._within(figure.median, self.aim):
            return "aim met"
        if self.is_met(figure):
            return "met"
        if not self.required:
            return "missed"
        away = abs(figure.median - self.required) / self.required
        return f"missed by {away:.0%}"

    def bound(self, value: float | None) -> str:
        """A required number or an aim, with the side on which it bounds."""
        if value is None:
            return "none"
        return f"{'≥' if self.more_is_better else '≤'} {self.shown(value)}"

    def shown(self, value: float) -> str:
        """A number with its unit."""
        match self.unit:
            case Unit.TIMES:
                return f"{value:.2f} ×"
            case Unit.PERCENT:
                return f"{value:.2f} %"
            case Unit.MIB:
                return f"{value:.0f} MiB"
            case Unit.BYTES:
                return f"{value:,.0f} B"
            case Unit.SECONDS:
                return f"{value:.1f} s"
            case Unit.MILLISECONDS:
                return f"{value:.0f} ms"
            case Unit.A_SECOND:
                return f"{value:.2f} /s"
            case Unit.COUNT:
                return f"{value:.0f}"

    def _within(self, value: float, bound: float) -> bool:
        return value >= bound if self.more_is_better else value <= bound


def _at_least(name: str, what: str, measure: str, required: float, aim: float) -> Target:
    return Target(name, what, measure, Unit.TIMES, required, aim, more_is_better=True)


def _at_most(name: str, unit: Unit, what: str, measure: str, required: float, aim: float) -> Target:
    return Target(name, what, measure, unit, required, aim, more_is_better=False)


def _informs(
    name: str, what: str, measure: str, *, unit: Unit = Unit.PERCENT, more_is_better: bool = False
) -> Target:
    return Target(name, what, measure, unit, None, None, more_is_better)


_PUT = "throughput of `Minio.fput_object`"
_GET = "throughput of `Minio.fget_object`"
_TAR = "speed of `tar czf` and `fput_object`"
_NEXT = "a library's next release, sent bytes"
_BETTER = "bytes of the better of restic and casync"
_EDITED = "1 % of that tree's files edited, sent bytes"
_IDLE = "above idle, at the peak"
_TO_LIVE = "first byte to live"
_LISTS = "of 1,000, the worst filter"
_P50 = "until the last has an event, p50"
_P99 = "until the last has an event, p99"
_NO_BYTES = "payload bytes sent, stored and fetched"
_SHA256SUM = "of `tar cf - \\| sha256sum`"
_PLAIN = "time of a node that asks nobody"
_ALONE = "its time without, written and sealed"
_BORDERS = "borders at files of 16 KiB and more"

TARGETS = (
    _at_least("upload.thrifty", "upload of 1 GiB, the client's way", _PUT, 0.8, 1.0),
    _at_least("upload.plain", "upload of 1 GiB, the plain way", _PUT, 0.8, 1.0),
    _at_least("tree.speed", "a tree of 254 MB, to durable", _TAR, 3, 5),
    _at_most("tree.stored", Unit.TIMES, "that tree, stored bytes", "bytes of its .tgz", 1.25, 1.25),
    _at_most("releases.wire", Unit.TIMES, _NEXT, _BETTER, 1.0, 0.5),
    _informs("releases.archive", _NEXT, "of its .tgz"),
    _informs("borders.saved", _BORDERS, "of those sent bytes saved", more_is_better=True),
    _at_most("edits.wire", Unit.PERCENT, _EDITED, "of its .tgz", 8, 4),
    _at_most("resume.thrifty", Unit.PERCENT, "broken off at 90 %, bytes sent again", "of 1 GiB", 1, 0.5),
    _at_most("resume.plain", Unit.PERCENT, "the same, the plain way", "of 1 GiB", 1, 0.5),
    _at_least("download.client", "download of 1 GiB to a file", _GET, 0.5, 0.8),
    _at_least("download.node", "a node's fetch of 1 GiB to a file", _GET, 1.0, 1.0),
    _at_most("memory.one_thrifty", Unit.MIB, "a node's memory, one upload of 4 GiB", _IDLE, 200, 100),
    _at_most("memory.one_plain", Unit.MIB, "the same, the plain way", _IDLE, 200, 100),
    _at_most("memory.many_thrifty", Unit.MIB, "a node's memory, eight uploads of 1 GiB", _IDLE, 600, 300),
    _at_most("memory.many_plain", Unit.MIB, "the same eight, the plain way", _IDLE, 600, 300),
    _at_most("gc.time", Unit.SECONDS, "gc of 5,000,000 chunk rows", "in 20,000 pack files", 120, 30),
    _at_most("gc.memory", Unit.MIB, "that gc's memory", "all of the process, at the peak", 500, 200),
    _at_most("latency.embedded", Unit.MILLISECONDS, "a bundle of 10 kB, embedded", _TO_LIVE, 60, 30),
    _at_most(
        "latency.services", Unit.MILLISECONDS, "the same, PostgreSQL, etcd and MinIO", _TO_LIVE, 200, 100
    ),
    _at_most(
        "rollback.time", Unit.MILLISECONDS, "rollback to a kept tree of 10,000 files", "to live", 1000, 200
    ),
    _at_most("idle.statements", Unit.A_SECOND, "an idle node's SQL statements", "all of them", 2, 0.5),
    _at_most("idle.requests", Unit.A_SECOND, "its requests to etcd", "all of them", 2, 0.5),
    _at_most("startup.help", Unit.MILLISECONDS, "`longshore --help`", "start to end", 400, 250),
    _at_most("startup.list", Unit.MILLISECONDS, "`longshore list`", "start to end", 400, 250),
    _at_most("lists.sqlite", Unit.TIMES, "`ListDeployments` of 1,000,000, SQLite", _LISTS, 2, 1),
    _at_most("lists.postgres", Unit.TIMES, "the same, PostgreSQL", _LISTS, 2, 1),
    _at_most("followers-1000.p99", Unit.MILLISECONDS, "1,000 followers, 4 events a second", _P99, 250, 120),
    _informs("followers-1000.p50", "the same", _P50, unit=Unit.MILLISECONDS),
    _informs("followers-1000.memory", "a node's memory for them", _IDLE, unit=Unit.MIB),
    _at_most("followers-10000.p99", Unit.MILLISECONDS, "10,000 followers, the same", _P99, 3000, 1500),
    _informs("followers-10000.p50", "the same", _P50, unit=Unit.MILLISECONDS),
    _at_most("followers-10000.memory", Unit.MIB, "a node's memory for them", _IDLE, 1024, 500),
    _at_most("takeover.time", Unit.SECONDS, "takeover after SIGKILL of the owner", "a lease of 5 s", 12, 7),
    _informs("fleet.statements", "a rollout over 300 nodes, statements", "a node", unit=Unit.COUNT),
    _informs("fleet.memory", "its controller's memory", _IDLE, unit=Unit.MIB),
    _informs("fleet.time", "its time", "begin to end", unit=Unit.SECONDS),
    _at_most("fan-out.time", Unit.TIMES, "durable to live, 50 MB on 8 nodes", "time of 1 node", 1.5, 1.5),
    _at_most("peer-edits.fetched", Unit.PERCENT, "1 % of files edited, a peer fetches", "of the .tgz", 10, 5),
    _at_most("no-bytes.redeploy", Unit.BYTES, "the same deployed again", _NO_BYTES, 0, 0),
    _at_most("no-bytes.rollback", Unit.BYTES, "a rollback to a kept release", _NO_BYTES, 0, 0),
    _at_most("no-bytes.promotion", Unit.BYTES, "the same in another environment", "sent and stored", 0, 0),
    _at_most(
        "validate.pack", Unit.SECONDS, "`longshore validate` of a pack", "1,000 workflows of 10 tasks", 3, 1
    ),
    _at_most("checksum.time", Unit.TIMES, "checksum of a tree of 20,000 files, 1 GiB", _SHA256SUM, 1.3, 1.3),
    _at_most("doors.call", Unit.TIMES, "TLS, token and permission, a unary call", _PLAIN, 1.3, 1.1),
    _at_most("doors.upload", Unit.TIMES, "the same, an upload of 1 GiB", _PLAIN, 1.4, 1.2),
    # The aim is 20,000 in the same memory.
    _at_most("idle-streams.memory", Unit.MIB, "5,000 idle half-open streams", _IDLE, 500, 125),
    _at_most("audit.embedded", Unit.TIMES, "a deploy, 1,000 audit entries a second", _ALONE, 1.05, 1.01),
    _at_most("audit.services", Unit.TIMES, "the same, PostgreSQL, etcd and MinIO", _ALONE, 1.05, 1.01),
    _at_most(
        "pack.added", Unit.MILLISECONDS, "a pack of 100 workflows, to live", "over a component", 150, 60
    ),
)


def targets_of(row: str) -> tuple[Target, ...]:
    """The targets that a row measures."""
    return tuple(target for target in TARGETS if target.row == row)
