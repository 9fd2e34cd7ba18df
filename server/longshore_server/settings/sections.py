"""What a section of the settings is, and those that are a few values each, with what these may be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from longshore_storage.payloads import PayloadSettings

from .secret_files import with_secrets_read

_MIB: Final = 1 << 20
_GIB: Final = 1 << 30
_SHORTEST_TRAIL_S: Final = 86_400


class Section(BaseModel):
    """What stands under one key of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SectionWithSecrets(Section):
    """A section of which some secrets may stand in files, ``KEY_file`` for ``KEY``."""

    secrets_by_file: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _read_secrets(cls, values: Any) -> Any:
        return with_secrets_read(values, cls.secrets_by_file) if isinstance(values, dict) else values


class DatabaseSettings(SectionWithSecrets):
    """Where the catalogue is; the password wins over the one in the URL."""

    secrets_by_file = ("password",)

    url: SecretStr = SecretStr("")
    password: SecretStr = SecretStr("")
    password_file: Path | None = None
    pool_size: int = Field(default=10, ge=1)


class BlobSettings(SectionWithSecrets):
    """Where payloads are; key and secret win over those in the URL. The times count for S3 only."""

    secrets_by_file = ("secret_key",)

    url: SecretStr = SecretStr("")
    read_urls: tuple[SecretStr, ...] = ()
    access_key: str = ""
    secret_key: SecretStr = SecretStr("")
    secret_key_file: Path | None = None
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


class CoordinationSettings(SectionWithSecrets):
    """How nodes find each other."""

    secrets_by_file = ("password",)

    url: str = "local://"
    user: str = ""
    password: SecretStr = SecretStr("")
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    lease_s: int = Field(default=15, ge=2)


class UploadSettings(Section):
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


class RolloutSettings(Section):
    """How rollouts go."""

    progress_deadline_s: float = Field(default=600, gt=0)


class ProgressSettings(Section):
    """Who may follow, and how long what can be followed is kept whole."""

    most_followers: int = Field(default=20_000, ge=1)
    # Shorter, and followers that were away for a moment would begin again.
    events_for_s: float = Field(default=30 * 86_400, ge=3600)


class CollectingSettings(Section):
    """When what nothing needs any more is removed from the stores."""

    every_s: float = Field(default=3600, ge=0)
    grace_s: float = Field(default=86_400, ge=0)
    keep_unnamed_s: float = Field(default=3600, ge=0)


class CompactingSettings(Section):
    """When pack files less than half used are emptied; 0 is never."""

    every_s: float = Field(default=86_400, ge=0)


class AuditSettings(Section):
    """How often the audit trail is sealed, 0 is never, and how long entries are kept, 0 is for ever."""

    seal_every_s: float = Field(default=60, ge=0)
    keep_for_s: float = Field(default=0, ge=0)

    @field_validator("keep_for_s")
    @classmethod
    def _keep_for_s(cls, value: float) -> float:
        # A slip of the pen must not empty the trail.
        if 0 < value < _SHORTEST_TRAIL_S:
            raise ValueError(f"must be 0, which is for ever, or {_SHORTEST_TRAIL_S} (a day) and more")
        return value


class ScrubSettings(Section):
    """How `longshore admin scrub` reads; 0 is as fast as it goes."""

    rate_bytes_s: float = Field(default=64 * _MIB, ge=0)


class MetricsSettings(Section):
    """Where Prometheus reads what the node counts and measures; empty: nowhere."""

    listen: str = ""

    @field_validator("listen")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value and not (host and port.isdecimal() and int(port) < 1 << 16):
            raise ValueError(f"{value!r} is no address: write HOST:PORT, like 127.0.0.1:9420")
        return value


class LogSettings(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
