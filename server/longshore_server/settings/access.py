"""Who gets in: TLS, where callers come from, and what they may do."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from .sections import Section

_SYMMETRIC: Final = ("HS256", "HS384", "HS512")
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")


class TlsSettings(Section):
    """The certificate of the gRPC port, and whose certificates its clients must show."""

    cert_file: Path | None = None
    key_file: Path | None = None
    client_ca_file: Path | None = None

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("`cert_file` and `key_file` go together")
        if self.client_ca_file is not None and self.cert_file is None:
            raise ValueError("`client_ca_file` needs `cert_file` and `key_file`, too")
        return self


class IssuerSettings(Section):
    """Whose JSON Web Tokens are taken, and how they are verified."""

    issuer: str = Field(min_length=1)
    audience: str = Field(min_length=1)
    algorithms: tuple[
        Literal["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"], ...
    ] = Field(min_length=1)
    jwks_file: Path | None = None
    jwks_url: str = ""
    secret_file: Path | None = None
    ca_file: Path | None = None
    principal_claim: str = Field(default="sub", min_length=1)
    groups_claim: str = Field(default="groups", min_length=1)
    # Before the names of its principals and groups, so that two issuers cannot speak for one another's.
    prefix: str = ""
    leeway_s: float = Field(default=30, ge=0, le=300)
    keys_fresh_s: float = Field(default=300, ge=1)

    @field_validator("jwks_url")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        parts = urlsplit(value)
        safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)
        if value and not safe:
            raise ValueError("must begin with https://: whoever changes the keys on their way is let in")
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(map(bool, (self.jwks_file, self.jwks_url, self.secret_file))) != 1:
            raise ValueError("needs one of `jwks_file`, `jwks_url` and `secret_file`")
        symmetric = [algorithm in _SYMMETRIC for algorithm in self.algorithms]
        if any(symmetric) != all(symmetric) or any(symmetric) != (self.secret_file is not None):
            raise ValueError(
                f"{', '.join(_SYMMETRIC)} go with `secret_file`, the others with `jwks_file` or `jwks_url`"
            )
        return self


class AccessSettings(Section):
    """Whether callers must show who they are, how, and where it is written what they may do."""

    enabled: bool = False
    policy_file: Path | None = None
    issuers: tuple[IssuerSettings, ...] = ()
    # How soon a stream ends whose caller has lost the right to it, and a changed policy counts.
    look_again_s: float = Field(default=5, gt=0, le=60)

    @field_validator("issuers", mode="before")
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
        if not self.enabled and (self.policy_file is not None or self.issuers):
            raise ValueError("`policy_file` and `issuers` do nothing without `enabled: true`")
        names = [issuer.issuer for issuer in self.issuers]
        if len(set(names)) != len(names):
            raise ValueError("an issuer is named twice")
        for one, other in permutations((issuer.prefix for issuer in self.issuers), 2):
            # With `` and `corp:` the first could name somebody `corp:alice`.
            if other.startswith(one):
                raise ValueError(
                    "of several issuers each needs a `prefix` of its own, and none may begin with another's"
                )
        return self
