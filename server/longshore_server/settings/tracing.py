"""Where traces are sent, and how many."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from .addresses import is_loopback
from .sections import SectionWithSecrets

_OTLP_PORT: Final = 4317
_HEADER: Final = re.compile(r"(?!grpc-)[a-z0-9_.-]+(?<!-bin)=[ -~]+")


class TracingSettings(SectionWithSecrets):
    """A collector that takes OTLP over gRPC, by the name ``endpoint``; empty: nothing is traced."""

    secrets_by_file = ("headers",)

    endpoint: str = ""
    ca_file: Path | None = None
    headers: SecretStr = SecretStr("")
    headers_file: Path | None = None
    sample_ratio: float = Field(default=1, ge=0, le=1)
    service_name: str = Field(default="longshore", pattern=r"^[!-~]{1,100}$")

    @field_validator("endpoint")
    @classmethod
    def _is_an_endpoint(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if value and not (usable and value.removesuffix("/") == f"{parts.scheme}://{parts.netloc}"):
            raise ValueError(
                "must be like https://HOST:4317, or http:// without TLS: where OTLP over gRPC is taken"
            )
        if "@" in value:
            raise ValueError("must be without a user: `tracing.headers` show a collector who sends")
        return value

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, value: SecretStr) -> SecretStr:
        if not all(_HEADER.fullmatch(header) for header in _split(value)):
            raise ValueError("must be like authorization=Bearer%20TOKEN, several with commas between them")
        return value

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        parts = urlsplit(self.endpoint)
        in_the_clear = parts.scheme == "http" and not is_loopback(parts.hostname or "")
        if in_the_clear and self.headers.get_secret_value():
            raise ValueError(
                "`headers` are secret, and `endpoint` is http://, which others on the way can read: write "
                "https://"
            )
        if parts.scheme == "http" and self.ca_file is not None:
            raise ValueError("`ca_file` goes with an `endpoint` that is https://")
        return self

    @property
    def encrypted(self) -> bool:
        """Whether the connection to the collector has TLS."""
        return self.endpoint.startswith("https:")

    @property
    def target(self) -> str:
        """The collector's ``HOST:PORT``."""
        parts = urlsplit(self.endpoint)
        return parts.netloc if parts.port is not None else f"{parts.netloc}:{_OTLP_PORT}"

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The headers as names and values."""
        pairs = (header.partition("=") for header in _split(self.headers))
        return tuple((name, value) for name, _, value in pairs)


def _split(headers: SecretStr) -> list[str]:
    """Each as ``name=value``: names in lower case, values without what escapes them."""
    found = [header.strip() for header in headers.get_secret_value().split(",") if header.strip()]
    split = (header.partition("=") for header in found)
    return [f"{name.strip().lower()}{equals}{unquote(value.strip())}" for name, equals, value in split]
