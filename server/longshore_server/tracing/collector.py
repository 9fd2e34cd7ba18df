"""A collector that takes OTLP over gRPC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import grpc
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.sdk.trace import ReadableSpan

from longshore_server.settings import TracingSettings
from longshore_storage.errors import Misconfigured

from .sending import CollectorAway

# A proxy that the environment names would read what goes in the clear.
_DIRECTLY: Final = (("grpc.enable_http_proxy", 0),)
# By OTLP's specification: what these refuse is refused for good.
_PASSING: Final = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)


class OtlpCollector:
    """The one that the settings name; it is connected to when it is first sent something.

    Raises ``Misconfigured`` when a file of the settings cannot be read.
    """

    def __init__(self, settings: TracingSettings) -> None:
        self._headers = settings.metadata
        if settings.encrypted:
            self._channel = grpc.secure_channel(settings.target, _credentials(settings))
        else:
            self._channel = grpc.insecure_channel(settings.target, _DIRECTLY)
        self._stub = TraceServiceStub(self._channel)  # type: ignore[no-untyped-call]

    def take(self, spans: Sequence[ReadableSpan], *, timeout_s: float) -> int:
        """See ``sending``."""
        try:
            answer: ExportTraceServiceResponse = self._stub.Export(
                encode_spans(spans), timeout=timeout_s, metadata=self._headers
            )
        except grpc.RpcError as error:
            code = error.code()
            if code in _PASSING:
                raise CollectorAway(code.name) from None
            return len(spans)
        return answer.partial_success.rejected_spans

    def close(self) -> None:
        """See ``sending``."""
        self._channel.close()


def _credentials(settings: TracingSettings) -> grpc.ChannelCredentials:
    try:
        ca = settings.ca_file.read_bytes() if settings.ca_file is not None else None
    except OSError as error:
        raise Misconfigured(
            f"{settings.ca_file} (`tracing.ca_file`) cannot be read: {error.strerror}"
        ) from None
    return grpc.ssl_channel_credentials(ca)
