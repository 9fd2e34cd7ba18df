"""``decisions`` for callers without an event loop."""

from __future__ import annotations

from .catalog_models import Default, Node, ProjectEnvironment, Release, Retention
from .client import Client
from .decisions import DEFAULT_ENVIRONMENT
from .event_thread import EventThread
from .models import Deployment
from .terms import ANY_TERMS, Terms


class SyncDecisions:
    """Waits for what ``Decisions`` does."""

    _client: Client
    _thread: EventThread

    def deploy_release(
        self,
        project: str,
        version: str,
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        terms: Terms = ANY_TERMS,
        deployment_id: str | None = None,
    ) -> Deployment:
        """See ``Client.deploy_release``."""
        return self._thread.run(
            self._client.deploy_release(
                project, version, environment=environment, terms=terms, deployment_id=deployment_id
            )
        )

    def rollback(
        self,
        project: str,
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        version: str | None = None,
        target_deployment_id: str | None = None,
        terms: Terms = ANY_TERMS,
        deployment_id: str | None = None,
    ) -> Deployment | None:
        """See ``Client.rollback``."""
        return self._thread.run(
            self._client.rollback(
                project,
                environment=environment,
                version=version,
                target_deployment_id=target_deployment_id,
                terms=terms,
                deployment_id=deployment_id,
            )
        )

    def undeploy(
        self,
        project: str,
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        terms: Terms = ANY_TERMS,
        deployment_id: str | None = None,
    ) -> Deployment | None:
        """See ``Client.undeploy``."""
        return self._thread.run(
            self._client.undeploy(project, environment=environment, terms=terms, deployment_id=deployment_id)
        )

    def retry(
        self, retry_of: str, *, terms: Terms = ANY_TERMS, deployment_id: str | None = None
    ) -> Deployment:
        """See ``Client.retry``."""
        return self._thread.run(self._client.retry(retry_of, terms=terms, deployment_id=deployment_id))

    def freeze(
        self, project: str, reason: str, *, environment: str = DEFAULT_ENVIRONMENT, etag: str = ""
    ) -> ProjectEnvironment:
        """See ``Client.freeze``."""
        return self._thread.run(self._client.freeze(project, reason, environment=environment, etag=etag))

    def keep(
        self,
        project: str,
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        retention: Retention | None = None,
        rollback_targets: int | Default | None = None,
        etag: str = "",
    ) -> ProjectEnvironment:
        """See ``Client.keep``."""
        return self._thread.run(
            self._client.keep(
                project,
                environment=environment,
                retention=retention,
                rollback_targets=rollback_targets,
                etag=etag,
            )
        )

    def cordon(self, node_name: str, reason: str) -> Node:
        """See ``Client.cordon``."""
        return self._thread.run(self._client.cordon(node_name, reason))

    def remove_node(self, node_name: str) -> bool:
        """See ``Client.remove_node``."""
        return self._thread.run(self._client.remove_node(node_name))

    def pin(self, project: str, version: str, reason: str) -> Release:
        """See ``Client.pin``."""
        return self._thread.run(self._client.pin(project, version, reason))

    def promote(self, deployment_id: str, gate_id: str) -> Deployment:
        """See ``Client.promote``."""
        return self._thread.run(self._client.promote(deployment_id, gate_id))

    def cancel(self, deployment_id: str, *, reason: str = "") -> Deployment:
        """See ``Client.cancel``."""
        return self._thread.run(self._client.cancel(deployment_id, reason=reason))
