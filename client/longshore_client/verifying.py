"""The calls about verifying: nodes compare what they have live with its release, and tell what they find."""

from __future__ import annotations

import asyncio
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from longshore.v1 import cluster_service_pb2

from .connection import Connection
from .message_fields import enum_table, optional_time
from .verification_models import (
    DifferenceKind,
    NodeVerification,
    TreeDifference,
    Verification,
    VerificationStatus,
)

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 2.0
_GROWTH: Final = 1.5

_STATUSES: Final = enum_table(
    VerificationStatus, cluster_service_pb2.VerificationStatus.DESCRIPTOR, "VERIFICATION_STATUS_"
)
_KINDS: Final = enum_table(DifferenceKind, cluster_service_pb2.DifferenceKind.DESCRIPTOR, "DIFFERENCE_KIND_")


class Verifying(ABC):
    """Asking nodes whether they have what they should. Every method raises ``LongshoreError``."""

    @property
    @abstractmethod
    def _connection(self) -> Connection:
        """The open connection."""

    async def verify(
        self,
        project: str,
        *,
        environment: str = "default",
        repair: bool = False,
        verification_id: str | None = None,
    ) -> Verification:
        """Have the nodes of an environment compare what they have live of a project with its release.

        With ``repair`` they build it again where it differs. It goes on without us, nodes that are away look
        when they are back; what they found is kept for a day: see ``verified``. Raises ``ProjectNotFound``
        and ``EnvironmentNotFound``.
        """
        answer = await self._connection.unary(
            lambda server: server.cluster.VerifyProject,
            cluster_service_pb2.VerifyProjectRequest(
                verification_id=verification_id or str(uuid.uuid4()),
                project=project,
                environment=environment,
                repair=repair,
            ),
        )
        return _verification(answer.verification)

    async def verification(self, verification_id: str) -> Verification:
        """A verification as it stands."""
        answer = await self._connection.unary(
            lambda server: server.cluster.GetVerification,
            cluster_service_pb2.GetVerificationRequest(verification_id=verification_id),
        )
        return _verification(answer.verification)

    async def verified(
        self, verification_id: str, *, on_change: Callable[[Verification], None] | None = None
    ) -> Verification:
        """Wait until every node has told what it found, however long that takes.

        ``on_change`` is called in the event loop with how it stands, first at once.
        """
        pause_s, told = _FIRST_PAUSE_S, None
        while True:
            now = await self.verification(verification_id)
            if now != told and on_change is not None:
                on_change(now)
            if now.has_ended:
                return now
            pause_s = min(pause_s * _GROWTH, _LONGEST_PAUSE_S) if now == told else _FIRST_PAUSE_S
            told = now
            await asyncio.sleep(pause_s)


def _verification(message: cluster_service_pb2.Verification) -> Verification:
    return Verification(
        verification_id=message.verification_id,
        project=message.project,
        environment=message.environment,
        repair=message.repair,
        asked_by=message.asked_by,
        create_time=optional_time(message, "create_time"),
        nodes=tuple(map(_node, message.nodes)),
    )


def _node(message: cluster_service_pb2.NodeVerification) -> NodeVerification:
    return NodeVerification(
        node_name=message.node_name,
        status=_STATUSES.get(message.status, VerificationStatus.UNKNOWN),
        version=message.version,
        compared_entries=message.compared_entries,
        differences=tuple(
            TreeDifference(one.path, _KINDS.get(one.kind, DifferenceKind.UNKNOWN))
            for one in message.differences
        ),
        total_differences=message.total_differences,
        message=message.message,
        end_time=optional_time(message, "end_time"),
    )
