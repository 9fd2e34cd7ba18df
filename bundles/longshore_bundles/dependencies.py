"""What a pack needs, held against what there is: other packs, runtimes on a node, and no circles.

Pure: what is installed and what a node's commands answered is given. Nothing here raises; what is wrong comes
back as findings.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Final

from .constraints import Constraint
from .errors import BundleError
from .findings import Finding, Severity, printable

ANY_VERSION: Final = "*"

_MOST_CYCLES: Final = 20
_SHOWN_REFS: Final = 10
_RUNTIME_VERSION: Final = re.compile(r"(?<![0-9.])([0-9]{1,9}(?:\.[0-9]{1,9}){0,2})(?![0-9])")


@dataclass(frozen=True, slots=True)
class Dependency:
    """A pack that another one needs: its ref, and the constraint on its version."""

    ref: str
    constraint: str = ANY_VERSION


def dependency_findings(
    required: Iterable[Dependency], installed: Mapping[str, str], *, path: str = ""
) -> list[Finding]:
    """What is missing of the packs that a pack needs; ``installed`` has the version of each ref there is.

    ``path`` is the manifest that asks for them.
    """
    found = []
    for dependency in required:
        ref, version = printable(dependency.ref), installed.get(dependency.ref)
        if version is None:
            found.append(_error("DEPENDENCY_MISSING", f"Required pack '{ref}' is not installed", path))
        elif not_allowed := _not_allowed(dependency.constraint, version, version):
            found.append(_error("DEPENDENCY_UNSATISFIED", f"Pack '{ref}' {not_allowed}", path))
    return found


def runtime_findings(
    required: Mapping[str, str], answers: Mapping[str, str | None], *, path: str = ""
) -> list[Finding]:
    """What is missing of the runtimes that a pack needs.

    ``required`` has a constraint by the runtime's name, ``answers`` what its command said, or None where
    there is no such command. The version in an answer is ``runtime_version``.
    """
    found = []
    for runtime, constraint in required.items():
        name, answer = printable(runtime), answers.get(runtime)
        version = runtime_version(answer) if answer is not None else None
        if version is None:
            found.append(_error("RUNTIME_MISSING", f"Runtime '{name}' not found", path))
        elif not_allowed := _not_allowed(constraint, _completed(version), version):
            found.append(_error("RUNTIME_UNSATISFIED", f"Runtime '{name}' {not_allowed}", path))
    return found


def runtime_version(answer: str) -> str | None:
    """The version in what a runtime says of itself, such as ``3.11.4`` in ``Python 3.11.4``; None for none.

    It is the first number of up to three parts. What stands behind it is not looked at: a ``3.14.0rc1``
    counts as ``3.14.0``.
    """
    found = _RUNTIME_VERSION.search(answer)
    return ".".join(str(int(part)) for part in found[1].split(".")) if found else None


def dependency_cycles(needs: Mapping[str, Collection[str]]) -> list[tuple[str, ...]]:
    """Circles of packs that need each other, none of them sharing a pack, and at most 20.

    ``needs`` has the refs that each ref needs. A circle begins and ends with its lowest ref and goes from a
    pack to one that it needs: ``("a", "b", "a")``. The same graph gives the same ones.
    """
    graph = {ref: sorted(needed) for ref, needed in sorted(needs.items())}
    cycles: list[tuple[str, ...]] = []
    while len(cycles) < _MOST_CYCLES:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            # The library goes from what is needed to what needs it, and names the first once more at the end.
            circle = error.args[1][:0:-1]
        else:
            break
        lowest = circle.index(min(circle))
        cycles.append((*circle[lowest:], *circle[:lowest], circle[lowest]))
        done = set(circle)
        graph = {ref: needed for ref, needed in graph.items() if ref not in done}
    return sorted(cycles)


def cycle_findings(needs: Mapping[str, Collection[str]], *, path: str = "") -> list[Finding]:
    """The circles of ``dependency_cycles`` as findings."""
    return [
        _error(
            "DEPENDENCY_CYCLE",
            f"Packs need each other in a circle: {_shown(cycle)}: take one of these dependencies out",
            path,
        )
        for cycle in dependency_cycles(needs)
    ]


def _shown(cycle: tuple[str, ...]) -> str:
    shown = [printable(ref) for ref in cycle]
    if len(shown) > _SHOWN_REFS:
        shown[_SHOWN_REFS - 1 : -1] = ["…"]
    return " → ".join(shown)


def _not_allowed(constraint: str, version: str, shown: str) -> str:
    """What a version that does not do is told; empty for one that does."""
    try:
        if Constraint.parse(constraint).allows(version):
            return ""
    except BundleError as error:
        return f"cannot be judged: {error.message}"
    return f"version {shown} does not satisfy constraint '{printable(constraint)}'"


def _completed(version: str) -> str:
    return ".".join([*version.split("."), "0", "0"][:3])


def _error(code: str, message: str, path: str) -> Finding:
    return Finding(code, Severity.ERROR, message, path)
