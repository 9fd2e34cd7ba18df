"""The queries of dashboard and alerts, taken apart: which metrics they read, with which labels and values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
MONITORING: Final = ROOT / "deploy" / "monitoring"

_SELECTOR = re.compile(r"\b(longshore_\w+|process_\w+|python_\w+|up\b)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")


@dataclass(frozen=True)
class Selector:
    """One metric in a query, with what its labels must be."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Query:
    """Where it stands, and itself; ``shown`` is text that names labels of its result."""

    where: str
    text: str
    shown: str

    @property
    def selectors(self) -> list[Selector]:
        return [
            Selector(name, tuple(_MATCHER.findall(matchers)))
            for name, matchers in _SELECTOR.findall(self.text)
        ]

    @property
    def grouped_by(self) -> set[str]:
        return {label.strip() for labels in _GROUPING.findall(self.text) for label in labels.split(",")}


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((MONITORING / "dashboard.json").read_text())
    return loaded


def queries() -> Iterator[Query]:
    for alert in alerts():
        yield Query(alert["alert"], alert["expr"], alert["annotations"]["summary"])
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield Query(panel["title"], target["expr"], target["legendFormat"])
