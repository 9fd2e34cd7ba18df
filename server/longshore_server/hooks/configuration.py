"""What a node's own settings run around a switch: hooks, restarts and health checks; nothing of a payload.

These are the settings' own sections, ``node.hooks``, ``node.restarts`` and ``node.checks``, because what a
person writes there is exactly what is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED: Final = "LONGSHORE_"
_LONGEST_S: Final = 86_400


def _listed(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError("must be a list, like [systemctl, reload, web]: it is run without a shell")
    return value


def _runnable(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or not value[0]:
        raise ValueError("must name a program, with its arguments, like [systemctl, reload, web]")
    if any("\0" in argument for argument in value):
        raise ValueError("an argument contains NUL, which no program can be given")
    return value


def _variables(value: dict[str, str]) -> dict[str, str]:
    for name, content in value.items():
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a variable")
        if name.startswith(_RESERVED):
            raise ValueError(f"{name} is not to be set: names with {_RESERVED} are the node's own")
        if "\0" in content:
            raise ValueError(f"{name} contains NUL, which no variable can")
    return value


def _web_address(value: str) -> str:
    try:
        url = urlsplit(value)
        sound = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:
        sound = False
    if not sound or url.username is not None or re.search(r"[\x00-\x20\x7f-\U0010ffff]", value):
        raise ValueError("must be like http://127.0.0.1:8080/healthz")
    return value


def _host_and_port(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("must be HOST:PORT, like 127.0.0.1:5432")
    return value


Command = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_runnable)]
Environment = Annotated[dict[str, str], AfterValidator(_variables)]
Seconds = Annotated[float, Field(gt=0, le=_LONGEST_S)]


class _ForProjects(BaseModel):
    # A port or a number of seconds in a command is meant as text.
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    project: str = Field(default="*", min_length=1)
    name: str = Field(default="", max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")

    def fits(self, project: str) -> bool:
        """Whether it is for a project; ``*`` and ``?`` stand for other characters."""
        return fnmatchcase(project, self.project)


class HookSettings(_ForProjects):
    """A command that is run before or after the switch."""

    when: Literal["before_switch", "after_switch"]
    command: Command
    timeout_s: Seconds = 60
    environment: Environment = Field(default_factory=dict)

    @property
    def title(self) -> str:
        """What it is called in events and errors."""
        return self.name or PurePath(self.command[0]).name


class RestartSettings(_ForProjects):
    """How the software of some projects is started again after the switch; the first one that fits counts."""

    restart: Literal["none", "immediate"]
    command: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    timeout_s: Seconds = 60
    environment: Environment = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_a_command(self) -> Self:
        if self.restart == "immediate":
            _runnable(self.command)
        elif self.command:
            raise ValueError("`restart: none` runs nothing, so it has no `command`")
        return self

    @property
    def title(self) -> str:
        """What it is called in events and errors."""
        return self.name or "restart"


class _Check(_ForProjects):
    interval_s: Seconds = 1
    timeout_s: Seconds = 5
    min_healthy_time_s: float = Field(default=10, ge=0, le=_LONGEST_S)
    healthy_deadline_s: Seconds = 300

    @model_validator(mode="after")
    def _may_succeed(self) -> Self:
        if self.min_healthy_time_s >= self.healthy_deadline_s:
            raise ValueError(
                "`healthy_deadline_s` must be above `min_healthy_time_s`, or the check can never succeed"
            )
        return self


class CommandCheck(_Check):
    """Healthy while a command ends with 0."""

    kind: Literal["command"]
    target: Command
    environment: Environment = Field(default_factory=dict)

    @property
    def title(self) -> str:
        """What it is called in events and errors."""
        return self.name or PurePath(self.target[0]).name


class HttpCheck(_Check):
    """Healthy while a GET is answered with a 2xx."""

    kind: Literal["http"]
    target: Annotated[str, AfterValidator(_web_address)]

    @property
    def title(self) -> str:
        """What it is called in events and errors: without its query, which may hold a secret."""
        return self.name or self.target.partition("?")[0]


class TcpCheck(_Check):
    """Healthy while a connection is accepted."""

    kind: Literal["tcp"]
    target: Annotated[str, AfterValidator(_host_and_port)]

    @property
    def title(self) -> str:
        """What it is called in events and errors."""
        return self.name or self.target


CheckSettings = Annotated[CommandCheck | HttpCheck | TcpCheck, Field(discriminator="kind")]


class BundleTestSettings(BaseModel):
    """Whether the tests that releases bring along are run before the switch, and how long at most."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: bool = False
    timeout_s: Seconds = 300


@dataclass(frozen=True, slots=True)
class ProjectHooks:
    """What is run around a switch of one project, each in the order of the settings."""

    before: tuple[HookSettings, ...] = ()
    restart: RestartSettings | None = None
    after: tuple[HookSettings, ...] = ()
    checks: tuple[CommandCheck | HttpCheck | TcpCheck, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.before or self.restart or self.after or self.checks)


def hooks_of(
    project: str,
    *,
    hooks: Iterable[HookSettings],
    restarts: Iterable[RestartSettings],
    checks: Iterable[CommandCheck | HttpCheck | TcpCheck],
) -> ProjectHooks:
    """Choose what is for a project: every hook and check that fits, and the first restart."""
    fitting = [hook for hook in hooks if hook.fits(project)]
    restart = next((restart for restart in restarts if restart.fits(project)), None)
    return ProjectHooks(
        before=tuple(hook for hook in fitting if hook.when == "before_switch"),
        restart=restart if restart is not None and restart.restart == "immediate" else None,
        after=tuple(hook for hook in fitting if hook.when == "after_switch"),
        checks=tuple(check for check in checks if check.fits(project)),
    )
