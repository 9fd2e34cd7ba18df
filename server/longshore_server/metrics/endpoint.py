"""Where Prometheus reads a node's metrics: plain HTTP, in threads of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import start_http_server

from longshore_storage.errors import Misconfigured

from .metrics import Metrics


@contextmanager
def open_endpoint(metrics: Metrics, listen: str) -> Iterator[str]:
    """Answer at ``listen`` (HOST:PORT; port 0 picks one) while the block runs; gives the address.

    Raises ``Misconfigured`` where nobody can listen.
    """
    host, _, port = listen.rpartition(":")
    try:
        server, thread = start_http_server(int(port), addr=host.strip("[]"), registry=metrics.registry)
    except (OSError, ValueError, OverflowError) as error:
        raise Misconfigured(
            f"cannot tell metrics at {listen} (`metrics.listen`): {error}; choose another HOST:PORT"
        ) from error
    try:
        yield f"{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
