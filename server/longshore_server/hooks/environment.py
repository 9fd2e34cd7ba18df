"""What a hook finds in its environment: a few variables of the node's, what is switched, and its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Nothing else of the node's own: its settings, secrets among them, may be variables.
_PASSED_ON: Final = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ"),
    *("LANG", "LC_ALL", "LC_CTYPE"),
)
_DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class SwitchFacts:
    """What a hook is told: ``version`` and ``tree`` of what is, or is about to be, live; None for nothing.

    ``live`` is the project's link, ``previous_tree`` what it pointed at before.
    """

    project: str
    environment: str
    deployment_id: str
    version: str | None
    tree: Path | None
    live: Path
    previous_tree: Path | None

    def variables(self) -> dict[str, str]:
        """As variables; what is not there is empty."""
        return {
            "LONGSHORE_PROJECT": self.project,
            "LONGSHORE_ENVIRONMENT": self.environment,
            "LONGSHORE_DEPLOYMENT_ID": self.deployment_id,
            "LONGSHORE_VERSION": self.version or "",
            "LONGSHORE_TREE": str(self.tree or ""),
            "LONGSHORE_LIVE": str(self.live),
            "LONGSHORE_PREVIOUS_TREE": str(self.previous_tree or ""),
        }


def hook_environment(facts: SwitchFacts, own: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of one hook; ``own`` is what its settings add."""
    return {**passed_on(), **own, **facts.variables()}


def passed_on() -> dict[str, str]:
    """The variables of the node's own that every command is given."""
    found = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {"PATH": _DEFAULT_PATH, **found}
