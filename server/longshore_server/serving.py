"""The gRPC server of a node: which services it has, what it allows a connection, and where it listens."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from longshore.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    cluster_service_pb2,
    cluster_service_pb2_grpc,
    deployment_service_pb2,
    deployment_service_pb2_grpc,
)
from longshore_storage.errors import Misconfigured

from .certificates import server_credentials
from .open_files import most_connections
from .rpc.catalog_service import CatalogServicer
from .rpc.cluster_service import ClusterServicer
from .rpc.deployment_service import DeploymentServicer
from .rpc.interceptor import CallInterceptor
from .rpc.metadata_limit import MetadataLimit
from .rpc.traced_calls import TracedCalls
from .rpc.wire_limits import LARGEST_METADATA_BYTES, RECEIVE_LIMIT_BYTES
from .settings import TlsSettings

_SERVICES = (
    deployment_service_pb2.DESCRIPTOR.services_by_name["DeploymentService"].full_name,
    catalog_service_pb2.DESCRIPTOR.services_by_name["CatalogService"].full_name,
    cluster_service_pb2.DESCRIPTOR.services_by_name["ClusterService"].full_name,
    health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
    reflection.SERVICE_NAME,
)

_MOST_CALLS_WAITING = 12_000
_MOST_CALLS_OF_A_CONNECTION = 1_000
# Of the bits one for each algorithm that gRPC knows.
_UNCOMPRESSED = 1 << grpc.Compression.NoCompression.value

_SERVER_OPTIONS = (
    ("grpc.max_receive_message_length", RECEIVE_LIMIT_BYTES),
    # Both, or gRPC refuses some calls at random between half of it and all of it.
    ("grpc.max_metadata_size", LARGEST_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", LARGEST_METADATA_BYTES),
    # A request could be a thousand times as large as what is sent of it; payloads need none.
    ("grpc.compression_enabled_algorithms_bitset", _UNCOMPRESSED),
    # Two nodes must not answer on one port by turns.
    ("grpc.so_reuseport", 0),
    # Clients may ask whether the connection lives every ten seconds, also while they only follow.
    ("grpc.http2.min_ping_interval_without_data_ms", 9_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # What a client may have under way: it is memory here, and is sent again when the connection is cut.
    ("grpc.http2.lookahead_bytes", 4 << 20),
    ("grpc.http2.bdp_probe", 0),
    # Calls that came together and wait to be taken, as when all followers come back at once: gRPC would cut
    # some of them off from a thousand on, all from three thousand on.
    ("grpc.server.max_pending_requests", _MOST_CALLS_WAITING),
    ("grpc.server.max_pending_requests_hard_limit", _MOST_CALLS_WAITING),
    # Of one connection: what is begun costs memory, also where it is taken back at once.
    ("grpc.max_concurrent_streams", _MOST_CALLS_OF_A_CONNECTION),
    # Who connects has a while to say so in HTTP/2, and in TLS.
    ("grpc.server_handshake_timeout_ms", 20_000),
    # Until a client has acknowledged these limits, gRPC does not hold it to all of them.
    ("grpc.http2.settings_timeout", 10_000),
    # So that followers spread over nodes that came later; running calls get an hour to end.
    ("grpc.max_connection_age_ms", 3_600_000),
    ("grpc.max_connection_age_grace_ms", 3_600_000),
)


def make_server(
    calls: CallInterceptor,
    deployments: DeploymentServicer,
    catalog: CatalogServicer,
    cluster: ClusterServicer,
    health: health_pb2_grpc.HealthServicer,
    *,
    traced: bool = False,
) -> grpc.aio.Server:
    """A server with every service, and reflection, that does not listen yet; ``calls`` sees each call."""
    interceptors = [MetadataLimit(), calls, *([TracedCalls()] if traced else [])]
    connections = ("grpc.max_allowed_incoming_connections", most_connections())
    server = grpc.aio.server(interceptors=interceptors, options=(*_SERVER_OPTIONS, connections))
    deployment_service_pb2_grpc.add_DeploymentServiceServicer_to_server(deployments, server)
    catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(catalog, server)
    cluster_service_pb2_grpc.add_ClusterServiceServicer_to_server(cluster, server)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    reflection.enable_server_reflection(_SERVICES, server)
    return server


def listen(server: grpc.aio.Server, where: str, tls: TlsSettings) -> str:
    """Listen at ``where``, a HOST:PORT, and tell the address.

    Raises ``Misconfigured`` if it is taken, or the certificate cannot be used.
    """
    host = where.rpartition(":")[0]
    credentials = server_credentials(tls)
    try:
        if credentials is None:
            port = server.add_insecure_port(where)
        else:
            port = server.add_secure_port(where, credentials)
    except RuntimeError:
        port = 0
    if port == 0:
        raise Misconfigured(
            f"cannot listen on {where}: another program uses the port, or the address is not "
            "this machine's; choose another with --listen (port 0 picks a free one)"
        )
    return f"{host}:{port}"
