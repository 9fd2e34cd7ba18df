"""``workflows`` for callers without an event loop."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping

from .client import Client
from .event_thread import EventThread
from .workflow_models import Workflow, WorkflowCounts, WorkflowDetail, WorkflowSync, WorkflowValidation


class SyncWorkflows:
    """Waits for what ``Workflows`` does."""

    _client: Client
    _thread: EventThread

    def list_workflows(
        self,
        *,
        project: str | None = None,
        environment: str | None = None,
        version: str | None = None,
        include_unregistered: bool = False,
        limit: int | None = None,
    ) -> Generator[Workflow, None, None]:
        """See ``Client.list_workflows``."""
        return self._thread.iterate(
            self._client.list_workflows(
                project=project,
                environment=environment,
                version=version,
                include_unregistered=include_unregistered,
                limit=limit,
            )
        )

    def get_workflow(
        self, project: str, name: str, *, environment: str | None = None, version: str | None = None
    ) -> WorkflowDetail:
        """See ``Client.get_workflow``."""
        return self._thread.run(
            self._client.get_workflow(project, name, environment=environment, version=version)
        )

    def count_workflows(
        self, *, project: str | None = None, environment: str | None = None
    ) -> WorkflowCounts:
        """See ``Client.count_workflows``."""
        return self._thread.run(self._client.count_workflows(project=project, environment=environment))

    def sync_workflows(self, *, project: str | None = None, version: str | None = None) -> WorkflowSync:
        """See ``Client.sync_workflows``."""
        return self._thread.run(self._client.sync_workflows(project=project, version=version))

    def delete_workflows(self, project: str) -> int:
        """See ``Client.delete_workflows``."""
        return self._thread.run(self._client.delete_workflows(project))

    def validate_workflows(self, project: str, version: str) -> WorkflowValidation:
        """See ``Client.validate_workflows``."""
        return self._thread.run(self._client.validate_workflows(project, version))

    def validate_workflow_files(
        self,
        files: Mapping[str, bytes],
        *,
        pack: str,
        actions: Collection[str] = (),
        is_stackstorm: bool = False,
    ) -> WorkflowValidation:
        """See ``Client.validate_workflow_files``."""
        validating = self._client.validate_workflow_files(
            files, pack=pack, actions=actions, is_stackstorm=is_stackstorm
        )
        return self._thread.run(validating)
