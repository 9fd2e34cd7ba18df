"""The pictures of the page, drawn from what was measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .results import Results
from .svg import Drawing
from .targets import TARGETS

_LABELS = 330
_WIDTH = 860

WIRE_COLOURS = {"archive": "grey", "restic": "amber", "casync": "purple", "longshore": "blue"}
WIRE_NAMES = {"archive": ".tgz", "restic": "restic", "casync": "casync", "longshore": "Longshore"}
PROCESSES = {"client": "client", "server": "node", "minio": "MinIO"}
STAGES = {
    "event loop": ("event loop: messages, statements", "blue"),
    "hashing": ("hashing: sha256 and BLAKE3", "amber"),
    "cutting": ("cutting", "pink"),
    "compressing": ("compressing", "purple"),
    "putting": ("putting", "teal"),
    "rest": ("the rest: threads of gRPC and SQLite, files, sending", "grey"),
    "all": ("not told apart", "grey"),
}


def pictures(results: Results) -> dict[str, str]:
    """The text of every picture whose rows were measured, by its file's name."""
    drawn: dict[str, Callable[[Results], Drawing]] = {"targets.svg": _targets}
    if "releases" in results.rows:
        drawn["wire.svg"] = _wire
    if "upload" in results.rows:
        drawn["stages.svg"] = _stages
    return {name: draw(results).svg() for name, draw in drawn.items()}


def _targets(results: Results) -> Drawing:
    """Every target on one scale: how many times as good as required, right is better."""
    rows = [
        (target, results.rows[target.row].figure(target.name), target.required)
        for target in TARGETS
        if target.required and target.row in results.rows and target.name in results.rows[target.row].figures
    ]
    top, step = 70, 24
    picture = Drawing(
        _WIDTH,
        top + step * len(rows) + 20,
        "Every measured row against what is required of it",
        "One line a row: median, spread and aim as multiples of what is required; right is better.",
    )
    left, right = _LABELS + 20, _WIDTH - 30
    low, high = math.log2(1 / 8), math.log2(16)

    def x_of(times: float) -> float:
        place = (min(max(math.log2(times), low), high) - low) / (high - low)
        return left + place * (right - left)

    picture.words(20, 28, "How many times as good as required", size=15)
    picture.words(20, 46, "dot: median, line: spread, small mark: the aim", colour="faint", size=11)
    for times in (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16):
        x = x_of(times)
        picture.line(x, top - 12, x, top + step * len(rows), "faint" if times == 1 else "rule")
        shown = f"1/{1 / times:g} ×" if times < 1 else f"{times:g} ×"
        picture.words(x, top - 18, shown, colour="faint", size=11, anchor="middle")
    for number, (target, figure, required) in enumerate(rows):
        y = top + step * number + step / 2

        def x_of_value(
            value: float, required: float = required, more_is_better: bool = target.more_is_better
        ) -> float:
            value = max(value, 1e-9)
            return x_of(value / required if more_is_better else required / value)

        colour = "good" if target.is_met(figure) else "bad"
        picture.words(_LABELS, y + 4, target.what, size=12, anchor="end")
        picture.line(x_of_value(figure.lowest), y, x_of_value(figure.highest), y, colour, thick=3)
        if target.aim is not None:
            picture.line(x_of_value(target.aim), y - 7, x_of_value(target.aim), y + 7, "text", thick=2)
        x = x_of_value(figure.median)
        picture.dot(x, y, 5, colour)
        if x in (left, right):
            at, anchor = (x + 10, "start") if x == left else (x - 10, "end")
            told = f"beyond: {target.shown(figure.median)}"
            picture.words(at, y + 4, told, colour="faint", size=11, anchor=anchor)
    return picture


def _wire(results: Results) -> Drawing:
    """Bytes on the wire for the next release, in percent of its .tgz."""
    pairs: Sequence[Mapping[str, Any]] = results.rows["releases"].details["pairs"]
    bars = [name for name in WIRE_COLOURS if name != "archive"]
    top, step = 70, 16
    block = step * len(bars) + 18
    picture = Drawing(
        _WIDTH,
        top + block * len(pairs) + 10,
        "Bytes on the wire for the next release of a library",
        "For each pair of releases the bytes that restic, casync and Longshore sent, in percent of the .tgz.",
    )
    picture.words(20, 28, "Bytes on the wire for the next release, in percent of its .tgz", size=15)
    _legend(picture, 20, 50, [(WIRE_NAMES[name], WIRE_COLOURS[name]) for name in bars])
    left, right = _LABELS + 10, _WIDTH - 150
    most = max(pair.get(name, 0) / pair["archive"] for pair in pairs for name in bars)
    for number, pair in enumerate(pairs):
        y = top + block * number
        picture.words(_LABELS, y + step * len(bars) / 2 + 4, pair["pair"], anchor="end")
        for place, name in enumerate(bars):
            at = y + step * place
            if name not in pair:
                picture.words(left, at + 11, f"{name} was not there", colour="faint", size=11)
                continue
            share = pair[name] / pair["archive"]
            width = (right - left) * share / most
            picture.bar(left, at, width, step - 3, WIRE_COLOURS[name])
            told = f"{100 * share:.1f} %, {pair[name] / 1e6:.2f} MB"
            picture.words(left + width + 6, at + 11, told, colour="faint", size=11)
    return picture


def _stages(results: Results) -> Drawing:
    """Core-seconds per GiB of every process that takes part in an upload, by stage."""
    details = results.rows["upload"].details
    bars: list[tuple[str, Mapping[str, float]]] = []
    for process, cores_s in details["thrifty"]["fput_object"]["cores_s_gib"].items():
        bars.append((f"fput_object: {PROCESSES[process]}", {"all": cores_s}))
    for way in ("thrifty", "plain"):
        for process, spent in details[way]["stages_s_gib"].items():
            bars.append((f"{way}: {PROCESSES[process]}", spent))
    top, step = 92, 26
    picture = Drawing(
        _WIDTH,
        top + step * len(bars) + 16,
        "Core-seconds per GiB of an upload, by process and stage",
        "Bars for the client, the node and MinIO of fput_object, of the thrifty way and of the plain way.",
    )
    picture.words(20, 28, "Core-seconds per GiB that does not compress", size=15)
    legend = [STAGES[name] for name in STAGES if name != "all"]
    _legend(picture, 20, 50, legend[:4])
    _legend(picture, 20, 70, legend[4:])
    left, right = 220, _WIDTH - 80
    most = max(sum(spent.values()) for _, spent in bars)
    for number, (name, spent) in enumerate(bars):
        y, x = top + step * number, float(left)
        picture.words(left - 10, y + 14, name, anchor="end")
        for stage, (_, colour) in STAGES.items():
            width = (right - left) * spent.get(stage, 0) / most
            picture.bar(x, y, width, step - 7, colour)
            x += width
        picture.words(x + 6, y + 14, f"{sum(spent.values()):.2f}", colour="faint", size=11)
    return picture


def _legend(picture: Drawing, x: float, y: float, entries: Sequence[tuple[str, str]]) -> None:
    for name, colour in entries:
        picture.bar(x, y - 10, 11, 11, colour)
        picture.words(x + 16, y, name, colour="faint", size=11)
        x += 16 + 6.2 * len(name) + 22
