"""Asks the node of this container over gRPC whether it is alive; the status is 0 when it says so.

It owns no opinion of its own and imports nothing of Longshore's: a node that is broken must not break what
tells so. The port is that of ``LONGSHORE_LISTEN``, the setting of the node beside it.
"""

from __future__ import annotations

import os
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

DEFAULT_LISTEN = "127.0.0.1:7420"
DEADLINE_S = 4


def main() -> int:
    """Ask for the health of the whole server, the service with the empty name."""
    port = os.environ.get("LONGSHORE_LISTEN", DEFAULT_LISTEN).rpartition(":")[2]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=DEADLINE_S
            )
        except grpc.RpcError as error:
            sys.stderr.write(f"{error.code().name}: {error.details()}\n")
            return 1
    sys.stdout.write(f"{health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}\n")
    return 0 if answer.status == health_pb2.HealthCheckResponse.SERVING else 1


if __name__ == "__main__":
    sys.exit(main())
