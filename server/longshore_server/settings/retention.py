"""Which releases keep their payload: limits, and rules with others for some places."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from pydantic import Field

from .sections import Section


class _RetentionLimits(Section):
    keep_releases: int | None = Field(default=None, ge=1)
    max_age_s: float | None = Field(default=None, gt=0)
    max_bytes: int | None = Field(default=None, ge=1)


class RetentionRule(_RetentionLimits):
    """Other limits for some projects and environments; a limit that it does not name is the default's."""

    project: str = "*"
    environment: str = "*"

    def fits(self, project: str, environment: str) -> bool:
        """Whether the rule is for a project in an environment; ``*`` and ``?`` stand for other characters."""
        return fnmatchcase(project, self.project) and fnmatchcase(environment, self.environment)

    @property
    def limits(self) -> dict[str, Any]:
        """The limits that the rule names; null takes one away."""
        return self.model_dump(include=set(_RetentionLimits.model_fields), exclude_unset=True)


class RetentionSettings(_RetentionLimits):
    """Which releases keep their payload; without a limit all do."""

    rollback_targets: int = Field(default=5, ge=0)
    rules: tuple[RetentionRule, ...] = ()

    @property
    def limits(self) -> dict[str, Any]:
        """The limits where no rule fits."""
        return self.model_dump(include=set(_RetentionLimits.model_fields))
