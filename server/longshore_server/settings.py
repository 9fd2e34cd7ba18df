"""A node's settings: a YAML file, ``LONGSHORE_*`` variables over it, command-line options over both.

``database.url`` in the file is ``LONGSHORE_DATABASE__URL`` in the environment, where a list is written
with commas. With nothing set a node is the embedded default: SQLite, a folder of blobs and in-process
coordination, all in ``data_dir``.
``LONGSHORE_SERVER`` is the client's only.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Mapping
from fnmatch import fnmatchcase
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from longshore_bundles import BundleError, check_environment
from longshore_server.deploying.labels import trouble_with_labels
from longshore_server.hooks import CheckSettings, HookSettings, ProjectHooks, RestartSettings, hooks_of
from longshore_storage.errors import Misconfigured
from longshore_storage.payloads import PayloadSettings

_MIB = 1 << 20
_GIB = 1 << 30
_PREFIX = "LONGSHORE_"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseSettings(_Section):
    """Where the catalogue is."""

    url: SecretStr = SecretStr("")
    pool_size: int = Field(default=10, ge=1)


class BlobSettings(_Section):
    """Where payloads are; key and secret win over those in the URL. The times count for S3 only."""

    url: SecretStr = SecretStr("")
    read_urls: tuple[SecretStr, ...] = ()
    access_key: str = ""
    secret_key: SecretStr = SecretStr("")
    # Together far below the hour after which collecting takes a put for dead.
    silence_timeout_s: float = Field(default=30, gt=0, le=600)
    retry_for_s: float = Field(default=20, ge=0, le=600)

    @field_validator("read_urls", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        # A comma also stands between the servers of one URL.
        return [url for url in re.split(r",\s*(?=[a-z0-9+]+://)", value) if url]


class CoordinationSettings(_Section):
    """How nodes find each other."""

    url: str = "local://"
    user: str = ""
    password: SecretStr = SecretStr("")
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    lease_s: int = Field(default=15, ge=2)


class NodeSettings(_Section):
    """Who this node is."""

    name: str = Field(default_factory=socket.gethostname, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    environment: str = "default"
    roles: frozenset[Literal["receive", "control", "install"]] = frozenset({"receive", "control", "install"})
    labels: dict[str, str] = Field(default_factory=dict)
    kept_releases: int = Field(default=5, ge=0)
    hooks: tuple[HookSettings, ...] = ()
    restarts: tuple[RestartSettings, ...] = ()
    checks: tuple[CheckSettings, ...] = ()

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


class UploadSettings(_Section):
    """What an upload may not exceed, and what all of a node may not exceed together."""

    max_payload_bytes: int = Field(default=64 * _GIB, ge=1)
    max_chunks: int = Field(default=4 * _MIB, ge=1)
    max_archive_entries: int = Field(default=500_000, ge=1)
    max_unpacked_bytes: int = Field(default=256 * _GIB, ge=1)
    idle_timeout_s: float = Field(default=60, gt=0)
    min_rate_bytes_s: float = Field(default=16 * 1024, ge=0)
    at_once: int = Field(default=8, ge=1)
    waiting: int = Field(default=64, ge=0)
    memory_bytes: int = 384 * _MIB
    examined_at_once: int = Field(default=4, ge=1)
    staging_bytes: int = Field(default=64 * _GIB, ge=0)
    resume_for_s: float = Field(default=86_400, ge=60)

    @field_validator("memory_bytes")
    @classmethod
    def _memory_bytes(cls, value: int) -> int:
        least = PayloadSettings.least_memory_bytes()
        if value < least:
            raise ValueError(f"must be at least {least}: so much one upload needs")
        return value


class RolloutSettings(_Section):
    """How rollouts go."""

    progress_deadline_s: float = Field(default=600, gt=0)


class ProgressSettings(_Section):
    """Who may follow, and how long what can be followed is kept whole."""

    most_followers: int = Field(default=20_000, ge=1)
    # Shorter, and followers that were away for a moment would begin again.
    events_for_s: float = Field(default=30 * 86_400, ge=3600)


class CollectingSettings(_Section):
    """When what nothing needs any more is removed from the stores."""

    every_s: float = Field(default=3600, ge=0)
    grace_s: float = Field(default=86_400, ge=0)
    keep_unnamed_s: float = Field(default=3600, ge=0)


class CompactingSettings(_Section):
    """When pack files less than half used are emptied; 0 is never."""

    every_s: float = Field(default=86_400, ge=0)


class ScrubSettings(_Section):
    """How `longshore admin scrub` reads; 0 is as fast as it goes."""

    rate_bytes_s: float = Field(default=64 * _MIB, ge=0)


class _RetentionLimits(_Section):
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


class MetricsSettings(_Section):
    """Where Prometheus reads what the node counts and measures; empty: nowhere."""

    listen: str = ""

    @field_validator("listen")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value and not (host and port.isdecimal() and int(port) < 1 << 16):
            raise ValueError(f"{value!r} is no address: write HOST:PORT, like 127.0.0.1:9420")
        return value


class LogSettings(_Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class Settings(BaseSettings):
    """All settings of a node."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        enable_decoding=False,
        extra="forbid",
        frozen=True,
        yaml_file=None,
    )

    listen: str = "127.0.0.1:7420"
    insecure_listen: bool = False
    data_dir: Path = Path("longshore-data")
    drain_timeout_s: float = Field(default=30, ge=0)
    poll_s: float = Field(default=10, gt=0)
    database: DatabaseSettings = DatabaseSettings()
    blobs: BlobSettings = BlobSettings()
    coordination: CoordinationSettings = CoordinationSettings()
    node: NodeSettings = Field(default_factory=NodeSettings)
    uploads: UploadSettings = UploadSettings()
    rollout: RolloutSettings = RolloutSettings()
    progress: ProgressSettings = ProgressSettings()
    collecting: CollectingSettings = CollectingSettings()
    compacting: CompactingSettings = CompactingSettings()
    scrub: ScrubSettings = ScrubSettings()
    retention: RetentionSettings = RetentionSettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options over variables over the file."""
        file = YamlConfigSettingsSource(settings_cls)
        return init_settings, env_settings, file

    @field_validator("data_dir")
    @classmethod
    def _data_dir(cls, value: Path) -> Path:
        if unfit := set(str(value.absolute())) & set("?#%"):
            raise ValueError(f"must not contain {' '.join(sorted(unfit))}: stores in it are named by URLs")
        return value

    @field_validator("listen")
    @classmethod
    def _listen(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise ValueError("must be HOST:PORT, like 127.0.0.1:7420; port 0 picks a free one")
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        host = self.listen.rpartition(":")[0].strip("[]")
        if not self.insecure_listen and not _is_loopback(host):
            raise ValueError(
                f"`listen` names {host}, which others can reach, and this node has neither TLS nor "
                "authentication: listen on 127.0.0.1, or set `insecure_listen: true` in a trusted network"
            )
        if self.database_url.startswith("postgresql") and self.coordination.url.startswith("local:"):
            raise ValueError(
                "`coordination.url` is local://, which goes with SQLite only: with PostgreSQL several nodes "
                "may run, so name their etcd, like etcd://host:2379/longshore"
            )
        return self

    @property
    def embedded_database(self) -> bool:
        """Whether the catalogue is SQLite, whose schema the node itself brings up to date."""
        return self.database_url.startswith("sqlite")

    @property
    def database_url(self) -> str:
        """The catalogue's URL, by default in the data folder."""
        return self.database.url.get_secret_value() or f"sqlite:///{self.data_dir.absolute()}/longshore.db"

    @property
    def blobs_url(self) -> str:
        """The blob store's URL, by default in the data folder."""
        return self.blobs.url.get_secret_value() or f"file://{self.data_dir.absolute()}/blobs"

    @property
    def blobs_read_urls(self) -> tuple[str, ...]:
        """Where payloads are read from before that, nearest first."""
        return tuple(url.get_secret_value() for url in self.blobs.read_urls)


def load_settings(config: Path | None, options: Mapping[str, Any]) -> Settings:
    """Read the settings; raises ``Misconfigured`` naming every wrong one with its file or variable."""
    if config is not None and not config.is_file():
        raise Misconfigured(f"{config}: there is no such file; `--config` names a YAML file")
    _refuse_misspelt_variables()

    class FromFile(Settings):
        model_config = SettingsConfigDict(yaml_file=config)

    try:
        return FromFile(**{key: value for key, value in options.items() if value is not None})
    except ValidationError as error:
        lines = [_line(detail, config, options) for detail in error.errors()]
        raise Misconfigured("\n".join(lines)) from None
    except Exception as error:  # what a YAML parser or a settings source raises has no common ancestor
        raise Misconfigured(f"{config or 'the environment'}: {' '.join(str(error).split())}") from None


def _refuse_misspelt_variables() -> None:
    """A variable with one underscore too few would be ignored, and the node start on something else."""
    sections = {
        name
        for name, info in Settings.model_fields.items()
        if isinstance(info.annotation, type) and issubclass(info.annotation, _Section)
    }
    for variable in os.environ:
        section, _, key = variable.removeprefix(_PREFIX).partition("_")
        # Kubernetes injects variables of this form for a service whose name begins with ours.
        injected = re.search(r"(^|_)(PORT|SERVICE_HOST|SERVICE_PORT)(_|$)", key)
        if injected or not variable.startswith(_PREFIX):
            continue
        if section.lower() in sections and key and key[0] != "_":
            raise Misconfigured(
                f"{variable}: there is no such setting; did you mean {_PREFIX}{section}__{key}?"
            )


def _line(detail: Any, config: Path | None, options: Mapping[str, Any]) -> str:
    path = [str(part) for part in detail["loc"]]
    variable = _PREFIX + "__".join(path).upper()
    message = str(detail["msg"]).removeprefix("Value error, ")
    if not path:
        return message
    if options.get(path[0]) is not None:
        place = f"--{path[0].replace('_', '-')}"
    elif any(variable.startswith(name) for name in os.environ if name.startswith(_PREFIX)):
        place = variable
    else:
        place = f"{config or 'settings'}: {'.'.join(path)}"
    return f"{place}: {message}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
