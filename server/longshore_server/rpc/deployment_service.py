"""DeploymentService: what reads, and what moves payloads; the rest stands in ``recording_calls``.

Servicers translate; the use cases decide.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.access import Permission, current_caller, readable
from longshore_server.collecting import PayloadDeletion
from longshore_server.deploying.downloads import Downloads
from longshore_server.deploying.labels import check_labels
from longshore_server.deploying.requests import (
    check_deployment_id,
    check_release_name,
    check_session_id,
)
from longshore_server.deploying.second_person import SecondPerson
from longshore_server.deploying.uploads import Uploads
from longshore_server.progress import ProgressHub
from longshore_server.progress.hub import LONGEST_WAIT_FOR_CREATION_S
from longshore_server.refusal import Reason, Refusal, deployment_not_found, invalid
from longshore_server.views import views
from longshore_server.wakeups import Wakeups
from longshore_storage.catalogue import Catalogue, activations, audit_trail, deployments, findings, nodes
from longshore_storage.catalogue.listing import DeploymentFilter, list_deployments
from longshore_storage.catalogue.rows import Deployment
from longshore_storage.catalogue.scopes import covers

from . import convert
from .interceptor import current_actor
from .messages import listed_message
from .page_tokens import PageToken, page_size
from .page_turns import page_in_turn
from .recording_calls import RecordingCalls
from .wire_limits import MOST_DIGESTS

# Some more than there are, for clients of later versions.
_MOST_STATUSES = 64


class DeploymentServicer(RecordingCalls):
    """Deployments, their progress and their payloads."""

    def __init__(
        self,
        catalogue: Catalogue,
        wakeups: Wakeups,
        uploads: Uploads,
        downloads: Downloads,
        deletion: PayloadDeletion,
        hub: ProgressHub,
        second_person: SecondPerson,
        *,
        idle_timeout_s: float,
    ) -> None:
        super().__init__(catalogue, wakeups, uploads, hub, second_person, idle_timeout_s=idle_timeout_s)
        self._downloads = downloads
        self._deletion = deletion
        page_in_turn(self, "DeploymentService")

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
        statuses = _statuses(request.statuses)
        check_labels("labels", request.labels)
        asked = DeploymentFilter(
            project=request.project,
            environment=request.environment,
            statuses=statuses,
            version=request.version,
            deployed_by=request.deployed_by,
            since=convert.moment(request, "since_time"),
            until=convert.moment(request, "until_time"),
            labels=dict(sorted(request.labels.items())),
            scopes=readable(),
        )
        token = PageToken("ListDeployments", current_actor().principal, (asked,))
        place = token.read(request.page_token, (int,))
        async with self._catalogue.reading() as transaction:
            page = await list_deployments(
                transaction, asked, below=int(place[0]) if place else None, limit=limit + 1
            )
            seen = await views(transaction, page[:limit])
        return pb.ListDeploymentsResponse(
            deployments=[listed_message(one) for one in seen],
            next_page_token=token.make([page[limit - 1].number]) if len(page) > limit else "",
        )

    # Serialised already, once for all: see the interceptor.
    async def WatchDeployments(  # type: ignore[override]  # noqa: N802
        self, request: pb.WatchDeploymentsRequest, context: Any
    ) -> AsyncIterator[bytes]:
        """Tell deployments as they change."""
        check_labels("labels", request.labels)
        asked = DeploymentFilter(
            project=request.project,
            environment=request.environment,
            statuses=_statuses(request.statuses),
            version=request.version,
            deployed_by=request.deployed_by,
            labels=dict(request.labels),
            scopes=readable(),
        )
        messages = self._hub.watch(asked, begin_with=page_size(request.page_size))
        async with aclosing(messages):
            async for message in messages:
                yield message

    async def ListActivations(  # noqa: N802
        self, request: pb.ListActivationsRequest, context: Any
    ) -> pb.ListActivationsResponse:
        """Page through what nodes did."""
        if request.node_name:
            return await self._list_of_node(request)
        limit = page_size(request.page_size)
        deployment = await self._find(request.deployment_id)
        token = PageToken("ListActivations", current_actor().principal, (deployment.id,))
        place = token.read(request.page_token, (str, int))
        async with self._catalogue.reading() as transaction:
            page = await activations.list_activations(
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

    async def _list_of_node(self, request: pb.ListActivationsRequest) -> pb.ListActivationsResponse:
        if request.deployment_id:
            raise invalid("node_name", "is given beside `deployment_id`: ask by one of them")
        limit = page_size(request.page_size)
        token = PageToken("ListActivations", current_actor().principal, ("node", request.node_name))
        place = token.read(request.page_token, (str, int))
        async with self._catalogue.reading() as transaction:
            node = await nodes.find_node(transaction, request.node_name)
            # Where one may read nothing, nodes are not there.
            if node is None or not covers(readable(), None, node.environment):
                raise Refusal(Reason.NODE_NOT_FOUND, f"no node {request.node_name[:100]!r} is registered")
            page = await activations.list_activations_of_node(
                transaction,
                node.id,
                scopes=readable(),
                after=(str(place[0]), int(place[1])) if place else None,
                limit=limit + 1,
            )
        more = ""
        if len(page) > limit:
            more = token.make([page[limit - 1].project, page[limit - 1].generation])
        return pb.ListActivationsResponse(
            activations=[convert.activation(one) for one in page[:limit]], next_page_token=more
        )

    async def ListFindings(  # noqa: N802
        self, request: pb.ListFindingsRequest, context: Any
    ) -> pb.ListFindingsResponse:
        """Page through what was found in a payload."""
        limit = page_size(request.page_size)
        deployment = await self._find(request.deployment_id)
        token = PageToken("ListFindings", current_actor().principal, (deployment.id,))
        place = token.read(request.page_token, (int,))
        async with self._catalogue.reading() as transaction:
            page = await findings.list_findings(
                transaction, deployment.id, after=int(place[0]) if place else 0, limit=limit + 1
            )
        return pb.ListFindingsResponse(
            findings=convert.findings([one._asdict() for one in page[:limit]]),
            next_page_token=token.make([page[limit - 1].number]) if len(page) > limit else "",
            total_findings=deployment.total_findings,
        )

    # Serialised already, once for all: see the interceptor.
    async def StreamProgress(  # type: ignore[override]  # noqa: N802
        self, request: pb.StreamProgressRequest, context: Any
    ) -> AsyncIterator[bytes]:
        """Follow a deployment to its end."""
        deployment_id = check_deployment_id(request.deployment_id)
        if request.after_sequence < 0:
            raise invalid("after_sequence", "must not be negative")
        wait_s = request.wait_for_creation.seconds + request.wait_for_creation.nanos / 1e9
        if not 0 <= wait_s <= LONGEST_WAIT_FOR_CREATION_S:
            raise invalid("wait_for_creation", f"must be 0 to {LONGEST_WAIT_FOR_CREATION_S:g} s")
        if request.until not in pb.ProgressUntil.values():
            raise invalid("until", f"{request.until} is no ProgressUntil")
        messages = self._hub.follow(
            deployment_id,
            after=request.after_sequence,
            wait_for_creation_s=wait_s,
            until_waiting=request.until == pb.PROGRESS_UNTIL_WAITING,
            scopes=readable(),
        )
        async with aclosing(messages):
            async for message in messages:
                yield message

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
                yield pb.DownloadPayloadResponse(offset=offset, data=bytes(piece))
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
            page = await audit_trail.list_audit(
                transaction,
                **filters,
                scopes=current_caller().rights.scopes(Permission.AUDIT_READ),
                before_id=int(place[0]) if place else None,
                limit=limit + 1,
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
            raise deployment_not_found(deployment_id)
        return deployment


def _statuses(numbers: Sequence[Any]) -> list[str]:
    if len(numbers) > _MOST_STATUSES:
        raise invalid("statuses", f"at most {_MOST_STATUSES}, got {len(numbers)}")
    return sorted({_status("statuses", number) for number in numbers})


def _status(field: str, number: Any) -> str:
    try:
        name = convert.status_name(number)
    except ValueError:
        name = ""
    if not name:
        raise invalid(field, f"{number} is no DeploymentStatus to look for")
    return name
