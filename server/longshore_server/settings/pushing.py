"""Which pushes to git repositories deploy what."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from longshore_bundles import BundleError, check_environment

from .sections import Section

_SCP: Final = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]*@[A-Za-z0-9._][A-Za-z0-9._-]*:[^-].*")

Forge = Literal["github", "gitlab", "gitea", "generic"]


class PushHookSettings(Section):
    """One hook: who may call it, for which ref, and what it deploys."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    forge: Forge
    secret_file: Path
    ref: str = Field(default="refs/heads/main", pattern=r"^refs/(heads|tags)/[^\s~^:?*\[\\]+$")
    source: str
    project: str = Field(min_length=1)
    environment: str = "default"
    token_file: Path | None = None

    @field_validator("source")
    @classmethod
    def _is_a_repository(cls, value: str) -> str:
        if re.search(r"[^!-~]|#", value):
            raise ValueError("must be a repository's address without a ref, spaces, or letters beyond ASCII")
        if "://" not in value and _SCP.fullmatch(value):
            return value
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("https", "ssh", "file") or not parts.path.strip("/") or parts.query:
            raise ValueError(
                "must be like https://HOST/PATH, ssh://git@HOST/PATH, git@HOST:PATH or file:///PATH"
            )
        if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
            raise ValueError("must be without credentials: give them to git, by its credential helper say")
        return value

    @field_validator("environment")
    @classmethod
    def _environment(cls, value: str) -> str:
        try:
            return check_environment(value)
        except BundleError as error:
            raise ValueError(str(error)) from None


class PushSettings(Section):
    """Where forges tell of pushes; empty: nowhere."""

    listen: str = ""
    insecure_listen: bool = False
    # Where the deployments are made; empty: on this node.
    server: str = ""
    ca_file: Path | None = None
    hooks: tuple[PushHookSettings, ...] = ()

    @field_validator("listen")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value and not (host and port.isdecimal() and int(port) < 1 << 16):
            raise ValueError(f"{value!r} is no address: write HOST:PORT, like 127.0.0.1:7430")
        return value

    @field_validator("hooks", mode="before")
    @classmethod
    def _decoded(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("must be a list; as a variable it is written as JSON") from None

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        names = [hook.name for hook in self.hooks]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"`hooks`: {', '.join(twice)}: named twice")
        if bool(self.listen) != bool(self.hooks):
            raise ValueError("`listen` and `hooks` go together")
        return self
