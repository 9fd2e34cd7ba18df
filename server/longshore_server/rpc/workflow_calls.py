"""CatalogService: the calls about workflows."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from typing import Any, Final

from longshore.v1 import catalog_service_pb2 as pb
from longshore.v1 import workflow_pb2
from longshore.v1.catalog_service_pb2_grpc import CatalogServiceServicer
from longshore_bundles import BundleError, Finding, check_project
from longshore_server.access import readable
from longshore_server.access.turns import Turns
from longshore_server.deploying.queueing import find_release
from longshore_server.deploying.requests import DEFAULT_ENVIRONMENT, check_place, check_release_name
from longshore_server.findings import told
from longshore_server.refusal import Reason, Refusal, invalid
from longshore_server.workflows import (
    SyncedWorkflow,
    ValidatedWorkflows,
    WorkflowSync,
    WorkflowValidation,
)
from longshore_storage.catalogue import Catalogue, Transaction, projects, releases, workflows
from longshore_storage.catalogue.rows import Release

from . import convert
from .fitting import fitting
from .interceptor import current_actor
from .page_tokens import PageToken, page_size
from .sent_files import SentFiles, busy
from .wire_limits import LARGEST_MESSAGE_BYTES

# What is left of a message is for a workflow with all that is told of it, and for a page token.
_CONTENT_BYTES: Final = LARGEST_MESSAGE_BYTES - (128 << 10)
_PART_BYTES: Final = 1 << 20
_LONGEST_WARNING: Final = 500
_VALIDATED_AT_ONCE: Final = 2
_PLACE_WITHIN_S: Final = 10
_OUTCOMES: Final = workflow_pb2.SyncOutcome


class WorkflowCalls(CatalogServiceServicer):
    """Workflows listed, told, counted, synchronised, unregistered and validated."""

    def __init__(self, catalogue: Catalogue, sync: WorkflowSync, validation: WorkflowValidation) -> None:
        self._catalogue = catalogue
        self._sync = sync
        self._validation = validation
        self._sent_files = SentFiles()
        self._places = asyncio.Semaphore(_VALIDATED_AT_ONCE)
        self._turns = Turns(_VALIDATED_AT_ONCE)

    async def ListWorkflows(  # noqa: N802
        self, request: pb.ListWorkflowsRequest, context: Any
    ) -> pb.ListWorkflowsResponse:
        """Page by project and file."""
        limit = page_size(request.page_size)
        filters = (request.project, request.environment, request.version, request.include_unregistered)
        token = PageToken("ListWorkflows", current_actor().principal, filters)
        place = token.read(request.page_token, (str, str, str))
        asked = workflows.Page(
            registered_only=not request.include_unregistered,
            after=(str(place[0]), str(place[1]), str(place[2])) if place else None,
            limit=limit + 1,
        )
        async with self._catalogue.reading() as transaction:
            if request.version:
                release = await _release(transaction, request)
                page = await workflows.list_of_release(transaction, release.id, asked)
            else:
                environment = await _environment(transaction, request)
                page = await workflows.list_live(
                    transaction, environment, request.project, asked, scopes=readable()
                )
        told = fitting(map(convert.workflow, page[:limit]), _CONTENT_BYTES)
        last = page[len(told) - 1] if len(told) < len(page) else None
        return pb.ListWorkflowsResponse(
            workflows=told,
            next_page_token=token.make([last.project, last.row.path, last.row.name]) if last else "",
        )

    async def GetWorkflow(  # noqa: N802
        self, request: pb.GetWorkflowRequest, context: Any
    ) -> pb.GetWorkflowResponse:
        """One workflow, as read and as written."""
        if not request.name:
            raise invalid("name", "is required")
        async with self._catalogue.reading() as transaction:
            release = await _release(transaction, request) if request.version else None
            if release is None:
                release = await _live_release(transaction, request)
            found = await workflows.find(transaction, release.id, request.name) if release else None
        if found is None:
            where = request.version or f"what is live in {request.environment or DEFAULT_ENVIRONMENT}"
            raise Refusal(
                Reason.WORKFLOW_NOT_FOUND,
                f"{request.project} has no workflow {request.name[:100]!r} in {where}",
            )
        definition = found.definition
        if len(found.source) + len(definition) > _CONTENT_BYTES:
            definition = b""
        return pb.GetWorkflowResponse(
            workflow=convert.workflow(found.released),
            source=found.source,
            definition_json=definition.decode(),
        )

    async def CountWorkflows(  # noqa: N802
        self, request: pb.CountWorkflowsRequest, context: Any
    ) -> pb.CountWorkflowsResponse:
        """Count what is live."""
        async with self._catalogue.reading() as transaction:
            environment = await _environment(transaction, request)
            counts = await workflows.count_live(
                transaction, environment, project=request.project, scopes=readable()
            )
        return pb.CountWorkflowsResponse(**counts._asdict())

    async def SyncWorkflows(  # noqa: N802
        self, request: pb.SyncWorkflowsRequest, context: Any
    ) -> pb.SyncWorkflowsResponse:
        """Read stored releases again."""
        project, version = request.project, request.version
        if version and not project:
            raise invalid("project", "is required beside `version`")
        if version:
            project, version = check_release_name(project, version)
        synced = await self._sync.sync(project, version, current_actor())
        return pb.SyncWorkflowsResponse(
            loaded=synced.loaded,
            registered=fitting(map(_synced, synced.registered), _PART_BYTES),
            total_registered=synced.total_registered,
            pruned=synced.pruned,
            total_pruned=synced.total_pruned,
            errors=fitting(_told(synced.errors), _PART_BYTES),
            total_errors=synced.total_errors,
        )

    async def DeleteWorkflows(  # noqa: N802
        self, request: pb.DeleteWorkflowsRequest, context: Any
    ) -> pb.DeleteWorkflowsResponse:
        """Unregister a project's."""
        deleted = await self._sync.delete(_project(request.project), current_actor())
        return pb.DeleteWorkflowsResponse(deleted=deleted)

    async def ValidateWorkflows(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.ValidateWorkflowsRequest], context: Any
    ) -> pb.ValidateWorkflowsResponse:
        """Validate what is stored, or what is sent along."""
        async with (
            self._sent_files.received(request_iterator, current_actor()) as (target, files),
            self._place(),
        ):
            return await self._validate(target, files)

    @asynccontextmanager
    async def _place(self) -> AsyncGenerator[None]:
        async with AsyncExitStack() as place:
            try:
                async with asyncio.timeout(_PLACE_WITHIN_S):
                    await place.enter_async_context(self._turns.one())
                    await place.enter_async_context(self._places)
            except TimeoutError:
                raise busy(
                    f"validates {_VALIDATED_AT_ONCE} at once, of one principal half of these, and none ended "
                    f"within {_PLACE_WITHIN_S} s"
                ) from None
            yield

    async def _validate(
        self, target: workflow_pb2.ValidationTarget, files: Mapping[str, bytes]
    ) -> pb.ValidateWorkflowsResponse:
        if target.version:
            project, version = check_release_name(target.project, target.version)
            return _validated(await self._validation.of_release(project, version))
        actions, is_stackstorm = list(target.actions), target.is_stackstorm
        validated = await self._validation.of_files(files, target.pack, actions, is_stackstorm=is_stackstorm)
        return _validated(validated)


def _validated(validated: ValidatedWorkflows) -> pb.ValidateWorkflowsResponse:
    by_path: dict[str, list[Any]] = defaultdict(list)
    for finding in fitting(_told(validated.findings), _PART_BYTES):
        by_path[finding.path].append(finding)
    return pb.ValidateWorkflowsResponse(
        validated=validated.validated,
        error_count=validated.error_count,
        workflows=[
            workflow_pb2.WorkflowFindings(path=path, findings=found) for path, found in by_path.items()
        ],
    )


def _synced(one: SyncedWorkflow) -> workflow_pb2.SyncedWorkflow:
    return workflow_pb2.SyncedWorkflow(
        ref=one.ref,
        release_version=one.release_version,
        outcome=_OUTCOMES.Value(f"SYNC_OUTCOME_{one.outcome}"),
        warnings=[warning[:_LONGEST_WARNING] for warning in one.warnings],
        total_warnings=one.total_warnings,
    )


def _told(findings: Sequence[Finding]) -> list[Any]:
    return convert.findings([asdict(told(finding)) for finding in findings])


def _project(name: str) -> str:
    if not name:
        raise invalid("project", "is required")
    try:
        return check_project(name)
    except BundleError as error:
        raise invalid("project", error.message) from None


async def _release(transaction: Transaction, request: Any) -> Release:
    if request.environment:
        raise invalid("environment", "must not be given beside `version`")
    project, version = check_release_name(request.project, request.version)
    if await projects.get_project(transaction, project) is None:
        raise Refusal(Reason.PROJECT_NOT_FOUND, f"there is no project {project!r}")
    return await find_release(transaction, project, version)


async def _live_release(transaction: Transaction, request: Any) -> Release | None:
    environment = await _environment(transaction, request)
    live = await projects.get_live(transaction, _project(request.project), environment)
    if live is None or live.live_release_id is None:
        return None
    return await releases.get_release(transaction, live.live_release_id)


async def _environment(transaction: Transaction, request: Any) -> str:
    """The environment that is asked for; an unknown project or environment is refused."""
    environment = str(request.environment or DEFAULT_ENVIRONMENT)
    if request.project:
        check_place("", request.project, environment)
        if await projects.get_project(transaction, request.project) is None:
            raise Refusal(Reason.PROJECT_NOT_FOUND, f"there is no project {request.project[:100]!r}")
    if not await projects.environment_exists(transaction, environment):
        raise Refusal(Reason.ENVIRONMENT_NOT_FOUND, f"there is no environment {environment[:100]!r}")
    return environment
