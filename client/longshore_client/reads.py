"""The calls that only read: deployments, projects, releases, locks, the audit trail."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

from longshore.v1 import catalog_service_pb2, cluster_service_pb2, deployment_service_pb2

from . import catalog_conversion, conversion
from .catalog_models import AuditEntry, Environment, Lock, Project, ProjectOverview, Release, ServerInfo
from .connection import Connection
from .following import BreakCallback
from .message_fields import timestamp
from .models import Activation, Deployment, DeploymentStatus, Finding
from .paging import items_of_pages
from .watching import watch


class Reads(ABC):
    """What can be asked without changing anything. Iterators read page by page, ``limit`` items at most.

    Filters left None match everything. Every method raises ``LongshoreError``.
    """

    @property
    @abstractmethod
    def _connection(self) -> Connection:
        """The open connection."""

    async def get(self, deployment_id: str) -> Deployment:
        """One deployment. Raises ``DeploymentNotFound``."""
        answer = await self._connection.unary(
            lambda server: server.deployments.GetDeployment,
            deployment_service_pb2.GetDeploymentRequest(deployment_id=deployment_id),
        )
        return conversion.deployment(answer.deployment)

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
    ) -> AsyncGenerator[Deployment, None]:
        """Deployments, newest first, of those accepted from ``since`` on and before ``until``."""
        numbers = [conversion.status_number(status) for status in statuses]

        async def read_page(size: int, token: str) -> tuple[Iterable[Deployment], str]:
            answer = await self._connection.unary(
                lambda server: server.deployments.ListDeployments,
                deployment_service_pb2.ListDeploymentsRequest(
                    project=project or "",
                    environment=environment or "",
                    statuses=numbers,
                    version=version or "",
                    deployed_by=deployed_by or "",
                    since_time=timestamp(since),
                    until_time=timestamp(until),
                    labels=labels,
                    page_size=size,
                    page_token=token,
                ),
            )
            return map(conversion.deployment, answer.deployments), answer.next_page_token

        return items_of_pages(read_page, limit)

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
    ) -> AsyncGenerator[Deployment, None]:
        """Deployments as they change, for ever: the newest ``begin_with`` (1 to 500) first, then each change.

        Of changes close together only the last is told. It connects again by itself after a break, which
        ``on_break`` is told, at whichever server answers, until nothing was heard for ``patience_s``.
        """
        request = deployment_service_pb2.WatchDeploymentsRequest(
            project=project or "",
            environment=environment or "",
            statuses=[conversion.status_number(status) for status in statuses],
            version=version or "",
            deployed_by=deployed_by or "",
            labels=labels,
            page_size=begin_with,
        )
        connection = self._connection
        patience_s = connection.policy.patience_s if patience_s is None else patience_s
        return watch(connection, request, patience_s=patience_s, on_break=on_break)

    def activations(
        self, deployment_id: str, *, limit: int | None = None
    ) -> AsyncGenerator[Activation, None]:
        """What each node did for one deployment, by node name."""

        async def read_page(size: int, token: str) -> tuple[Iterable[Activation], str]:
            answer = await self._connection.unary(
                lambda server: server.deployments.ListActivations,
                deployment_service_pb2.ListActivationsRequest(
                    deployment_id=deployment_id, page_size=size, page_token=token
                ),
            )
            return map(conversion.activation, answer.activations), answer.next_page_token

        return items_of_pages(read_page, limit)

    def findings(self, deployment_id: str, *, limit: int | None = None) -> AsyncGenerator[Finding, None]:
        """What was found in a deployment's payload, errors first; the server keeps the first 1,000."""

        async def read_page(size: int, token: str) -> tuple[Iterable[Finding], str]:
            answer = await self._connection.unary(
                lambda server: server.deployments.ListFindings,
                deployment_service_pb2.ListFindingsRequest(
                    deployment_id=deployment_id, page_size=size, page_token=token
                ),
            )
            return map(conversion.finding, answer.findings), answer.next_page_token

        return items_of_pages(read_page, limit)

    async def count_findings(self, deployment_id: str) -> int:
        """How many there were in a deployment's payload, also beyond those that the server keeps."""
        answer = await self._connection.unary(
            lambda server: server.deployments.ListFindings,
            deployment_service_pb2.ListFindingsRequest(deployment_id=deployment_id, page_size=1),
        )
        return answer.total_findings

    def projects(self, *, limit: int | None = None) -> AsyncGenerator[Project, None]:
        """Projects, by name."""

        async def read_page(size: int, token: str) -> tuple[Iterable[Project], str]:
            answer = await self._connection.unary(
                lambda server: server.catalog.ListProjects,
                catalog_service_pb2.ListProjectsRequest(page_size=size, page_token=token),
            )
            return map(catalog_conversion.project, answer.projects), answer.next_page_token

        return items_of_pages(read_page, limit)

    async def project(self, project: str) -> ProjectOverview:
        """One project and what it has live in each environment. Raises ``ProjectNotFound``."""
        answer = await self._connection.unary(
            lambda server: server.catalog.GetProject, catalog_service_pb2.GetProjectRequest(project=project)
        )
        return catalog_conversion.project_overview(answer)

    async def environment(self, name: str = "default") -> Environment:
        """What is set for an environment as a whole. Raises ``EnvironmentNotFound``."""
        answer = await self._connection.unary(
            lambda server: server.catalog.GetEnvironment,
            catalog_service_pb2.GetEnvironmentRequest(environment=name),
        )
        return catalog_conversion.environment(answer.environment)

    def releases(self, project: str, *, limit: int | None = None) -> AsyncGenerator[Release, None]:
        """A project's releases, highest version first."""

        async def read_page(size: int, token: str) -> tuple[Iterable[Release], str]:
            answer = await self._connection.unary(
                lambda server: server.catalog.ListReleases,
                catalog_service_pb2.ListReleasesRequest(project=project, page_size=size, page_token=token),
            )
            return map(catalog_conversion.release, answer.releases), answer.next_page_token

        return items_of_pages(read_page, limit)

    async def release(self, project: str, version: str) -> Release:
        """One release. Raises ``ReleaseNotFound``."""
        answer = await self._connection.unary(
            lambda server: server.catalog.GetRelease,
            catalog_service_pb2.GetReleaseRequest(project=project, version=version),
        )
        return catalog_conversion.release(answer.release)

    def audit(
        self,
        *,
        project: str | None = None,
        environment: str | None = None,
        deployment_id: str | None = None,
        principal: str | None = None,
        to_status: DeploymentStatus | None = None,
        limit: int | None = None,
    ) -> AsyncGenerator[AuditEntry, None]:
        """Who did what, newest first."""
        to_number = conversion.status_number(to_status) if to_status else conversion.NO_STATUS

        async def read_page(size: int, token: str) -> tuple[Iterable[AuditEntry], str]:
            answer = await self._connection.unary(
                lambda server: server.deployments.ListAuditEntries,
                deployment_service_pb2.ListAuditEntriesRequest(
                    project=project or "",
                    environment=environment or "",
                    deployment_id=deployment_id or "",
                    principal=principal or "",
                    to_status=to_number,
                    page_size=size,
                    page_token=token,
                ),
            )
            return map(catalog_conversion.audit_entry, answer.entries), answer.next_page_token

        return items_of_pages(read_page, limit)

    def locks(self, *, limit: int | None = None) -> AsyncGenerator[Lock, None]:
        """The locks that are held just now, by name."""

        async def read_page(size: int, token: str) -> tuple[Iterable[Lock], str]:
            answer = await self._connection.unary(
                lambda server: server.cluster.ListLocks,
                cluster_service_pb2.ListLocksRequest(page_size=size, page_token=token),
            )
            return map(catalog_conversion.lock, answer.locks), answer.next_page_token

        return items_of_pages(read_page, limit)

    async def server_info(self) -> ServerInfo:
        """Versions, limits and how payloads are cut, of the server that answers."""
        answer = await self._connection.unary(
            lambda server: server.cluster.GetServerInfo, cluster_service_pb2.GetServerInfoRequest()
        )
        return catalog_conversion.server_info(answer)
