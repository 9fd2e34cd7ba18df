"""All settings of a node together: where they come from, and what does not fit together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from .access import AccessSettings, TlsSettings
from .addresses import is_loopback
from .node import NodeSettings
from .notifications import ReceiverSettings
from .pushing import PushSettings
from .quotas import QuotaSettings
from .retention import RetentionSettings
from .sections import (
    AuditSettings,
    BlobSettings,
    CollectingSettings,
    CompactingSettings,
    CoordinationSettings,
    DatabaseSettings,
    LogSettings,
    MetricsSettings,
    ProgressSettings,
    RolloutSettings,
    ScrubSettings,
    UploadSettings,
)
from .tracing import TracingSettings

PREFIX: Final = "LONGSHORE_"
_OF_COMMANDS: Final = "longshore_tls"


class Settings(BaseSettings):
    """All settings of a node."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
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
    tls: TlsSettings = TlsSettings()
    access: AccessSettings = AccessSettings()
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
    quotas: QuotaSettings = QuotaSettings()
    notifications: tuple[ReceiverSettings, ...] = ()
    push: PushSettings = PushSettings()
    audit: AuditSettings = AuditSettings()
    metrics: MetricsSettings = MetricsSettings()
    tracing: TracingSettings = TracingSettings()
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
        if isinstance(env_settings, EnvSettingsSource):
            # Commands have a variable of this name; a node's settings of TLS are those below it.
            variables = env_settings.env_vars
            env_settings.env_vars = {name: variables[name] for name in variables if name != _OF_COMMANDS}
        return init_settings, env_settings, file

    @field_validator("notifications", mode="before")
    @classmethod
    def _decoded(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("must be a list; as a variable it is written as JSON") from None

    @field_validator("notifications")
    @classmethod
    def _named_once(cls, value: tuple[ReceiverSettings, ...]) -> tuple[ReceiverSettings, ...]:
        names = [receiver.name for receiver in value]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)}: named twice")
        return value

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
        safe = self.tls.cert_file is not None and self.access.enabled
        if not safe and not self.insecure_listen and not is_loopback(host):
            missing = [
                name
                for name, there in (("`tls`", self.tls.cert_file), ("`access`", self.access.enabled))
                if not there
            ]
            raise ValueError(
                f"`listen` names {host}, which others can reach, without {' and '.join(missing)}: set "
                "`tls.cert_file`, `tls.key_file` and `access.enabled`, listen on 127.0.0.1, or set "
                "`insecure_listen: true` in a trusted network"
            )
        if self.database.password.get_secret_value() and "@" not in self.database.url.get_secret_value():
            raise ValueError(
                "`database.password` goes with a `database.url` that names its user, like "
                "postgresql://longshore@postgres.example/longshore"
            )
        self._check_push()
        if self.database_url.startswith("postgresql") and self.coordination.url.startswith("local:"):
            raise ValueError(
                "`coordination.url` is local://, which goes with SQLite only: with PostgreSQL several nodes "
                "may run, so name their etcd, like etcd://host:2379/longshore"
            )
        return self

    def _check_push(self) -> None:
        push = self.push
        host = push.listen.rpartition(":")[0].strip("[]")
        if push.listen and not (self.tls.cert_file or push.insecure_listen or is_loopback(host)):
            raise ValueError(
                f"`push.listen` names {host}, which others can reach, without `tls`: set `tls.cert_file` and "
                "`tls.key_file`, listen on 127.0.0.1 behind something that has TLS, or set "
                "`push.insecure_listen: true` in a trusted network"
            )
        if self.access.enabled and (lacking := [hook.name for hook in push.hooks if not hook.token_file]):
            raise ValueError(
                f"`push.hooks`: {', '.join(lacking)} needs a `token_file`, because `access` is "
                "enabled: make a token by `longshore admin token create`"
            )

    @property
    def embedded_database(self) -> bool:
        """Whether the catalogue is SQLite, whose schema the node itself brings up to date."""
        return self.database_url.startswith("sqlite")

    @property
    def database_url(self) -> str:
        """The catalogue's URL with its password, by default in the data folder."""
        url = self.database.url.get_secret_value() or f"sqlite:///{self.data_dir.absolute()}/longshore.db"
        return _with_password(url, self.database.password.get_secret_value())

    @property
    def blobs_url(self) -> str:
        """The blob store's URL, by default in the data folder."""
        return self.blobs.url.get_secret_value() or f"file://{self.data_dir.absolute()}/blobs"

    @property
    def blobs_read_urls(self) -> tuple[str, ...]:
        """Where payloads are read from before that, nearest first."""
        return tuple(url.get_secret_value() for url in self.blobs.read_urls)


def _with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    if not password or "@" not in parts.netloc:
        return url
    login, _, place = parts.netloc.rpartition("@")
    user = login.partition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{place}"))
