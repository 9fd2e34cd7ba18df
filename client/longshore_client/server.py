"""One server: a channel to its address, and the stubs on it."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from longshore.v1.catalog_service_pb2_grpc import CatalogServiceStub
from longshore.v1.cluster_service_pb2_grpc import ClusterServiceStub
from longshore.v1.deployment_service_pb2_grpc import DeploymentServiceStub

from .addresses import is_loopback
from .certificates import Certificates
from .credentials import Credentials, open_channel, shown_by
from .errors import ConnectionEnded, HandshakeFailed

if TYPE_CHECKING:
    # These exist for type checkers only; the stub's class gives them for an asyncio channel.
    from longshore.v1.catalog_service_pb2_grpc import CatalogServiceAsyncStub
    from longshore.v1.cluster_service_pb2_grpc import ClusterServiceAsyncStub
    from longshore.v1.deployment_service_pb2_grpc import DeploymentServiceAsyncStub

LARGEST_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""gRPC's own default, named so that no environment changes it."""

_LOOKED_AT_EVERY_S: Final = 30.0

_CHANNEL_OPTIONS: Final = (
    ("grpc.max_send_message_length", LARGEST_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", LARGEST_MESSAGE_BYTES),
    # A connection that died silently is noticed within 20 s, as long as a call is open on it.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Retries are ours: a call that is tried again has to know it.
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
)


class Server:
    """The server at ``address`` (``host:port``); it is connected to when it is first called.

    ``has_answered`` is set by who got an answer. Raises ``CredentialsUnusable``.
    """

    def __init__(self, address: str, credentials: Credentials, certificates: Certificates) -> None:
        self.address = address
        self.has_answered = False
        self._looked_in_vain_s = -math.inf
        # What that look found, which may be another thing at the next one.
        self._may_pass: ConnectionEnded | None = None
        self._credentials = credentials
        self._certificates = certificates
        self.shown = shown_by(credentials)
        # A proxy that the environment names never leads back to this machine.
        proxy = () if not is_loopback(address) else (("grpc.enable_http_proxy", 0),)
        self._channel = open_channel(address, credentials, certificates, (*_CHANNEL_OPTIONS, *proxy))
        self.deployments: DeploymentServiceAsyncStub = DeploymentServiceStub(self._channel)
        self.catalog: CatalogServiceAsyncStub = CatalogServiceStub(self._channel)
        self.cluster: ClusterServiceAsyncStub = ClusterServiceStub(self._channel)

    async def mistake(self, *, distrusted: bool) -> HandshakeFailed | ConnectionEnded | None:
        """Why it could not be connected to, if that is a mistake about encryption or certificates.

        Not of one that has answered: it is only away. A look in vain is not made again at each of many tries.
        ``distrusted``: its certificate was not trusted.
        """
        if self.has_answered:
            return None
        if time.monotonic() - self._looked_in_vain_s < _LOOKED_AT_EVERY_S:
            return self._may_pass
        # Needed on the way to an error only.
        from .handshaking import mistake_about_tls

        mistake = await mistake_about_tls(
            self.address, self._credentials, self._certificates, distrusted=distrusted
        )
        if not isinstance(mistake, HandshakeFailed):
            self._looked_in_vain_s, self._may_pass = time.monotonic(), mistake
        return mistake

    async def close(self) -> None:
        """End every call that is still open and close the channel."""
        await self._channel.close()
