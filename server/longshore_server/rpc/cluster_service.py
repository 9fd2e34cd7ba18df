"""ClusterService: what this server is, which nodes there are, and whether they have what they should."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from google.protobuf.duration_pb2 import Duration

from longshore.v1 import cluster_service_pb2 as pb
from longshore.v1.cluster_service_pb2_grpc import ClusterServiceServicer
from longshore_server import __version__
from longshore_server.fleet import Fleet
from longshore_server.identity import Identity
from longshore_server.progress import NodeWatching, ProgressHub, alive_nodes
from longshore_server.settings import UploadSettings
from longshore_server.verifying import Verifications
from longshore_server.wakeups import rollout_lock
from longshore_storage.catalogue import Catalogue, nodes, rollouts
from longshore_storage.catalogue.rows import Node
from longshore_storage.payloads import PayloadSettings
from longshore_storage.ports import Coordination

from . import convert
from .interceptor import current_actor
from .page_tokens import PageToken, page_size
from .wire_limits import LARGEST_MESSAGE_BYTES, MOST_DIGESTS


class ClusterServicer(ClusterServiceServicer):
    """Server and nodes."""

    def __init__(
        self,
        catalogue: Catalogue,
        coordination: Coordination,
        fleet: Fleet,
        verifications: Verifications,
        hub: ProgressHub,
        watching: NodeWatching,
        identity: Identity,
        uploads: UploadSettings,
        storing: PayloadSettings,
    ) -> None:
        self._catalogue = catalogue
        self._coordination = coordination
        self._fleet = fleet
        self._verifications = verifications
        self._hub = hub
        self._watching = watching
        self._identity = identity
        self._uploads = uploads
        self._storing = storing

    async def GetServerInfo(  # noqa: N802
        self, request: pb.GetServerInfoRequest, context: Any
    ) -> pb.GetServerInfoResponse:
        """Nothing is read: clients ask this before every upload."""
        cutting = self._storing.cutting
        idle = Duration()
        idle.FromMilliseconds(int(self._uploads.idle_timeout_s * 1000))
        return pb.GetServerInfoResponse(
            server_version=__version__,
            node_id=self._identity.node_id,
            node_name=self._identity.name,
            environment=self._identity.environment,
            roles=convert.roles(self._identity.roles),
            cutting_parameters=pb.CuttingParameters(
                algorithm=cutting.algorithm,
                min_size_bytes=cutting.min_size_bytes,
                average_size_bytes=cutting.avg_size_bytes,
                max_size_bytes=cutting.max_size_bytes,
                digest_function=cutting.digest,
                codec=cutting.codec,
            ),
            limits=pb.Limits(
                max_payload_size_bytes=self._uploads.max_payload_bytes,
                max_message_size_bytes=LARGEST_MESSAGE_BYTES,
                max_find_missing_digests=MOST_DIGESTS,
                max_archive_entries=self._uploads.max_archive_entries,
                max_unpacked_size_bytes=self._uploads.max_unpacked_bytes,
                upload_idle_timeout=idle,
                max_chunks=self._storing.max_chunks,
                max_uploads_at_once=self._storing.uploads_at_once,
                max_uploads_waiting=self._storing.uploads_waiting,
                upload_memory_size_bytes=self._storing.memory_bytes,
                staging_size_bytes=self._uploads.staging_bytes,
                min_upload_bytes_per_second=int(self._uploads.min_rate_bytes_s),
            ),
        )

    async def ListNodes(self, request: pb.ListNodesRequest, context: Any) -> pb.ListNodesResponse:  # noqa: N802
        """Page by name; who is alive is told by the leases, where they can be read."""
        limit = page_size(request.page_size)
        token = PageToken("ListNodes", current_actor().principal, (request.environment,))
        place = token.read(request.page_token, (str,))
        async with self._catalogue.reading() as transaction:
            page = await nodes.list_nodes(
                transaction,
                environment=request.environment,
                after=str(place[0]) if place else "",
                limit=limit + 1,
            )
        alive = await alive_nodes(self._coordination)
        return pb.ListNodesResponse(
            nodes=[convert.node(one, alive=one.id in alive) for one in page[:limit]],
            next_page_token=token.make([page[limit - 1].name]) if len(page) > limit else "",
        )

    async def WatchNodes(  # type: ignore[override]  # noqa: N802
        self, request: pb.WatchNodesRequest, context: Any
    ) -> AsyncIterator[bytes]:
        """Tell nodes as they change."""
        with self._hub.followers.counted():
            async with aclosing(self._watching.watch(request.environment)) as messages:
                async for message in messages:
                    yield message

    async def CordonNode(self, request: pb.CordonNodeRequest, context: Any) -> pb.CordonNodeResponse:  # noqa: N802
        """Let no rollout cover a node, or let them again."""
        node = await self._fleet.cordon(request.node_name, request.reason, current_actor())
        return pb.CordonNodeResponse(node=await self._told(node))

    async def DrainNode(self, request: pb.DrainNodeRequest, context: Any) -> pb.DrainNodeResponse:  # noqa: N802
        """Cordon a node, and have it take and drive nothing any more."""
        node = await self._fleet.drain(request.node_name, request.reason, current_actor())
        return pb.DrainNodeResponse(node=await self._told(node))

    async def RemoveNode(self, request: pb.RemoveNodeRequest, context: Any) -> pb.RemoveNodeResponse:  # noqa: N802
        """Forget a node that is gone."""
        was_registered = await self._fleet.remove(request.node_name, current_actor())
        return pb.RemoveNodeResponse(was_registered=was_registered)

    async def ListLocks(self, request: pb.ListLocksRequest, context: Any) -> pb.ListLocksResponse:  # noqa: N802
        """Page by name."""
        limit = page_size(request.page_size)
        token = PageToken("ListLocks", current_actor().principal, ())
        place = token.read(request.page_token, (str,))
        after = str(place[0]) if place else ""
        held = [lock for lock in await self._coordination.locks() if lock.name > after]
        page = held[:limit]
        async with self._catalogue.reading() as transaction:
            names = await nodes.names_of(transaction, {lock.holder for lock in page})
            rolling = await rollouts.rolling_places(transaction)
        by_lock = {rollout_lock(one.project, one.environment): one for one in rolling}
        return pb.ListLocksResponse(
            locks=[
                convert.lock(one, node_name=names.get(one.holder), rolling=by_lock.get(one.name))
                for one in page
            ],
            next_page_token=token.make([page[-1].name]) if len(held) > limit else "",
        )

    async def VerifyProject(  # noqa: N802
        self, request: pb.VerifyProjectRequest, context: Any
    ) -> pb.VerifyProjectResponse:
        """Have nodes look whether what they have live is its release."""
        view = await self._verifications.verify(
            request.verification_id,
            request.project,
            request.environment,
            repair=request.repair,
            actor=current_actor(),
        )
        return pb.VerifyProjectResponse(verification=convert.verification(view))

    async def GetVerification(  # noqa: N802
        self, request: pb.GetVerificationRequest, context: Any
    ) -> pb.GetVerificationResponse:
        """Tell what they found so far."""
        view = await self._verifications.get(request.verification_id)
        return pb.GetVerificationResponse(verification=convert.verification(view))

    async def _told(self, node: Node) -> pb.Node:
        return convert.node(node, alive=node.id in await alive_nodes(self._coordination))
