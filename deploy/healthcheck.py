"""Asks the node beside it over gRPC how it is; the status is 0 when it says that it is well.

    python healthcheck.py [SERVICE]

SERVICE is one of the health service's: nothing for "alive", `longshore.read` or `longshore.upload`.

It owns no opinion of its own and imports nothing of Longshore's: a node that is broken must not break what
tells so. Port and certificate are those of the variables of the node beside it, ``LONGSHORE_LISTEN`` and
``LONGSHORE_TLS__*``. It trusts that certificate itself and asks nobody who signed it, and where clients must
show one it shows the same.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import grpc
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc

DEFAULT_LISTEN = "127.0.0.1:7420"
DEADLINE_S = 4


def main(service: str) -> int:
    """Ask for the health of a service; the one with the empty name is the whole server."""
    port = os.environ.get("LONGSHORE_LISTEN", DEFAULT_LISTEN).rpartition(":")[2]
    try:
        with channel_to(f"127.0.0.1:{port}") as channel:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE_S
            )
    except grpc.RpcError as error:
        sys.stderr.write(f"{error.code().name}: {error.details()}\n")
        return 1
    except (OSError, ValueError) as error:
        sys.stderr.write(f"the certificate cannot be read: {error}\n")
        return 1
    sys.stdout.write(f"{health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}\n")
    return 0 if answer.status == health_pb2.HealthCheckResponse.SERVING else 1


def channel_to(address: str) -> grpc.Channel:
    """A channel as the node wants it: plain, or with TLS."""
    if not (cert_file := os.environ.get("LONGSHORE_TLS__CERT_FILE")):
        return grpc.insecure_channel(address)
    certificate = Path(cert_file).read_bytes()
    shown: tuple[bytes, bytes] | tuple[None, None] = (None, None)
    if os.environ.get("LONGSHORE_TLS__CLIENT_CA_FILE"):
        shown = (Path(os.environ["LONGSHORE_TLS__KEY_FILE"]).read_bytes(), certificate)
    credentials = grpc.ssl_channel_credentials(certificate, *shown)
    options = [("grpc.ssl_target_name_override", name_in(certificate))]
    return grpc.secure_channel(address, credentials, options)


def name_in(certificate: bytes) -> str:
    """A name that the certificate is good for."""
    leaf = x509.load_pem_x509_certificate(certificate)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    for kind in (x509.DNSName, x509.IPAddress):
        if found := names.get_values_for_type(kind):
            return str(found[0])
    raise ValueError("it names no host")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
