"""Spans of what the client does, by the OpenTelemetry of the program that calls it.

Where that program has not loaded OpenTelemetry, nothing of it is loaded here: there is nobody to tell. Spans
say ids, names and numbers, and of an error its reason, never its text.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from .errors import LongshoreError

if TYPE_CHECKING:
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import Tracer, TracerProvider

Fact = str | int | bool

_LOADED: Final = "opentelemetry.trace"
_KEY: Final = "traceparent"


class Span(Protocol):
    """A span that has begun."""

    def set(self, **facts: Fact) -> None:
        """Tell more of it."""
        ...


class _NoSpan:
    """What stands for every span where nobody traces."""

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def set(self, **facts: Fact) -> None:
        pass


_NO_SPAN: Final = _NoSpan()


class Tracing:
    """Makes spans by ``provider``, by default by the one that the program has set up."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider

    def span(self, name: str, *, calls: bool = False, **facts: Fact) -> AbstractContextManager[Span]:
        """A span for as long as the block runs; ``calls`` says that a server answers it."""
        loaded = sys.modules.get(_LOADED)
        if self._provider is None and loaded is None:
            return _NO_SPAN
        from opentelemetry.trace import get_tracer

        return _begun(
            get_tracer("longshore_client", tracer_provider=self._provider), name, facts, calls=calls
        )


BY_THE_PROGRAM: Final = Tracing()
"""As the program that calls has it."""


def trace_metadata() -> tuple[tuple[str, str], ...]:
    """What lets a server's spans join the trace of the span around; nothing where there is none."""
    if _LOADED not in sys.modules:
        return ()
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return ((_KEY, carrier[_KEY]),) if _KEY in carrier else ()


class _BegunSpan:
    def __init__(self, begun: OtelSpan) -> None:
        self._begun = begun

    def set(self, **facts: Fact) -> None:
        self._begun.set_attributes(_attributes(facts))


@contextmanager
def _begun(tracer: Tracer, name: str, facts: Mapping[str, Fact], *, calls: bool) -> Iterator[Span]:
    from opentelemetry.trace import SpanKind, Status, StatusCode

    with tracer.start_as_current_span(
        name,
        kind=SpanKind.CLIENT if calls else SpanKind.INTERNAL,
        attributes=_attributes(facts),
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield _BegunSpan(span)
        except Exception as error:
            reason = error.reason if isinstance(error, LongshoreError) else ""
            span.set_attribute("error.type", reason or type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise


def _attributes(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    return {f"longshore.{name}": value for name, value in facts.items()}
