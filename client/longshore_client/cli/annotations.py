"""Findings as lines of a CI's log that it shows beside the code.

Source: GitHub Actions, "Workflow commands", whose lines other services read as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from longshore_client.models import Finding, Severity

from .finding_places import FindingPlaces
from .wording import safe

_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning"}
_DATA: Final = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY: Final = {**_DATA, ":": "%3A", ",": "%2C"}


def github_lines(findings: tuple[Finding, ...], places: FindingPlaces) -> Iterator[str]:
    """A line for each finding; nothing in it starts another command, or does anything to a terminal."""
    for finding in findings:
        line = places.line(finding)
        properties = {"file": places.file(finding).as_posix(), "title": finding.code}
        if line is not None:
            properties["line"] = str(line)
        told = ",".join(f"{name}={_escaped(safe(value), _PROPERTY)}" for name, value in properties.items())
        level = _LEVELS.get(finding.severity, "notice")
        yield f"::{level} {told}::{_escaped(safe(places.message(finding)), _DATA)}"


def _escaped(text: str, table: Mapping[str, str]) -> str:
    return "".join(table.get(character, character) for character in text)
