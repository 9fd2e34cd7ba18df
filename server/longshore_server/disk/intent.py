"""An intent: what a project is to be on a node, as it is written down before its link is swapped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class LiveTree:
    """What may be live: a version's installed tree, or nothing, which is None for both."""

    version: str | None
    target: Path | None

    def __str__(self) -> str:
        return "nothing" if self.version is None else self.version


NOTHING: Final = LiveTree(None, None)


@dataclass(frozen=True, slots=True)
class Trial:
    """What is live has yet to prove itself, and ``previous`` is what was live before.

    With a ``failure`` it has not proved itself, and ``previous`` is being made live again.
    """

    previous: LiveTree
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Intent:
    """What one project is to be on this node; ``version`` and ``target`` are None where it is nothing."""

    project: str
    generation: int
    version: str | None
    target: Path | None
    deployment_id: str | None
    trial: Trial | None = None

    @property
    def tree(self) -> LiveTree:
        """What is to be live."""
        return LiveTree(self.version, self.target)


def encode_intent(intent: Intent) -> bytes:
    """As it stands in its file."""
    content: dict[str, Any] = {
        "format": _FORMAT,
        "generation": intent.generation,
        **_encode_tree(intent.tree),
        "deployment_id": intent.deployment_id,
    }
    if intent.trial is not None:
        content["trial"] = {**_encode_tree(intent.trial.previous), "failure": intent.trial.failure}
    return (json.dumps(content, indent=2) + "\n").encode()


def decode_intent(project: str, encoded: bytes, installed: Path) -> Intent:
    """The other way round; trees stand in ``installed``.

    Raises ``ValueError``, ``TypeError``, ``KeyError`` or ``AttributeError`` for what is not an intent.
    """
    content = json.loads(encoded)
    if content["format"] != _FORMAT:
        raise ValueError(f"its format is {content['format']!r}, not {_FORMAT}")

    def tree(told: dict[str, Any]) -> LiveTree:
        name = told["tree"]
        if (name is None) != (told["version"] is None):
            raise ValueError("version and tree are there together, or neither is")
        if name is None:
            return NOTHING
        if Path(name).name != name or not name.startswith(f"{project}@"):
            raise ValueError(f"{name!r} is no tree of the project")
        return LiveTree(told["version"], installed / name)

    told = content.get("trial")
    own = tree(content)
    return Intent(
        project,
        int(content["generation"]),
        own.version,
        own.target,
        content["deployment_id"],
        None if told is None else Trial(tree(told), str(told["failure"])),
    )


def _encode_tree(tree: LiveTree) -> dict[str, str | None]:
    return {"version": tree.version, "tree": None if tree.target is None else tree.target.name}
