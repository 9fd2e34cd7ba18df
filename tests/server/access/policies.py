"""Policy files as tests write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def write_policy(path: Path, *grants: dict[str, Any], **roles: list[str]) -> None:
    """Write own roles and grants; a node finds the change by itself."""
    path.write_text(yaml.safe_dump({"roles": roles, "grants": list(grants)}))
