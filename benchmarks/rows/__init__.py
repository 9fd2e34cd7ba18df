"""The rows of the table, one module each: ``measure`` takes the stage and gives what it has measured."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from benchmarks.results import Measured
from benchmarks.stage import Bench

from . import (
    audit,
    borders,
    checksum,
    collecting,
    doors,
    download,
    edits,
    fan_out,
    fleet,
    followers,
    idle,
    idle_streams,
    latency,
    lists,
    memory,
    no_bytes,
    pack,
    peer_edits,
    releases,
    resume,
    rollback,
    startup,
    takeover,
    tree,
    upload,
    validate,
)

Row = Callable[[Bench], Awaitable[Measured]]

ROWS: Mapping[str, Row] = {
    "upload": upload.measure,
    "tree": tree.measure,
    "releases": releases.measure,
    "borders": borders.measure,
    "edits": edits.measure,
    "resume": resume.measure,
    "download": download.measure,
    "memory": memory.measure,
    "gc": collecting.measure,
    "latency": latency.measure,
    "rollback": rollback.measure,
    "idle": idle.measure,
    "lists": lists.measure,
    "startup": startup.measure,
    "followers-1000": followers.measure_few,
    "followers-10000": followers.measure_many,
    "takeover": takeover.measure,
    "fleet": fleet.measure,
    "fan-out": fan_out.measure,
    "peer-edits": peer_edits.measure,
    "no-bytes": no_bytes.measure,
    "validate": validate.measure,
    "checksum": checksum.measure,
    "pack": pack.measure,
    "doors": doors.measure,
    "idle-streams": idle_streams.measure,
    "audit": audit.measure,
}
