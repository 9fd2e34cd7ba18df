"""What callers ask for, checked: the header of an upload, and what concerns deployments without bytes.

Each has a digest over everything that makes two calls the same, so that a deployment id means one thing.
Raises ``Refusal`` with the field that is wrong.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from uuid import UUID

from longshore_bundles import (
    Bump,
    BundleError,
    case_folded,
    check_environment,
    check_file_name,
    check_project,
    check_version,
)
from longshore_server.refusal import invalid
from longshore_storage.catalogue.lifecycle import QueuePolicy
from longshore_storage.catalogue.rows import Actor

from .sources import Source
from .terms import Terms

DEFAULT_ENVIRONMENT = "default"
_LONGEST_REASON_BYTES = 500
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Header:
    """What is uploaded where. ``version`` and ``bump`` are never both set; empty means not given.

    ``bundle_kind`` is SKILL, PACK or COMPONENT, ``install_method`` MANUAL, API, CLI or AUTO.
    """

    deployment_id: str
    session_id: str
    attempt: int
    project: str
    environment: str
    payload_format: str
    file_name: str
    version: str
    bump: Bump | None
    payload_size_bytes: int | None
    payload_sha256: str
    terms: Terms = field(default_factory=Terms)
    validate_only: bool = False
    skip_validation: bool = False
    skip_tests: bool = False
    bundle_kind: str = ""
    source: Source | None = None
    install_method: str = ""

    def checked(self) -> Header:
        """The header with defaults filled in and every field looked at."""
        deployment_id = check_uuid("header.deployment_id", self.deployment_id)
        if self.attempt < 0:
            raise invalid("header.attempt", "must be 1 or more")
        if self.payload_size_bytes is not None and self.payload_size_bytes < 0:
            raise invalid("header.payload_size_bytes", "must not be negative")
        check_sha256("header.payload_sha256", self.payload_sha256)
        if self.payload_format == "FILE" and not self.file_name:
            raise invalid(
                "header.file_name", "is required for PAYLOAD_FORMAT_FILE: the name to install it under"
            )
        if self.file_name:
            _check("header.file_name", check_file_name, self.file_name)
        if self.version:
            _check("header.version", check_version, self.version)
        return Header(
            deployment_id=deployment_id,
            session_id=check_uuid("header.session_id", self.session_id) if self.session_id else deployment_id,
            attempt=self.attempt or 1,
            project=_check("header.project", check_project, self.project),
            environment=check_environment_name("header.environment", self.environment),
            payload_format=self.payload_format,
            file_name=self.file_name,
            version=self.version,
            bump=self.bump,
            payload_size_bytes=self.payload_size_bytes,
            payload_sha256=self.payload_sha256.lower(),
            terms=self.terms.checked("header."),
            validate_only=self.validate_only,
            skip_validation=self.skip_validation,
            skip_tests=self.skip_tests,
            bundle_kind=self.bundle_kind,
            source=self.source.checked("header.source") if self.source is not None else None,
            install_method=self.install_method,
        )

    def digest(self, actor: Actor) -> str:
        """Of every field but session and attempt, and of the caller."""
        fields = asdict(self)
        del fields["session_id"], fields["attempt"]
        return _digest("Deploy", actor, fields)


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """An existing release into an environment."""

    deployment_id: str
    project: str
    environment: str
    version: str
    terms: Terms = field(default_factory=Terms)

    def checked(self) -> ReleaseRequest:
        """The request with defaults filled in and every field looked at."""
        return ReleaseRequest(
            deployment_id=check_uuid("deployment_id", self.deployment_id),
            project=_check("project", check_project, self.project),
            environment=check_environment_name("environment", self.environment),
            version=_check("version", check_version, self.version),
            terms=self.terms.checked(),
        )

    def digest(self, actor: Actor) -> str:
        """Of every field, and of the caller."""
        return _digest("DeployRelease", actor, asdict(self))


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """Back to a version, to the release of a deployment, or (both empty) to the previous one."""

    deployment_id: str
    project: str
    environment: str
    version: str
    target_deployment_id: str
    terms: Terms = field(default_factory=lambda: Terms(queue_policy=QueuePolicy.SUPERSEDE))

    def checked(self) -> RollbackRequest:
        """The request with defaults filled in and every field looked at."""
        target = self.target_deployment_id
        return RollbackRequest(
            deployment_id=check_uuid("deployment_id", self.deployment_id),
            project=_check("project", check_project, self.project),
            environment=check_environment_name("environment", self.environment),
            version=_check("version", check_version, self.version) if self.version else "",
            target_deployment_id=check_uuid("target_deployment_id", target) if target else "",
            terms=self.terms.checked(),
        )

    def digest(self, actor: Actor) -> str:
        """Of every field, and of the caller."""
        return _digest("Rollback", actor, asdict(self))


@dataclass(frozen=True, slots=True)
class UndeployRequest:
    """A project off the nodes of an environment."""

    deployment_id: str
    project: str
    environment: str
    terms: Terms = field(default_factory=Terms)

    def checked(self) -> UndeployRequest:
        """The request with defaults filled in and every field looked at."""
        return UndeployRequest(
            deployment_id=check_uuid("deployment_id", self.deployment_id),
            project=_check("project", check_project, self.project),
            environment=check_environment_name("environment", self.environment),
            terms=self.terms.checked(),
        )

    def digest(self, actor: Actor) -> str:
        """Of every field, and of the caller."""
        return _digest("Undeploy", actor, asdict(self))


@dataclass(frozen=True, slots=True)
class RetryRequest:
    """A deployment that is tried again, as a new one."""

    deployment_id: str
    retry_of: str
    terms: Terms = field(default_factory=Terms)

    def checked(self) -> RetryRequest:
        """The request with every field looked at."""
        return RetryRequest(
            deployment_id=check_uuid("deployment_id", self.deployment_id),
            retry_of=check_uuid("retry_of", self.retry_of),
            terms=self.terms.checked(),
        )

    def digest(self, actor: Actor) -> str:
        """Of every field, and of the caller."""
        return _digest("RetryDeployment", actor, asdict(self))


@dataclass(frozen=True, slots=True)
class PromoteRequest:
    """A deployment and the gate that it may pass."""

    deployment_id: str
    gate_id: str

    def checked(self) -> PromoteRequest:
        """The request with every field looked at."""
        return PromoteRequest(
            check_uuid("deployment_id", self.deployment_id), check_uuid("gate_id", self.gate_id)
        )


@dataclass(frozen=True, slots=True)
class PauseRequest:
    """A rollout to pause, and why, for people."""

    deployment_id: str
    reason: str

    def checked(self) -> PauseRequest:
        """The request with every field looked at."""
        check_reason("reason", self.reason)
        return PauseRequest(check_uuid("deployment_id", self.deployment_id), self.reason)


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """A deployment to cancel, and why, for people."""

    deployment_id: str
    reason: str

    def checked(self) -> CancelRequest:
        """The request with every field looked at."""
        check_reason("reason", self.reason)
        return CancelRequest(check_uuid("deployment_id", self.deployment_id), self.reason)


def check_reason(field_name: str, reason: str) -> None:
    """Raise ``Refusal`` for a reason that is no line for people."""
    if len(reason.encode()) > _LONGEST_REASON_BYTES:
        raise invalid(field_name, f"must be at most {_LONGEST_REASON_BYTES} bytes of UTF-8")
    if not reason.isprintable():
        raise invalid(field_name, "must be one line without control characters")


def check_sha256(field_name: str, value: str) -> None:
    """Raise ``Refusal`` for what is neither empty nor a sha256."""
    if value and not _SHA256.fullmatch(value):
        raise invalid(field_name, "must be 64 hexadecimal digits")


def check_deployment_id(value: str) -> str:
    """A deployment id as rows have it; raises ``Refusal`` when it is none."""
    return check_uuid("deployment_id", value)


def check_session_id(value: str) -> str:
    """A session id as rows have it; raises ``Refusal`` when it is none."""
    return check_uuid("session_id", value)


def version_key(value: str) -> str:
    """What a release is found by; raises ``Refusal`` when ``value`` is no version."""
    return case_folded(_check("version", check_version, value))


def check_place(prefix: str, project: str, environment: str) -> tuple[str, str]:
    """A project and an environment as rows have them; raises ``Refusal`` for what can be none."""
    return (
        _check(f"{prefix}project", check_project, project),
        _check(f"{prefix}environment", check_environment, environment),
    )


def check_project_name(name: str, value: str) -> str:
    """A project as rows have it; raises ``Refusal`` for what can be none."""
    return _check(name, check_project, value)


def check_environment_name(name: str, value: str) -> str:
    """An environment as rows have it; raises ``Refusal`` for what can be none."""
    return _check(name, check_environment, value or DEFAULT_ENVIRONMENT)


def check_release_name(project: str, version: str) -> tuple[str, str]:
    """A release's project and version as rows have them; raises ``Refusal`` for what can be none."""
    return check_project_name("project", project), _check("version", check_version, version)


def check_uuid(name: str, value: str) -> str:
    """An id that a client makes, as rows have it; raises ``Refusal`` for what can be none."""
    if not value:
        raise invalid(name, "is required: a UUID")
    try:
        return str(UUID(value))
    except ValueError:
        raise invalid(name, f"{value[:64]!r} is no UUID") from None


def _check(name: str, rule: Callable[[str], str], value: str) -> str:
    if not value:
        raise invalid(name, "is required")
    try:
        return rule(value)
    except BundleError as error:
        raise invalid(name, error.message) from None


def _digest(rpc: str, actor: Actor, fields: dict[str, object]) -> str:
    text = json.dumps([rpc, actor.principal, fields], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
