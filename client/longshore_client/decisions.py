"""What is decided without moving bytes: release, rollback, undeploy, retry, promotion, pause, cancellation.

Every call that makes a deployment carries an id, made here or by the caller: made again, it happens once.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Final

from google.protobuf import field_mask_pb2

from longshore.v1 import catalog_service_pb2, deployment_service_pb2

from . import catalog_conversion, conversion
from .catalog_models import Default, Environment, ProjectEnvironment, Release, Retention
from .connection import Connection
from .models import Deployment
from .strategies import FailurePolicy, RolloutStrategy
from .strategy_conversion import policy_number, strategy_message
from .terms import ANY_TERMS, Terms

DEFAULT_ENVIRONMENT: Final = "default"


def new_deployment_id() -> str:
    """An id for a deployment that is still to be made; whoever has it can follow before the first byte."""
    return str(uuid.uuid4())


class Decisions(ABC):
    """Calls that change what is live, or is to be. Every method raises ``LongshoreError``.

    Those with ``terms`` raise ``LiveChanged`` and ``QueueBusy`` where these do not hold.
    """

    @property
    @abstractmethod
    def _connection(self) -> Connection:
        """The open connection."""

    async def deploy_release(
        self,
        project: str,
        version: str,
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        terms: Terms = ANY_TERMS,
        deployment_id: str | None = None,
    ) -> Deployment:
        """Make an existing release live in an environment, or stage it there.

        Raises ``ReleaseNotFound``, ``PayloadReclaimed``.
        """
        request = deployment_service_pb2.DeployReleaseRequest(
            deployment_id=deployment_id or new_deployment_id(),
            project=project,
            environment=environment,
            version=version,
        )
        terms.write(request)
        answer = await self._connection.unary(lambda server: server.deployments.DeployRelease, request)
        return conversion.deployment(answer.deployment)

    async def rollback(
        self,
        project: str,
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        version: str | None = None,
        target_deployment_id: str | None = None,
        terms: Terms = ANY_TERMS,
        deployment_id: str | None = None,
    ) -> Deployment | None:
        """Go back to the previous release, or to a given one; None when there is nothing to do.

        Raises ``NoPreviousRelease``, ``PayloadReclaimed``.
        """
        if version is not None and target_deployment_id is not None:
            raise ValueError("give a version or a target deployment, not both")
        request = deployment_service_pb2.RollbackRequest(
            deployment_id=deployment_id or new_deployment_id(), project=project, environment=environment
        )
        if version is not None:
            request.version = version
        elif target_deployment_id is not None:
            request.target_deployment_id = target_deployment_id
        terms.write(request)
        answer = await self._connection.unary(lambda server: server.deployments.Rollback, request)
        return None if answer.nothing_to_do else conversion.deployment(answer.deployment)

    async def undeploy(
        self,
        project: str,
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        terms: Terms = ANY_TERMS,
        deployment_id: str | None = None,
    ) -> Deployment | None:
        """Take a project off an environment's nodes; None when nothing of it is there."""
        request = deployment_service_pb2.UndeployRequest(
            deployment_id=deployment_id or new_deployment_id(), project=project, environment=environment
        )
        terms.write(request)
        answer = await self._connection.unary(lambda server: server.deployments.Undeploy, request)
        return None if answer.nothing_to_do else conversion.deployment(answer.deployment)

    async def retry(
        self, retry_of: str, *, terms: Terms = ANY_TERMS, deployment_id: str | None = None
    ) -> Deployment:
        """Try again, as a new deployment, what ended without success; raises ``StatusConflict`` otherwise."""
        request = deployment_service_pb2.RetryDeploymentRequest(
            deployment_id=deployment_id or new_deployment_id(), retry_of=retry_of
        )
        terms.write(request)
        answer = await self._connection.unary(lambda server: server.deployments.RetryDeployment, request)
        return conversion.deployment(answer.deployment)

    async def freeze(
        self, project: str, reason: str, *, environment: str = DEFAULT_ENVIRONMENT, etag: str = ""
    ) -> ProjectEnvironment:
        """Let nothing go live in an environment, for ``reason``, but rollbacks; an empty one lifts it.

        What is queued waits. With an ``etag`` raises ``SettingsChanged`` where that is not the one any more.
        """
        settings = catalog_service_pb2.ProjectEnvironment(
            project=project, environment=environment, freeze_reason=reason, etag=etag
        )
        return await self._set(settings, "freeze_reason")

    async def keep(
        self,
        project: str,
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        retention: Retention | None = None,
        rollback_targets: int | Default | None = None,
        etag: str = "",
    ) -> ProjectEnvironment:
        """Set how long payloads are kept for an environment, and how many rollback targets stay besides.

        What is None stays as it is; a field of ``retention`` that is None, and ``Default.SERVERS``, go back
        to the servers' settings. With an ``etag`` raises ``SettingsChanged`` where that is not the one any
        more.
        """
        settings = catalog_service_pb2.ProjectEnvironment(project=project, environment=environment, etag=etag)
        paths = []
        if retention is not None:
            paths.append("retention")
            settings.retention.CopyFrom(catalog_conversion.retention_message(retention))
        if rollback_targets is not None:
            paths.append("kept_rollback_targets")
            if isinstance(rollback_targets, int):
                settings.kept_rollback_targets = rollback_targets
        if not paths:
            raise ValueError("give retention or rollback_targets: what is to be set")
        return await self._set(settings, *paths)

    async def select_nodes(
        self,
        project: str,
        labels: Mapping[str, str],
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        etag: str = "",
    ) -> ProjectEnvironment:
        """Set which nodes of an environment a project goes to: those with all of ``labels``, at most 8.

        With none it goes to every node. Nodes that match get what is live, others have it taken off, by
        themselves. With an ``etag`` raises ``SettingsChanged`` where that is not the one any more.
        """
        settings = catalog_service_pb2.ProjectEnvironment(
            project=project, environment=environment, node_selector=labels, etag=etag
        )
        return await self._set(settings, "node_selector")

    async def require_second_person(
        self, project: str, required: bool, *, environment: str = DEFAULT_ENVIRONMENT, etag: str = ""
    ) -> ProjectEnvironment:
        """Set whether what is deployed there waits until somebody else than whoever deployed it promotes it.

        With an ``etag`` raises ``SettingsChanged`` where that is not the one any more.
        """
        settings = catalog_service_pb2.ProjectEnvironment(
            project=project, environment=environment, second_person=required, etag=etag
        )
        return await self._set(settings, "second_person")

    async def require_second_person_in(self, environment: str, required: bool) -> Environment:
        """Set the same for every project in an environment, also for those to come; none can do without it.

        Raises ``EnvironmentNotFound``.
        """
        answer = await self._connection.unary(
            lambda server: server.catalog.UpdateEnvironment,
            catalog_service_pb2.UpdateEnvironmentRequest(
                environment=catalog_service_pb2.Environment(environment=environment, second_person=required),
                update_mask=field_mask_pb2.FieldMask(paths=["second_person"]),
            ),
        )
        return catalog_conversion.environment(answer.environment)

    async def set_rollout(
        self,
        project: str,
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        strategy: RolloutStrategy | Default | None = None,
        failure_policy: FailurePolicy | Default | None = None,
        etag: str = "",
    ) -> ProjectEnvironment:
        """Set how rollouts go over the nodes of an environment, and what becomes of these when one fails.

        For deployments whose ``Terms`` tell none. What is None stays as it is; ``Default.SERVERS`` goes back
        to all nodes at once, taken back. With an ``etag`` raises ``SettingsChanged`` where that is not the
        one any more.
        """
        settings = catalog_service_pb2.ProjectEnvironment(project=project, environment=environment, etag=etag)
        paths = []
        if strategy is not None:
            paths.append("strategy")
            if isinstance(strategy, RolloutStrategy):
                settings.strategy.CopyFrom(strategy_message(strategy))
        if failure_policy is not None:
            paths.append("failure_policy")
            if isinstance(failure_policy, FailurePolicy):
                settings.failure_policy = policy_number(failure_policy)
        if not paths:
            raise ValueError("give strategy or failure_policy: what is to be set")
        return await self._set(settings, *paths)

    async def _set(self, settings: catalog_service_pb2.ProjectEnvironment, *paths: str) -> ProjectEnvironment:
        answer = await self._connection.unary(
            lambda server: server.catalog.UpdateProjectEnvironment,
            catalog_service_pb2.UpdateProjectEnvironmentRequest(
                project_environment=settings, update_mask=field_mask_pb2.FieldMask(paths=paths)
            ),
        )
        return catalog_conversion.project_environment(answer.project_environment)

    async def pin(self, project: str, version: str, reason: str) -> Release:
        """Keep a release's payload whatever retention says, for ``reason``; an empty one unpins it."""
        answer = await self._connection.unary(
            lambda server: server.catalog.PinRelease,
            catalog_service_pb2.PinReleaseRequest(project=project, version=version, reason=reason),
        )
        return catalog_conversion.release(answer.release)

    async def promote(self, deployment_id: str, gate_id: str) -> Deployment:
        """Let a deployment pass the gate that it waits at, its ``waiting_gate_id``.

        A staged one is queued, a canary goes on to its next step, before its time too.
        Raises ``GateMismatch`` when it waits at another one, or at none.
        """
        answer = await self._connection.unary(
            lambda server: server.deployments.PromoteDeployment,
            deployment_service_pb2.PromoteDeploymentRequest(deployment_id=deployment_id, gate_id=gate_id),
        )
        return conversion.deployment(answer.deployment)

    async def pause(self, deployment_id: str, *, reason: str = "") -> Deployment:
        """Pause a rollout: nodes end what they were told, then nothing else is begun until ``resume``.

        So it may still be on its way to PAUSED, with ``paused_by`` set. Raises ``StatusConflict`` for what
        does not roll out.
        """
        answer = await self._connection.unary(
            lambda server: server.deployments.PauseDeployment,
            deployment_service_pb2.PauseDeploymentRequest(deployment_id=deployment_id, reason=reason),
        )
        return conversion.deployment(answer.deployment)

    async def resume(self, deployment_id: str) -> Deployment:
        """Let a paused rollout go on. Raises ``StatusConflict`` for what neither rolls out nor is paused."""
        answer = await self._connection.unary(
            lambda server: server.deployments.ResumeDeployment,
            deployment_service_pb2.ResumeDeploymentRequest(deployment_id=deployment_id),
        )
        return conversion.deployment(answer.deployment)

    async def cancel(self, deployment_id: str, *, reason: str = "") -> Deployment:
        """Cancel a deployment; its nodes go back to what is live first, so it may not have ended yet.

        Raises ``StatusConflict`` for one that has ended otherwise.
        """
        answer = await self._connection.unary(
            lambda server: server.deployments.CancelDeployment,
            deployment_service_pb2.CancelDeploymentRequest(deployment_id=deployment_id, reason=reason),
        )
        return conversion.deployment(answer.deployment)
