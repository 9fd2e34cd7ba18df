"""How much projects and principals may use: quotas for all, and rules with others for some of them."""

from __future__ import annotations

import json
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from longshore_storage.catalogue.scopes import matches

from .patterns import Pattern
from .sections import Section


class ProjectQuotas(Section):
    """What a project may use; None is no limit."""

    stored_bytes: int | None = Field(default=None, ge=1)
    uploads_a_day: int | None = Field(default=None, ge=1)


class PrincipalQuotas(Section):
    """What a principal may use; None is no limit."""

    uploads_a_day: int | None = Field(default=None, ge=1)
    uploads_at_once: int | None = Field(default=None, ge=1)
    requests_a_second: float | None = Field(default=None, gt=0)


class QuotaRule(Section):
    """Other quotas for some projects and for some principals; one that it does not name is that of all."""

    projects: tuple[Pattern, ...] = ()
    project: ProjectQuotas = ProjectQuotas()
    principals: tuple[Pattern, ...] = ()
    principal: PrincipalQuotas = PrincipalQuotas()

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if bool(self.projects) != bool(self.project.model_fields_set):
            raise ValueError("`projects` and `project` go together: who is meant, and what they may use")
        if bool(self.principals) != bool(self.principal.model_fields_set):
            raise ValueError("`principals` and `principal` go together: who is meant, and what they may use")
        if not self.projects and not self.principals:
            raise ValueError("names nobody: it needs `projects`, `principals` or both")
        return self


class QuotaSettings(Section):
    """The quotas; without any nothing is counted."""

    project: ProjectQuotas = ProjectQuotas()
    principal: PrincipalQuotas = PrincipalQuotas()
    rules: tuple[QuotaRule, ...] = ()

    @field_validator("rules", mode="before")
    @classmethod
    def _decoded(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("must be a list; as a variable it is written as JSON") from None

    def of_project(self, name: str) -> ProjectQuotas:
        """A project's quotas: those of all, and over them what the first rule says that fits."""
        for rule in self.rules:
            if any(matches(pattern, name) for pattern in rule.projects):
                return self.project.model_copy(update=rule.project.model_dump(exclude_unset=True))
        return self.project

    def of_principal(self, name: str) -> PrincipalQuotas:
        """A principal's, in the same way."""
        for rule in self.rules:
            if any(matches(pattern, name) for pattern in rule.principals):
                return self.principal.model_copy(update=rule.principal.model_dump(exclude_unset=True))
        return self.principal

    @property
    def limit_requests(self) -> bool:
        """Whether anybody's requests are counted."""
        limited = [self.principal, *(rule.principal for rule in self.rules)]
        return any(quotas.requests_a_second is not None for quotas in limited)
