"""From settings to a node's tracer; whatever needs OpenTelemetry is imported here, when it is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from longshore_server.identity import Identity
from longshore_server.settings import TracingSettings
from longshore_server.unbroken import in_thread
from longshore_storage.errors import Misconfigured

from .spans import use

_log = structlog.get_logger(__name__)

_INSTALL = "pip install 'longshore[server,tracing]'"


def check_tracing(settings: TracingSettings) -> None:
    """Raise ``Misconfigured`` where a node could not trace as it is told to."""
    if not settings.endpoint:
        return
    try:
        from .collector import OtlpCollector
    except ImportError as error:
        if not str(error.name).startswith("opentelemetry"):
            raise
        raise Misconfigured(
            f"`tracing.endpoint` is set, and OpenTelemetry is not installed: {_INSTALL}, or leave it empty"
        ) from None
    OtlpCollector(settings).close()


@asynccontextmanager
async def open_tracing(
    settings: TracingSettings, identity: Identity, version: str, on_spans: Callable[[str, int], None]
) -> AsyncIterator[None]:
    """Trace in the block and in the tasks that it starts; ``on_spans`` is told what became of spans.

    Raises ``Misconfigured``.
    """
    check_tracing(settings)
    from .collector import OtlpCollector
    from .sending import SpanSender
    from .tracer import OtelTracer

    resource = {
        "service.name": settings.service_name,
        "service.version": version,
        "service.instance.id": identity.node_id,
        "longshore.node": identity.name,
    }
    sender = SpanSender(OtlpCollector(settings), on_spans)
    sender.start()
    use(OtelTracer(sender, resource, settings.sample_ratio))
    _log.info("traces.sent_to", endpoint=settings.endpoint, sample_ratio=settings.sample_ratio)
    try:
        yield
    finally:
        use(None)
        await in_thread(sender.shutdown)
