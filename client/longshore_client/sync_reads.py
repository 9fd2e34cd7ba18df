"""``reads`` for callers without an event loop."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

from .catalog_models import AuditEntry, Environment, Lock, Project, ProjectOverview, Release, ServerInfo
from .client import Client
from .event_thread import EventThread
from .following import BreakCallback
from .models import Activation, Deployment, DeploymentStatus, Finding


class SyncReads:
    """Waits for what ``Reads`` does."""

    _client: Client
    _thread: EventThread

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

    def count_findings(self, deployment_id: str) -> int:
        """See ``Client.count_findings``."""
        return self._thread.run(self._client.count_findings(deployment_id))

    def projects(self, *, limit: int | None = None) -> Generator[Project, None, None]:
        """See ``Client.projects``."""
        return self._thread.iterate(self._client.projects(limit=limit))

    def project(self, project: str) -> ProjectOverview:
        """See ``Client.project``."""
        return self._thread.run(self._client.project(project))

    def environment(self, name: str = "default") -> Environment:
        """See ``Client.environment``."""
        return self._thread.run(self._client.environment(name))

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
