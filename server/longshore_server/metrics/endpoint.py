"""Where Prometheus reads a node's metrics: plain HTTP."""

from __future__ import annotations

from contextlib import AbstractContextManager

from prometheus_client import MetricsHandler

from longshore_server.bounded_http import open_http

from .metrics import Metrics


def open_endpoint(metrics: Metrics, listen: str) -> AbstractContextManager[str]:
    """Answer at ``listen`` (HOST:PORT; port 0 picks one) while the block runs; gives the address.

    Raises ``Misconfigured`` where nobody can listen.
    """
    return open_http(listen, MetricsHandler.factory(metrics.registry), setting="metrics.listen")
