"""Traces of commands, where OpenTelemetry's own variables ask for them and its packages are installed.

A command never fails for its trace: a collector that does not take it costs a warning and a few seconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import TracerProvider

ENDPOINT_VARIABLE: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_TIMEOUT_S: Final = 2.0


@contextmanager
def traced(command: str) -> Iterator[TracerProvider | None]:
    """Trace a command for as long as the block runs, where that is asked for; what spans are made by.

    It is part of what ``TRACEPARENT`` names, as pipelines set it.
    """
    if (
        not os.environ.get(ENDPOINT_VARIABLE)
        or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc") != "grpc"
    ):
        yield None
        return
    # What gRPC's core logs is no word for people.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
    except ImportError:
        yield None
        return
    import logging

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    class Telling(OTLPSpanExporter):
        """Remembers that spans were not taken, instead of logging it."""

        failed = False

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            result = super().export(spans)
            self.failed = self.failed or result is not SpanExportResult.SUCCESS
            return result

    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    exporter = Telling(timeout=_TIMEOUT_S)
    named = os.environ.get("OTEL_SERVICE_NAME")
    provider = TracerProvider(
        resource=Resource.create({} if named else {"service.name": "longshore-cli"}), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    around = TraceContextTextMapPropagator().extract({"traceparent": os.environ.get("TRACEPARENT", "")})
    try:
        with provider.get_tracer("longshore_client").start_as_current_span(
            command, context=around, record_exception=False, set_status_on_exception=False
        ):
            yield provider
    finally:
        provider.force_flush()
        if exporter.failed:
            from .failing import warn

            warn(f"the trace was not taken by {os.environ[ENDPOINT_VARIABLE]} ({ENDPOINT_VARIABLE})", ())
