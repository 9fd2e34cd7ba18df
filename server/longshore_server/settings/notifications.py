"""Who outside is told of deployments."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from longshore_storage.catalogue.scopes import matches

from .patterns import Pattern
from .sections import Section

_LOCAL: Final = ("localhost", "127.0.0.1", "::1")

NoticeName = Literal[
    "staged", "canary_gate", "paused", "succeeded", "partial", "failed", "cancelled", "superseded"
]


class ReceiverSettings(Section):
    """One receiver: where it is, the secret it knows, and what it is told."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    # A secret too: chat services put theirs into the path.
    url: SecretStr
    secret_file: Path
    events: frozenset[NoticeName] = frozenset(get_args(NoticeName))
    projects: tuple[Pattern, ...] = ("*",)
    environments: tuple[Pattern, ...] = ("*",)
    ca_file: Path | None = None
    insecure: bool = False

    @field_validator("url")
    @classmethod
    def _is_a_url(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable or re.search(r"[^!-~]", url):
            raise ValueError("must be like https://HOST/PATH, without spaces or letters beyond ASCII")
        if parts.username is not None or parts.fragment:
            raise ValueError("must be without a user and without #: what is sent is signed instead")
        return value

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        parts = urlsplit(self.url.get_secret_value())
        if parts.scheme == "http" and parts.hostname not in _LOCAL and not self.insecure:
            raise ValueError(
                "`url` is http://, which others on the way can read: write https://, or set `insecure: true` "
                "in a trusted network"
            )
        return self

    def wants(self, event: str, project: str, environment: str) -> bool:
        """Whether it is told of an event of that project in that environment."""
        return (
            event in self.events
            and any(matches(pattern, project) for pattern in self.projects)
            and any(matches(pattern, environment) for pattern in self.environments)
        )
