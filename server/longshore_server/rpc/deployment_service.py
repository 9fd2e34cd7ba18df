"""DeploymentService: translates; the use cases decide. Uploads stand in ``uploading``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from longshore.v1 import deployment_service_pb2 as pb
from longshore.v1 import progress_pb2
from longshore.v1.deployment_service_pb2_grpc import DeploymentServiceServicer
from longshore_server.collecting import PayloadDeletion
from longshore_server.deploying.downloads import Downloads
from longshore_server.deploying.requests import (
    ReleaseRequest,
    RollbackRequest,
    check_deployment_id,
    check_release_name,
    check_session_id,
)
from longshore_server.deploying.uploads import Uploads
from longshore_server.deploying.without_bytes import DeploymentsWithoutBytes
from longshore_server.progress import ProgressHub, Update
from longshore_server.progress.hub import LONGEST_WAIT_FOR_CREATION_S
from longshore_server.refusal import Reason, Refusal, invalid
from longshore_server.views import DeploymentView, view, views
from longshore_storage.catalogue import Catalogue, assignments, deployments, journal
from longshore_storage.catalogue.rows import Deployment

from . import convert
from .interceptor import current_actor
from .page_tokens import PageToken, page_size
from .uploading import UploadCall
from .wire_limits import MOST_DIGESTS


class DeploymentServicer(DeploymentServiceServicer):
    """Deployments, their progress and their payloads."""

    def __init__(
        self,
        catalogue: Catalogue,
        uploads: Uploads,
        without_bytes: DeploymentsWithoutBytes,
        downloads: Downloads,
        deletion: PayloadDeletion,
        hub: ProgressHub,
        *,
        idle_timeout_s: float,
    ) -> None:
        self._catalogue = catalogue
        self._uploads = uploads
        self._without_bytes = without_bytes
        self._downloads = downloads
        self._deletion = deletion
        self._hub = hub
        self._idle_timeout_s = idle_timeout_s

    async def Deploy(self, request_iterator: Any, context: Any) -> pb.DeployResponse:  # noqa: N802
        """Take an upload."""
        call = UploadCall(
            self._uploads, request_iterator, context, current_actor(), idle_timeout_s=self._idle_timeout_s
        )
        return pb.DeployResponse(deployment=await self._message(await call.handle()))

    async def FindMissingChunks(  # noqa: N802
        self, request: pb.FindMissingChunksRequest, context: Any
    ) -> pb.FindMissingChunksResponse:
        """Tell which chunks an accepted upload must send."""
        if not 1 <= len(request.digests) <= MOST_DIGESTS:
            raise invalid("digests", f"must be 1 to {MOST_DIGESTS}, got {len(request.digests)}")
        if any(len(digest) != 32 for digest in request.digests):
            raise invalid("digests", "each must be 32 bytes of BLAKE3")
        deployment_id = check_deployment_id(request.deployment_id)
        missing = await self._uploads.find_missing(
            deployment_id,
            check_session_id(request.session_id) if request.session_id else deployment_id,
            request.attempt or 1,
            list(request.digests),
            current_actor(),
        )
        return pb.FindMissingChunksResponse(missing_indexes=missing)

    async def DeployRelease(  # noqa: N802
        self, request: pb.DeployReleaseRequest, context: Any
    ) -> pb.DeployReleaseResponse:
        """Make an existing release live."""
        asked = ReleaseRequest(request.deployment_id, request.project, request.environment, request.version)
        deployment = await self._without_bytes.deploy_release(asked.checked(), current_actor())
        return pb.DeployReleaseResponse(deployment=await self._message(deployment))

    async def Rollback(self, request: pb.RollbackRequest, context: Any) -> pb.RollbackResponse:  # noqa: N802
        """Go back."""
        asked = RollbackRequest(
            request.deployment_id,
            request.project,
            request.environment,
            request.version,
            request.target_deployment_id,
        )
        deployment = await self._without_bytes.roll_back(asked.checked(), current_actor())
        if deployment is None:
            return pb.RollbackResponse(nothing_to_do=True)
        return pb.RollbackResponse(deployment=await self._message(deployment))

    async def GetDeployment(  # noqa: N802
        self, request: pb.GetDeploymentRequest, context: Any
    ) -> pb.GetDeploymentResponse:
        """One deployment."""
        deployment = await self._find(request.deployment_id)
        return pb.GetDeploymentResponse(deployment=await self._message(deployment))

    async def ListDeployments(  # noqa: N802
        self, request: pb.ListDeploymentsRequest, context: Any
    ) -> pb.ListDeploymentsResponse:
        """Page through deployments, newest first."""
        limit = page_size(request.page_size)
        statuses = sorted({_status("statuses", number) for number in request.statuses})
        filters = (request.project, request.environment, statuses, request.version)
        token = PageToken("ListDeployments", current_actor().principal, filters)
        place = token.read(request.page_token, (int,))
        async with self._catalogue.reading() as transaction:
            page = await deployments.list_deployments(
                transaction,
                project=request.project,
                environment=request.environment,
                statuses=statuses,
                version=request.version,
                below=int(place[0]) if place else None,
                limit=limit + 1,
            )
            seen = await views(transaction, page[:limit])
        return pb.ListDeploymentsResponse(
            deployments=[_listed(one) for one in seen],
            next_page_token=token.make([page[limit - 1].number]) if len(page) > limit else "",
        )

    async def ListActivations(  # noqa: N802
        self, request: pb.ListActivationsRequest, context: Any
    ) -> pb.ListActivationsResponse:
        """Page through what nodes did."""
        limit = page_size(request.page_size)
        deployment = await self._find(request.deployment_id)
        token = PageToken("ListActivations", current_actor().principal, (deployment.id,))
        place = token.read(request.page_token, (str, int))
        async with self._catalogue.reading() as transaction:
            page = await assignments.list_activations(
                transaction,
                deployment.id,
                after=(str(place[0]), int(place[1])) if place else None,
                limit=limit + 1,
            )
        more = ""
        if len(page) > limit:
            more = token.make([page[limit - 1].node_name, page[limit - 1].generation])
        return pb.ListActivationsResponse(
            activations=[convert.activation(one) for one in page[:limit]], next_page_token=more
        )

    async def StreamProgress(  # noqa: N802
        self, request: pb.StreamProgressRequest, context: Any
    ) -> AsyncIterator[pb.StreamProgressResponse]:
        """Follow a deployment to its end."""
        deployment_id = check_deployment_id(request.deployment_id)
        if request.after_sequence < 0:
            raise invalid("after_sequence", "must not be negative")
        wait_s = request.wait_for_creation.seconds + request.wait_for_creation.nanos / 1e9
        if not 0 <= wait_s <= LONGEST_WAIT_FOR_CREATION_S:
            raise invalid("wait_for_creation", f"must be 0 to {LONGEST_WAIT_FOR_CREATION_S:g} s")
        updates = self._hub.follow(deployment_id, after=request.after_sequence, wait_for_creation_s=wait_s)
        async with aclosing(updates):
            async for update in updates:
                yield _progress(update)

    async def DownloadPayload(  # noqa: N802
        self, request: pb.DownloadPayloadRequest, context: Any
    ) -> AsyncIterator[pb.DownloadPayloadResponse]:
        """Stream a payload."""
        if not request.project:
            raise invalid("project", "is required")
        if not request.version:
            raise invalid("version", "is required")
        download = await self._downloads.open(request.project, request.version, request.offset)
        release = download.release
        info = pb.PayloadInfo(
            payload_sha256=release.payload_sha256,
            size_bytes=release.payload_size_bytes,
            payload_format=convert.format_number(release.payload_format),
            file_name=download.file_name,
        )
        yield pb.DownloadPayloadResponse(info=info, offset=request.offset)
        offset = request.offset
        async with aclosing(download.pieces) as pieces:
            async for piece in pieces:
                yield pb.DownloadPayloadResponse(offset=offset, data=piece)
                offset += len(piece)

    async def DeletePayload(  # noqa: N802
        self, request: pb.DeletePayloadRequest, context: Any
    ) -> pb.DeletePayloadResponse:
        """Drop a release's payload."""
        project, version = check_release_name(request.project, request.version)
        deleted = await self._deletion.delete(project, version, current_actor(), force=request.force)
        return pb.DeletePayloadResponse(
            freed_size_bytes=deleted.freed_size_bytes, shared_size_bytes=deleted.shared_size_bytes
        )

    async def ListAuditEntries(  # noqa: N802
        self, request: pb.ListAuditEntriesRequest, context: Any
    ) -> pb.ListAuditEntriesResponse:
        """Page through the audit trail, newest first."""
        limit = page_size(request.page_size)
        to_status = _status("to_status", request.to_status) if request.to_status else ""
        filters = {
            "project": request.project,
            "environment": request.environment,
            "deployment_id": request.deployment_id,
            "principal": request.principal,
            "to_status": to_status,
        }
        token = PageToken("ListAuditEntries", current_actor().principal, tuple(filters.values()))
        place = token.read(request.page_token, (int,))
        async with self._catalogue.reading() as transaction:
            page = await journal.list_audit(
                transaction, **filters, before_id=int(place[0]) if place else None, limit=limit + 1
            )
        return pb.ListAuditEntriesResponse(
            entries=[convert.audit_entry(one) for one in page[:limit]],
            next_page_token=token.make([page[limit - 1].id]) if len(page) > limit else "",
        )

    async def _find(self, deployment_id: str) -> Deployment:
        deployment_id = check_deployment_id(deployment_id)
        async with self._catalogue.reading() as transaction:
            deployment = await deployments.get_deployment(transaction, deployment_id)
        if deployment is None:
            raise Refusal(
                Reason.DEPLOYMENT_NOT_FOUND, f"there is no deployment with the id {deployment_id!r}"
            )
        return deployment

    async def _message(self, deployment: Deployment) -> Any:
        async with self._catalogue.reading() as transaction:
            return _deployment(await view(transaction, deployment))


def _status(field: str, number: Any) -> str:
    try:
        name = convert.status_name(number)
    except ValueError:
        name = ""
    if not name:
        raise invalid(field, f"{number} is no DeploymentStatus to look for")
    return name


def _deployment(seen: DeploymentView) -> Any:
    message = convert.deployment(
        seen.deployment, counts=seen.counts, live=seen.live, payload_present=seen.payload_present
    )
    if message.HasField("transfer"):
        message.transfer.durable_bytes = seen.durable_bytes
    return message


def _listed(seen: DeploymentView) -> Any:
    """A deployment as lists tell it: without findings, so that the largest page fits into a message."""
    message = _deployment(seen)
    if message.HasField("error"):
        message.error.ClearField("findings")
    return message


def _progress(update: Update) -> pb.StreamProgressResponse:
    message = pb.StreamProgressResponse(events=[convert.event(event) for event in update.events])
    if update.snapshot is not None:
        message.snapshot.CopyFrom(
            progress_pb2.ProgressSnapshot(
                deployment=_deployment(update.snapshot.view),
                compacted_through=update.snapshot.view.deployment.compacted_through,
                activations=[convert.activation(one) for one in update.snapshot.activations],
            )
        )
    return message
