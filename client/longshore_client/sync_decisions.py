"""``decisions`` for callers without an event loop."""

from __future__ import annotations

from collections.abc import Mapping

from .catalog_models import Default, Environment, ProjectEnvironment, Release, Retention
from .client import Client
from .decisions import DEFAULT_ENVIRONMENT
from .event_thread import EventThread
from .models import Deployment
from .strategies import FailurePolicy, RolloutStrategy
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

    def select_nodes(
        self,
        project: str,
        labels: Mapping[str, str],
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        etag: str = "",
    ) -> ProjectEnvironment:
        """See ``Client.select_nodes``."""
        return self._thread.run(
            self._client.select_nodes(project, labels, environment=environment, etag=etag)
        )

    def require_second_person(
        self, project: str, required: bool, *, environment: str = DEFAULT_ENVIRONMENT, etag: str = ""
    ) -> ProjectEnvironment:
        """See ``Client.require_second_person``."""
        return self._thread.run(
            self._client.require_second_person(project, required, environment=environment, etag=etag)
        )

    def require_second_person_in(self, environment: str, required: bool) -> Environment:
        """See ``Client.require_second_person_in``."""
        return self._thread.run(self._client.require_second_person_in(environment, required))

    def set_rollout(
        self,
        project: str,
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        strategy: RolloutStrategy | Default | None = None,
        failure_policy: FailurePolicy | Default | None = None,
        etag: str = "",
    ) -> ProjectEnvironment:
        """See ``Client.set_rollout``."""
        return self._thread.run(
            self._client.set_rollout(
                project,
                environment=environment,
                strategy=strategy,
                failure_policy=failure_policy,
                etag=etag,
            )
        )

    def pin(self, project: str, version: str, reason: str) -> Release:
        """See ``Client.pin``."""
        return self._thread.run(self._client.pin(project, version, reason))

    def promote(self, deployment_id: str, gate_id: str) -> Deployment:
        """See ``Client.promote``."""
        return self._thread.run(self._client.promote(deployment_id, gate_id))

    def pause(self, deployment_id: str, *, reason: str = "") -> Deployment:
        """See ``Client.pause``."""
        return self._thread.run(self._client.pause(deployment_id, reason=reason))

    def resume(self, deployment_id: str) -> Deployment:
        """See ``Client.resume``."""
        return self._thread.run(self._client.resume(deployment_id))

    def cancel(self, deployment_id: str, *, reason: str = "") -> Deployment:
        """See ``Client.cancel``."""
        return self._thread.run(self._client.cancel(deployment_id, reason=reason))
