"""The JSON Schema of what every command prints with ``-o json``, made from the library's dataclasses.

``python -m longshore_client.cli.json_schema`` writes ``schemas.json`` anew, which is what
``longshore schema json`` prints: a change of what programs read shows there before it is released. Within one
major version fields and values are only added.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import types
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from longshore_client import catalog_models, events, models, verification_models, workflow_models
from longshore_client.downloading import Download

from .checked import CheckedPayload
from .choosing import Chosen
from .commands.login import LoggedIn
from .contexts import ContextRow
from .printing import detail_kind
from .results import (
    Checksum,
    FoundPack,
    IndexMerged,
    IndexUpdated,
    IndexVerified,
    NewBundle,
    NothingToDo,
    RemovedNode,
    ShownPack,
)
from .workflow_results import DeletedWorkflows, WorkflowDifferences

SCHEMAS_FILE: Final = Path(__file__).with_name("schemas.json")

_Alternative = type | tuple[type, dict[str, Any]]
_MADE: Final = (models.Deployment,)
_MADE_UNLESS_NOTHING: Final = (models.Deployment, NothingToDo)

OUTPUTS: Final[Mapping[str, tuple[_Alternative, ...]]] = {
    "deploy": (models.Deployment, models.Validation),
    "deploy-release": _MADE,
    "promote": _MADE,
    "pause": _MADE,
    "resume": _MADE,
    "cancel": _MADE,
    "retry": _MADE,
    "rollback": _MADE_UNLESS_NOTHING,
    "undeploy": _MADE_UNLESS_NOTHING,
    "strategy": (catalog_models.ProjectEnvironment,),
    "freeze": (catalog_models.ProjectEnvironment,),
    "unfreeze": (catalog_models.ProjectEnvironment,),
    "cordon": (catalog_models.Node,),
    "drain": (catalog_models.Node,),
    "uncordon": (catalog_models.Node,),
    "remove-node": (RemovedNode,),
    "watch": (
        (events.Event, {"type": {"const": "event"}}),
        (events.Snapshot, {"type": {"const": "snapshot"}}),
    ),
    "list": (models.Deployment,),
    "get": (
        (
            models.Deployment,
            {
                "release": {"anyOf": [{"$ref": "#/$defs/Release"}, {"type": "null"}]},
                "activations": {"type": "array", "items": {"$ref": "#/$defs/Activation"}},
            },
        ),
    ),
    "projects": (catalog_models.Project, catalog_models.ProjectOverview),
    "releases": ((catalog_models.Release, {"live_in": {"type": "array", "items": {"type": "string"}}}),),
    "new": (NewBundle,),
    "validate": (CheckedPayload,),
    "dev": _MADE,
    "workflows list": (workflow_models.Workflow,),
    "workflows get": (
        (
            workflow_models.Workflow,
            {
                "source": {"type": "string"},
                "definition": {"anyOf": [{"type": "object", "additionalProperties": {}}, {"type": "null"}]},
            },
        ),
    ),
    "workflows count": (workflow_models.WorkflowCounts,),
    "workflows sync": (workflow_models.WorkflowSync,),
    "workflows delete": (DeletedWorkflows,),
    "workflows validate": (workflow_models.WorkflowValidation,),
    "workflows diff": (WorkflowDifferences,),
    "findings": (models.Finding,),
    "nodes": (catalog_models.Node, catalog_models.NodeRemoved),
    "locks": (catalog_models.Lock,),
    "verify": (verification_models.Verification,),
    "audit": (catalog_models.AuditEntry,),
    "download": (Download,),
    "pin": (catalog_models.Release,),
    "unpin": (catalog_models.Release,),
    "select": (catalog_models.ProjectEnvironment,),
    "approval": (catalog_models.ProjectEnvironment, catalog_models.Environment),
    "keep": (catalog_models.ProjectEnvironment,),
    "delete-payload": (catalog_models.PayloadDeletion,),
    "checksum": (Checksum,),
    "search": (FoundPack,),
    "show": (ShownPack,),
    "index update": (IndexUpdated,),
    "index merge": (IndexMerged,),
    "index verify": (IndexVerified,),
    "context list": (ContextRow,),
    "context set": (ContextRow,),
    "context use": (ContextRow,),
    "context remove": (ContextRow,),
    "context show": (Chosen,),
    "login": (LoggedIn,),
    "logout": (LoggedIn,),
}
"""What each command prints, once or a line each: an object of one of these types, with these fields more."""


def schemas() -> dict[str, Any]:
    """Everything in one document: types under ``$defs``, and what each command prints under ``commands``."""
    types_ = _Types()
    commands = {}
    for command, alternatives in OUTPUTS.items():
        found = [types_.alternative(each) for each in alternatives]
        title = {"title": f"longshore {command} -o json"}
        commands[command] = {**title, **(found[0] if len(found) == 1 else {"anyOf": found})}
    types_.of(models.Activation)
    types_.of(catalog_models.Release)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": dict(sorted(types_.definitions.items())),
        "commands": commands,
    }


class _Types:
    """Python's types as schemas; ``definitions`` are those that others refer to."""

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}

    def alternative(self, alternative: _Alternative) -> dict[str, Any]:
        """The schema of an object that a command prints."""
        if not isinstance(alternative, tuple):
            return self.of(alternative)
        of, more = alternative
        return self._object(of, more)

    def of(self, hint: Any) -> dict[str, Any]:
        """The schema of a value with this type; raises ``TypeError`` for one that no output has."""
        if hint in _PLAIN:
            return dict(_PLAIN[hint])
        origin, arguments = get_origin(hint), get_args(hint)
        if origin in (Union, types.UnionType):
            return self._union(arguments)
        if origin is tuple:
            return {"type": "array", "items": self.of(arguments[0])}
        if origin is not None and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            more = {"kind": {"const": detail_kind(hint)}} if hint in get_args(events.EventDetail) else {}
            self._define(hint, more)
        elif isinstance(hint, type) and issubclass(hint, Enum):
            self.definitions[hint.__name__] = {
                "description": _description(hint),
                "enum": [each.value for each in hint],
            }
        else:
            raise TypeError(f"{hint} has no schema")
        return {"$ref": f"#/$defs/{hint.__name__}"}

    def _define(self, of: type, more: dict[str, Any]) -> None:
        if of.__name__ not in self.definitions:
            self.definitions[of.__name__] = {}
            self.definitions[of.__name__] = self._object(of, more)

    def _object(self, of: type, more: dict[str, Any]) -> dict[str, Any]:
        hints = get_type_hints(of)
        fields = {field.name: self.of(hints[field.name]) for field in dataclasses.fields(of)}
        properties = {**more, **fields}
        return {
            "description": _description(of),
            "type": "object",
            "properties": properties,
            "required": list(properties),
        }

    def _union(self, arguments: tuple[Any, ...]) -> dict[str, Any]:
        found = [self.of(each) for each in arguments]
        return {"anyOf": found}


_PLAIN: Final[dict[Any, dict[str, Any]]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Path: {"type": "string"},
    datetime: {"type": "string", "format": "date-time"},
    timedelta: {"type": "number", "description": "seconds"},
}


def _description(of: type) -> str:
    return " ".join((inspect.getdoc(of) or "").replace("``", "`").split())


def file_text() -> str:
    """What ``schemas.json`` has to hold; what has nothing nested in it is on one line."""
    text = json.dumps(schemas(), indent=1, ensure_ascii=False)
    return re.sub(r"[\[{][^\[\]{}]*[\]}]", lambda found: re.sub(r"\s*\n\s*", " ", found[0]), text) + "\n"


if __name__ == "__main__":
    SCHEMAS_FILE.write_text(file_text())
