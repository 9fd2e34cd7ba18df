"""Who a node is, and what it runs around a switch."""

from __future__ import annotations

import json
import socket
from typing import Any, Literal

from pydantic import Field, field_validator

from longshore_bundles import BundleError, check_environment
from longshore_server.deploying.labels import trouble_with_labels
from longshore_server.hooks import (
    BundleTestSettings,
    CheckSettings,
    Command,
    HookSettings,
    ProjectHooks,
    RestartSettings,
    hooks_of,
)

from .sections import Section


class NodeSettings(Section):
    """Who this node is."""

    name: str = Field(default_factory=socket.gethostname, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    environment: str = "default"
    roles: frozenset[Literal["receive", "control", "install"]] = frozenset({"receive", "control", "install"})
    labels: dict[str, str] = Field(default_factory=dict)
    kept_releases: int = Field(default=5, ge=0)
    hooks: tuple[HookSettings, ...] = ()
    restarts: tuple[RestartSettings, ...] = ()
    checks: tuple[CheckSettings, ...] = ()
    runtimes: dict[str, Command] = Field(default_factory=dict)
    bundle_tests: BundleTestSettings = BundleTestSettings()

    def hooks_of(self, project: str) -> ProjectHooks:
        """What is run around a switch of a project."""
        return hooks_of(project, hooks=self.hooks, restarts=self.restarts, checks=self.checks)

    @field_validator("hooks", "restarts", "checks", mode="before")
    @classmethod
    def _decoded(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("must be a list; as a variable it is written as JSON") from None

    @field_validator("labels", mode="before")
    @classmethod
    def _decoded_labels(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError(
                'must be keys and values; as a variable it is JSON, like {"zone": "eu"}'
            ) from None

    @field_validator("runtimes", mode="before")
    @classmethod
    def _decoded_runtimes(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError(
                'must be names and commands; as a variable it is JSON, like {"go": ["go", "version"]}'
            ) from None

    @field_validator("labels")
    @classmethod
    def _labels(cls, value: dict[str, str]) -> dict[str, str]:
        if trouble := trouble_with_labels(value):
            raise ValueError(trouble)
        return value

    @field_validator("environment")
    @classmethod
    def _environment(cls, value: str) -> str:
        try:
            return check_environment(value)
        except BundleError as error:
            raise ValueError(str(error)) from None

    @field_validator("roles", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [role.strip() for role in value.split(",")] if isinstance(value, str) else value

    @field_validator("roles")
    @classmethod
    def _roles(cls, value: frozenset[str]) -> frozenset[str]:
        if not value:
            raise ValueError("a node needs at least one of receive, control, install")
        return value
