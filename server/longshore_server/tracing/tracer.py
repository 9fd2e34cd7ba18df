"""Spans by OpenTelemetry; loaded only by a node that traces.

A trace that others have begun is kept or left out as they said, others by the node's own ratio. Errors are
told by their reason or their type, without their text, which may quote what nobody else is to read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind, Status, StatusCode, get_current_span, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from longshore_server.translation import refusal_of

from .spans import Fact, Span, name_trace_in_log

_LIMITS: Final = SpanLimits(max_span_attributes=32, max_attribute_length=200, max_events=0, max_links=0)
# An id is 55 characters long; later versions may add to it.
_LONGEST_CONTEXT: Final = 255
_KEY: Final = "traceparent"
_W3C: Final = TraceContextTextMapPropagator()


class OtelTracer:
    """Makes spans that end in ``processor``; ``resource`` says whose they are."""

    def __init__(self, processor: SpanProcessor, resource: Mapping[str, str], sample_ratio: float) -> None:
        provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(sample_ratio)),
            resource=Resource.create(dict(resource)),
            shutdown_on_exit=False,
            span_limits=_LIMITS,
        )
        provider.add_span_processor(processor)
        self._tracer = provider.get_tracer("longshore_server", resource.get("service.version"))

    @contextmanager
    def span(
        self, name: str, within: str | None, facts: Mapping[str, Fact], *, serves: bool
    ) -> Iterator[Span]:
        """See ``spans``."""
        begun = self._tracer.start_span(
            name,
            context=_context_of(within),
            kind=SpanKind.SERVER if serves else SpanKind.INTERNAL,
            attributes=_attributes(facts),
        )
        with use_span(begun, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            if within is not None:
                name_trace_in_log(self.context())
            try:
                yield _BegunSpan(begun)
            except BaseException as error:
                _note(begun, error)
                raise

    def record(
        self, name: str, within: str | None, begun: datetime, ended: datetime, facts: Mapping[str, Fact]
    ) -> None:
        """See ``spans``."""
        self._tracer.start_span(
            name, context=_context_of(within), attributes=_attributes(facts), start_time=_nanoseconds(begun)
        ).end(_nanoseconds(ended))

    def describe(self, facts: Mapping[str, Fact]) -> None:
        """See ``spans``."""
        get_current_span().set_attributes(_attributes(facts))

    def context(self) -> str:
        """See ``spans``."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier.get(_KEY, "")


class _BegunSpan:
    def __init__(self, begun: OtelSpan) -> None:
        self._begun = begun

    def set(self, **facts: Fact) -> None:
        self._begun.set_attributes(_attributes(facts))


def _context_of(within: str | None) -> Context | None:
    """What a span is part of: None is what is around, an empty one nothing."""
    if within is None:
        return None
    return _W3C.extract({_KEY: within}, Context()) if len(within) <= _LONGEST_CONTEXT else Context()


def _attributes(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    """By the names of OpenTelemetry's conventions where they are given, else by our own."""
    return {name if "." in name else f"longshore.{name}": value for name, value in facts.items()}


def _note(begun: OtelSpan, error: BaseException) -> None:
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        begun.set_attribute("longshore.cancelled", True)
        return
    refusal = refusal_of(error)
    begun.set_attribute("error.type", refusal.reason.value if refusal else type(error).__name__)
    begun.set_status(Status(StatusCode.ERROR))


def _nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000) * 1000
