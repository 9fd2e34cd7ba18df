"""``python -m benchmarks.page``: the measured part of ``docs/performance.md``, and its pictures.

Owns what stands between the page's two marks, and the pictures; whatever else is on the page is written by
people. A test fails when page or pictures are not what the results say.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from . import results
from .pictures import PROCESSES, STAGES, WIRE_NAMES, pictures
from .results import Results
from .sizes import MIB
from .targets import TARGETS

_DOCS = Path(__file__).parents[1] / "docs"
PAGE = _DOCS / "performance.md"
PICTURES = _DOCS / "pictures"
_BEGIN = "<!-- measured: written by python -m benchmarks.page -->"
_END = "<!-- end of what was measured -->"


def write(measured: Results) -> None:
    """Bring page and pictures up to what was measured."""
    PAGE.write_text(with_measured(PAGE.read_text(), measured))
    PICTURES.mkdir(exist_ok=True)
    for name, text in pictures(measured).items():
        (PICTURES / name).write_text(text)


def with_measured(page: str, measured: Results) -> str:
    """The page's text with the part between its marks made anew."""
    part = "\n\n".join([_BEGIN, *_sections(measured), _END])
    new, count = re.subn(re.escape(_BEGIN) + ".*?" + re.escape(_END), lambda _: part, page, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{PAGE.name} must have {_BEGIN} and {_END} once")
    return new


def _sections(measured: Results) -> Iterable[str]:
    rows = measured.rows
    yield _when_and_where(measured)
    yield _targets(measured)
    yield "![Every row as a multiple of what is required](pictures/targets.svg)"
    if "upload" in rows:
        yield _upload(rows["upload"].details)
        yield "![Core-seconds per GiB by process and stage](pictures/stages.svg)"
    if "tree" in rows:
        yield _tree(rows["tree"].details)
    if "releases" in rows:
        yield _releases(rows["releases"].details, rows["borders"].details if "borders" in rows else None)
        yield "![Bytes on the wire for the next release, in percent of its .tgz](pictures/wire.svg)"
    if "download" in rows:
        yield _download(rows["download"].details)
    if "fleet" in rows:
        yield _fleet(rows["fleet"].details)
    if "gc" in rows:
        yield _gc(rows["gc"].details)


def _when_and_where(measured: Results) -> str:
    rows = measured.rows.values()
    days = sorted({row.measured_at[:10] for row in rows})
    machines = {tuple(row.machine.items()): row.machine for row in rows}
    told = "; ".join(
        "{cores} cores ({processor}), {memory_gib} GiB, {system}, Python {python}".format(**each)
        for each in machines.values()
    )
    load = max((row.load for row in rows), default=0.0)
    took_min = sum(row.took_s for row in rows) / 60
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return (
        f"Measured on {when}: {told}; client, node and MinIO share it. Load before a row at most {load:.1f}; "
        f"all rows took {took_min:.0f} minutes."
    )


def _targets(measured: Results) -> str:
    lines = []
    for target in TARGETS:
        row = measured.rows.get(target.row)
        bounds = [target.bound(target.required), target.bound(target.aim)]
        if row is None or target.name not in row.figures:
            lines.append([target.what, target.measure, "not measured", "", *bounds, "not measured"])
            continue
        figure = row.figure(target.name)
        spread = f"{target.shown(figure.lowest)} – {target.shown(figure.highest)}"
        lines.append(
            [
                target.what,
                target.measure,
                target.shown(figure.median),
                spread,
                *bounds,
                target.verdict(figure),
            ]
        )
    return _table(["what", "measure", "median", "spread", "required", "aim", "verdict"], lines)


def _upload(details: dict[str, Any]) -> str:
    size_mib = details["size_bytes"] / MIB
    lines = []
    for way in ("thrifty", "plain"):
        for side, name in (("fput_object", "`fput_object` beside it"), ("longshore", f"the {way} way")):
            speed = size_mib / statistics.median(details[way][side]["seconds"])
            cores = details[way][side]["cores_s_gib"]
            lines.append([name, f"{speed:.0f} MiB/s", *(_seconds(cores.get(each)) for each in PROCESSES)])
    whole = _table(["upload", "median", *(f"{name}, core-s/GiB" for name in PROCESSES.values())], lines)
    stages = []
    for way in ("thrifty", "plain"):
        for process, spent in details[way]["stages_s_gib"].items():
            if "all" not in spent:
                told = (_seconds(spent.get(stage)) for stage in STAGES if stage != "all")
                stages.append([f"{way}, {PROCESSES[process]}", *told])
    names = [name for stage, (name, _) in STAGES.items() if stage != "all"]
    by_stage = _table(["core-s/GiB", *names], stages)
    return f"### Upload\n\n{whole}\n\nWhere they go, in an upload of its own with clocks on:\n\n{by_stage}"


def _tree(details: dict[str, Any]) -> str:
    return (
        "### A tree\n\n"
        f"{', '.join(details['packages'])}: {details['files']:,} files, {_mb(details['size_bytes'])}; "
        f".tgz {_mb(details['tgz_bytes'])}, stored {_mb(details['stored_bytes'])}. "
        f"`tar czf` and `fput_object` took {statistics.median(details['tar_and_fput_object_s']):.1f} s, "
        f"Longshore {statistics.median(details['longshore_s']):.1f} s."
    )


def _releases(details: dict[str, Any], borders: dict[str, Any] | None) -> str:
    names = list(WIRE_NAMES)
    lines = []
    for number, pair in enumerate(details["pairs"]):
        cells = [f"{pair[name]:,}" if name in pair else f"**{name} was not there**" for name in names]
        without = f"{borders['pairs'][number]['without']:,}" if borders else "not measured"
        lines.append([pair["pair"], *cells, without])
    heads = [*WIRE_NAMES.values(), "Longshore without borders"]
    return "### The next release\n\nBytes sent:\n\n" + _table(["release", *heads], lines)


def _download(details: dict[str, Any]) -> str:
    size_mib = details["size_bytes"] / MIB
    names = {"fget_object": "`fget_object`", "client": "`Client.download`", "node": "a node's fetch"}
    lines = [
        [
            name,
            f"{size_mib / statistics.median(details[side]['seconds']):.0f} MiB/s",
            *(_seconds(details[side]["cores_s_gib"].get(process)) for process in PROCESSES),
        ]
        for side, name in names.items()
    ]
    heads = ["reader, core-s/GiB", "node, core-s/GiB", "MinIO, core-s/GiB"]
    return "### Download\n\n" + _table(["download", "median", *heads], lines)


def _gc(details: dict[str, Any]) -> str:
    lines = [
        [
            phase,
            f"{statistics.median(seconds):.1f} s",
            f"{statistics.median(details['phases_peak_mib'][phase]):.0f} MiB",
        ]
        for phase, seconds in details["phases_s"].items()
    ]
    return "### Collecting\n\n" + _table(["run", "median", "memory"], lines)


def _fleet(details: dict[str, Any]) -> str:
    lines = [
        [nodes, f"{statements:.1f}", f"{memory:.1f} MiB", f"{seconds:.2f} s"]
        for nodes, (statements, memory, seconds) in details["by_nodes"].items()
    ]
    return "### A fleet\n\n" + _table(["nodes", "statements, a node", "controller's memory", "time"], lines)


def _table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    written = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in written)


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _mb(size_bytes: float) -> str:
    return f"{size_bytes / 1e6:.1f} MB"


if __name__ == "__main__":
    write(results.load(results.FULL, "full"))
