"""The same client for callers without an event loop: every method waits, every iterator is an ordinary one.

Callbacks are called in the client's own thread: they must be quick and must not call the client.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Self

from .addresses import DEFAULT_SERVER
from .catalog_models import (
    AuditEntry,
    Lock,
    PayloadDeletion,
    Project,
    ProjectOverview,
    Release,
    ServerInfo,
)
from .client import Client
from .decisions import DEFAULT_ENVIRONMENT
from .event_thread import EventThread, each_in_thread
from .events import Event, Snapshot
from .following import BreakCallback
from .models import (
    Activation,
    Deployment,
    DeploymentStatus,
    Finding,
    PayloadFormat,
    Validation,
    VersionBump,
)
from .policy import DEFAULT_POLICY, CallPolicy
from .sync_decisions import SyncDecisions
from .sync_nodes import SyncNodes
from .terms import ANY_TERMS, Terms
from .upload_progress import ProgressCallback, Way

if TYPE_CHECKING:
    from .downloading import Download, DownloadCallback


class SyncClient(SyncDecisions, SyncNodes):
    """``Client`` in a ``with`` block, or opened at once and closed by ``close``; usable by many threads.

    Ctrl-C cancels the call that is waited for, cleans up behind it, and is raised as ``KeyboardInterrupt``.
    """

    def __init__(self, server: str = DEFAULT_SERVER, *, policy: CallPolicy = DEFAULT_POLICY) -> None:
        self._client = Client(server, policy=policy)
        self._thread = EventThread()
        self._thread.run(self._client.__aenter__())
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every call that is still open, the connection and the thread. Idempotent."""
        if not self._closed:
            self._closed = True
            self._thread.run(self._client.__aexit__(None, None, None))
            self._thread.close()

    def deploy(
        self,
        source: str | Path | Iterable[bytes],
        *,
        project: str | None = None,
        environment: str = DEFAULT_ENVIRONMENT,
        version: str | None = None,
        bump: VersionBump | None = None,
        deployment_id: str | None = None,
        payload_format: PayloadFormat = PayloadFormat.UNKNOWN,
        file_name: str | None = None,
        sha256: str | None = None,
        size_bytes: int | None = None,
        terms: Terms = ANY_TERMS,
        way: Way = Way.THRIFTY,
        on_progress: ProgressCallback | None = None,
    ) -> Deployment:
        """See ``Client.deploy``; ``source`` may be any iterable of bytes."""
        return self._thread.run(
            self._client.deploy(
                source if isinstance(source, str | Path) else each_in_thread(source),
                project=project,
                environment=environment,
                version=version,
                bump=bump,
                deployment_id=deployment_id,
                payload_format=payload_format,
                file_name=file_name,
                sha256=sha256,
                size_bytes=size_bytes,
                terms=terms,
                way=way,
                on_progress=on_progress,
            )
        )

    def validate(
        self,
        source: str | Path | Iterable[bytes],
        *,
        project: str | None = None,
        environment: str = DEFAULT_ENVIRONMENT,
        version: str | None = None,
        bump: VersionBump | None = None,
        payload_format: PayloadFormat = PayloadFormat.UNKNOWN,
        file_name: str | None = None,
        sha256: str | None = None,
        size_bytes: int | None = None,
        terms: Terms = ANY_TERMS,
        way: Way = Way.THRIFTY,
        on_progress: ProgressCallback | None = None,
    ) -> Validation:
        """See ``Client.validate``; ``source`` may be any iterable of bytes."""
        return self._thread.run(
            self._client.validate(
                source if isinstance(source, str | Path) else each_in_thread(source),
                project=project,
                environment=environment,
                version=version,
                bump=bump,
                payload_format=payload_format,
                file_name=file_name,
                sha256=sha256,
                size_bytes=size_bytes,
                terms=terms,
                way=way,
                on_progress=on_progress,
            )
        )

    def follow(
        self,
        deployment_id: str,
        *,
        after: int = 0,
        wait_for_creation_s: float = 0.0,
        until_waiting: bool = False,
        patience_s: float | None = None,
        on_break: BreakCallback | None = None,
    ) -> Generator[Event | Snapshot, None, None]:
        """See ``Client.follow``."""
        return self._thread.iterate(
            self._client.follow(
                deployment_id,
                after=after,
                wait_for_creation_s=wait_for_creation_s,
                until_waiting=until_waiting,
                patience_s=patience_s,
                on_break=on_break,
            )
        )

    def wait(self, deployment_id: str) -> Deployment:
        """See ``Client.wait``."""
        return self._thread.run(self._client.wait(deployment_id))

    def download(
        self,
        project: str,
        version: str,
        destination: str | Path = ".",
        *,
        overwrite: bool = False,
        on_progress: DownloadCallback | None = None,
    ) -> Download:
        """See ``Client.download``."""
        return self._thread.run(
            self._client.download(project, version, destination, overwrite=overwrite, on_progress=on_progress)
        )

    def read_payload(self, project: str, version: str) -> Generator[bytes, None, None]:
        """See ``Client.read_payload``."""
        return self._thread.iterate(self._client.read_payload(project, version))

    def delete_payload(self, project: str, version: str, *, force: bool = False) -> PayloadDeletion:
        """See ``Client.delete_payload``."""
        return self._thread.run(self._client.delete_payload(project, version, force=force))

    def get(self, deployment_id: str) -> Deployment:
        """See ``Client.get``."""
        return self._thread.run(self._client.get(deployment_id))

    def list(
        self,
        *,
        project: str | None = None,
        environment: str | None = None,
        statuses: Iterable[DeploymentStatus] = (),
        version: str | None = None,
        deployed_by: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        labels: Mapping[str, str] = MappingProxyType({}),
        limit: int | None = None,
    ) -> Generator[Deployment, None, None]:
        """See ``Client.list``."""
        return self._thread.iterate(
            self._client.list(
                project=project,
                environment=environment,
                statuses=statuses,
                version=version,
                deployed_by=deployed_by,
                since=since,
                until=until,
                labels=labels,
                limit=limit,
            )
        )

    def watch_deployments(
        self,
        *,
        project: str | None = None,
        environment: str | None = None,
        statuses: Iterable[DeploymentStatus] = (),
        version: str | None = None,
        deployed_by: str | None = None,
        labels: Mapping[str, str] = MappingProxyType({}),
        begin_with: int = 50,
        patience_s: float | None = None,
        on_break: BreakCallback | None = None,
    ) -> Generator[Deployment, None, None]:
        """See ``Client.watch_deployments``."""
        return self._thread.iterate(
            self._client.watch_deployments(
                project=project,
                environment=environment,
                statuses=statuses,
                version=version,
                deployed_by=deployed_by,
                labels=labels,
                begin_with=begin_with,
                patience_s=patience_s,
                on_break=on_break,
            )
        )

    def activations(
        self, deployment_id: str, *, limit: int | None = None
    ) -> Generator[Activation, None, None]:
        """See ``Client.activations``."""
        return self._thread.iterate(self._client.activations(deployment_id, limit=limit))

    def findings(self, deployment_id: str, *, limit: int | None = None) -> Generator[Finding, None, None]:
        """See ``Client.findings``."""
        return self._thread.iterate(self._client.findings(deployment_id, limit=limit))

    def projects(self, *, limit: int | None = None) -> Generator[Project, None, None]:
        """See ``Client.projects``."""
        return self._thread.iterate(self._client.projects(limit=limit))

    def project(self, project: str) -> ProjectOverview:
        """See ``Client.project``."""
        return self._thread.run(self._client.project(project))

    def releases(self, project: str, *, limit: int | None = None) -> Generator[Release, None, None]:
        """See ``Client.releases``."""
        return self._thread.iterate(self._client.releases(project, limit=limit))

    def release(self, project: str, version: str) -> Release:
        """See ``Client.release``."""
        return self._thread.run(self._client.release(project, version))

    def audit(
        self,
        *,
        project: str | None = None,
        environment: str | None = None,
        deployment_id: str | None = None,
        principal: str | None = None,
        to_status: DeploymentStatus | None = None,
        limit: int | None = None,
    ) -> Generator[AuditEntry, None, None]:
        """See ``Client.audit``."""
        return self._thread.iterate(
            self._client.audit(
                project=project,
                environment=environment,
                deployment_id=deployment_id,
                principal=principal,
                to_status=to_status,
                limit=limit,
            )
        )

    def locks(self, *, limit: int | None = None) -> Generator[Lock, None, None]:
        """See ``Client.locks``."""
        return self._thread.iterate(self._client.locks(limit=limit))

    def server_info(self) -> ServerInfo:
        """See ``Client.server_info``."""
        return self._thread.run(self._client.server_info())
