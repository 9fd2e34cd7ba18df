"""The calls about workflows: what is live, what releases have, and whether files are valid.

Longshore validates, versions and publishes workflows; it does not execute them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping

from longshore.v1 import catalog_service_pb2, workflow_pb2

from . import workflow_conversion
from .connection import Connection
from .paging import items_of_pages
from .workflow_models import Workflow, WorkflowCounts, WorkflowDetail, WorkflowSync, WorkflowValidation


class Workflows(ABC):
    """What can be asked of workflows, and done about them. Every method raises ``LongshoreError``.

    Those with ``environment`` and ``version`` are about what is live in an environment, ``default`` unless
    another is named, or about one release; not both.
    """

    @property
    @abstractmethod
    def _connection(self) -> Connection:
        """The open connection."""

    def list_workflows(
        self,
        *,
        project: str | None = None,
        environment: str | None = None,
        version: str | None = None,
        include_unregistered: bool = False,
        limit: int | None = None,
    ) -> AsyncGenerator[Workflow, None]:
        """Workflows by project and name; with ``include_unregistered`` also those that are not valid.

        A ``version`` needs its ``project``. Raises ``ReleaseNotFound``.
        """

        async def read_page(size: int, token: str) -> tuple[Iterable[Workflow], str]:
            answer = await self._connection.unary(
                lambda server: server.catalog.ListWorkflows,
                catalog_service_pb2.ListWorkflowsRequest(
                    project=project or "",
                    environment=environment or "",
                    version=version or "",
                    include_unregistered=include_unregistered,
                    page_size=size,
                    page_token=token,
                ),
            )
            return map(workflow_conversion.workflow, answer.workflows), answer.next_page_token

        return items_of_pages(read_page, limit)

    async def get_workflow(
        self, project: str, name: str, *, environment: str | None = None, version: str | None = None
    ) -> WorkflowDetail:
        """One workflow, as read and as written. Raises ``WorkflowNotFound``, ``ReleaseNotFound``."""
        answer = await self._connection.unary(
            lambda server: server.catalog.GetWorkflow,
            catalog_service_pb2.GetWorkflowRequest(
                project=project, name=name, environment=environment or "", version=version or ""
            ),
        )
        return workflow_conversion.detail(answer)

    async def count_workflows(
        self, *, project: str | None = None, environment: str | None = None
    ) -> WorkflowCounts:
        """How many workflows are live in an environment; of one project, or of all."""
        answer = await self._connection.unary(
            lambda server: server.catalog.CountWorkflows,
            catalog_service_pb2.CountWorkflowsRequest(project=project or "", environment=environment or ""),
        )
        return workflow_conversion.counts(answer)

    async def sync_workflows(self, *, project: str | None = None, version: str | None = None) -> WorkflowSync:
        """Read the files of stored releases again, and register the workflows in them.

        Of one release, of a project's that are live anywhere, or of those of all projects. Again, it changes
        nothing. Raises ``ReleaseNotFound``, ``PayloadReclaimed``.
        """
        answer = await self._connection.unary(
            lambda server: server.catalog.SyncWorkflows,
            catalog_service_pb2.SyncWorkflowsRequest(project=project or "", version=version or ""),
        )
        return workflow_conversion.sync(answer)

    async def delete_workflows(self, project: str) -> int:
        """Unregister the workflows of all of a project's releases: how many there were.

        The releases stay as they are, and ``sync_workflows`` brings the workflows back.
        """
        answer = await self._connection.unary(
            lambda server: server.catalog.DeleteWorkflows,
            catalog_service_pb2.DeleteWorkflowsRequest(project=project),
        )
        return answer.deleted

    async def validate_workflows(self, project: str, version: str) -> WorkflowValidation:
        """Validate the workflows of a stored release; nothing is stored or changed.

        Raises ``ReleaseNotFound``, ``PayloadReclaimed``.
        """
        return await self._validated(workflow_pb2.ValidationTarget(project=project, version=version), {})

    async def validate_workflow_files(
        self,
        files: Mapping[str, bytes],
        *,
        pack: str,
        actions: Collection[str] = (),
        is_stackstorm: bool = False,
    ) -> WorkflowValidation:
        """Validate files, by their paths in the pack (``workflows/deploy.yaml``); nothing is stored.

        ``actions`` are the names of the pack's own, which tasks may use; ``is_stackstorm`` is whether its
        manifest is in StackStorm's spelling. A file has at most 1 MiB, all together 16 MiB.
        ``pack_contents`` reads all of this from a directory.
        """
        target = workflow_pb2.ValidationTarget(pack=pack, actions=actions, is_stackstorm=is_stackstorm)
        return await self._validated(target, files)

    async def _validated(
        self, target: workflow_pb2.ValidationTarget, files: Mapping[str, bytes]
    ) -> WorkflowValidation:
        requests = [
            catalog_service_pb2.ValidateWorkflowsRequest(target=target),
            *(
                catalog_service_pb2.ValidateWorkflowsRequest(
                    file=workflow_pb2.WorkflowFile(path=path, content=content)
                )
                for path, content in files.items()
            ),
        ]
        answer = await self._connection.sending(lambda server: server.catalog.ValidateWorkflows, requests)
        return workflow_conversion.validation(answer)
