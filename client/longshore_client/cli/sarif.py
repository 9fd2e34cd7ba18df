"""Findings as SARIF 2.1.0, the OASIS standard that code scanners speak."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from longshore_client.models import Finding, Severity

from .checked import CheckedPayload
from .finding_places import FindingPlaces

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning"}


def sarif_log(checked: CheckedPayload, places: FindingPlaces) -> dict[str, Any]:
    """A log with one run: a rule for each code, a result for each finding."""
    codes = list(dict.fromkeys(finding.code for finding in checked.findings))
    results = [
        {
            "ruleId": finding.code,
            "ruleIndex": codes.index(finding.code),
            "level": _LEVELS.get(finding.severity, "note"),
            "message": {"text": places.message(finding)},
            "locations": [{"physicalLocation": _location(finding, places)}],
        }
        for finding in checked.findings
    ]
    rules = [{"id": code} for code in codes]
    driver = {"name": "longshore", "version": version("longshore"), "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": {"totalFindings": checked.total_findings},
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _location(finding: Finding, places: FindingPlaces) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": {"uri": _uri(places.file(finding))}}
    line = places.line(finding)
    if line is not None:
        location["region"] = {"startLine": line}
    return location


def _uri(file: Path) -> str:
    """A relative one is from the root of the repository, where the program is run."""
    return file.as_uri() if file.is_absolute() else quote(file.as_posix(), errors="surrogateescape")
