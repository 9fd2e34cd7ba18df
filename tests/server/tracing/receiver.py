"""A collector, made with OpenTelemetry's own stubs: keeps what nodes and clients send, to be looked at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as pb_grpc
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.services.certificates import KeyPair


@dataclass(frozen=True)
class Received:
    """A span, with the node (empty: a client) and the service that sent it."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    service: str
    node: str
    facts: dict[str, Any]
    failed: bool

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-01"


@dataclass
class Receiver(pb_grpc.TraceServiceServicer):
    """What came; while ``holds`` nothing is answered."""

    requests: list[pb.ExportTraceServiceRequest] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    holds: bool = False
    address: str = ""
    scheme: str = "http"

    def __post_init__(self) -> None:
        self._changed = asyncio.Event()

    @property
    def endpoint(self) -> str:
        return f"{self.scheme}://{self.address}"

    async def Export(  # noqa: N802
        self, request: pb.ExportTraceServiceRequest, context: Any
    ) -> pb.ExportTraceServiceResponse:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        self._changed.set()
        if self.holds:
            # Until the call is given up.
            await asyncio.Event().wait()
        return pb.ExportTraceServiceResponse()

    @property
    def spans(self) -> list[Received]:
        return [
            Received(
                span.name,
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                str((resource := _facts(of.resource.attributes)).get("service.name")),
                str(resource.get("longshore.node", "")),
                _facts(span.attributes),
                span.status.code == Status.STATUS_CODE_ERROR,
            )
            for request in self.requests
            for of in request.resource_spans
            for scope in of.scope_spans
            for span in scope.spans
        ]

    async def until(self, fits: Callable[[Sequence[Received]], bool]) -> list[Received]:
        """What has come, as soon as it fits."""
        try:
            async with asyncio.timeout(20):
                while not fits(spans := self.spans):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            error.add_note("\n".join(f"{one.node} {one.name} {one.facts}" for one in self.spans))
            raise
        return spans

    async def until_told(self, *names: str) -> list[Received]:
        """What has come, as soon as there are spans of all these names, each as often as it is named."""
        return await self.until(
            lambda spans: all(
                [one.name for one in spans].count(name) >= names.count(name) for name in set(names)
            )
        )


@asynccontextmanager
async def receiving(address: str = "127.0.0.1:0", pair: KeyPair | None = None) -> AsyncIterator[Receiver]:
    """A collector that listens for as long as the block runs; with TLS where it has a key."""
    receiver = Receiver(scheme="http" if pair is None else "https")
    server = grpc.aio.server()
    pb_grpc.add_TraceServiceServicer_to_server(receiver, server)  # type: ignore[no-untyped-call]
    if pair is None:
        port = server.add_insecure_port(address)
    else:
        shown = (pair.key_file.read_bytes(), pair.cert_file.read_bytes())
        port = server.add_secure_port(address, grpc.ssl_server_credentials([shown]))
    receiver.address = f"127.0.0.1:{port}"
    await server.start()
    try:
        yield receiver
    finally:
        await server.stop(0)


def sending_to(receiver: Receiver) -> TracerProvider:
    """What a program that traces sets up; to be flushed in another thread than the receiver's."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(receiver.endpoint)))
    return provider


def _facts(attributes: Sequence[KeyValue]) -> dict[str, Any]:
    return {
        one.key: getattr(one.value, one.value.WhichOneof("value") or "string_value") for one in attributes
    }
