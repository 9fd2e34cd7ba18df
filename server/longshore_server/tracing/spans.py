"""What the rest of the node calls: spans that are there where it traces, and are nothing where it does not.

The node's tracer is a context variable, which every task of a node inherits from the one that opened it: so
two nodes in one process have their own, and no layer has to hand it on. What is told of a span are facts by
their names in the field (``deployment_id``, ``stored_bytes``); callers give no secrets, headers and labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from datetime import datetime
from typing import Final, Protocol

import structlog

Fact = str | int | float | bool


class Span(Protocol):
    """A span that has begun."""

    def set(self, **facts: Fact) -> None:
        """Tell more of it."""
        ...


class Tracer(Protocol):
    """Makes spans."""

    def span(
        self, name: str, within: str | None, facts: Mapping[str, Fact], *, serves: bool
    ) -> AbstractContextManager[Span]:
        """See ``span``."""
        ...

    def record(
        self, name: str, within: str | None, begun: datetime, ended: datetime, facts: Mapping[str, Fact]
    ) -> None:
        """See ``record_span``."""
        ...

    def describe(self, facts: Mapping[str, Fact]) -> None:
        """See ``describe``."""
        ...

    def context(self) -> str:
        """See ``trace_context``."""
        ...


class _NoSpan:
    """What stands for every span of a node that does not trace."""

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def set(self, **facts: Fact) -> None:
        pass


_NO_SPAN: Final = _NoSpan()
_tracer: ContextVar[Tracer | None] = ContextVar("tracer", default=None)


def use(tracer: Tracer | None) -> None:
    """Trace by ``tracer`` in this task, and in those that it starts from now on."""
    _tracer.set(tracer)


def is_tracing() -> bool:
    """Whether spans go anywhere."""
    return _tracer.get() is not None


def span(
    name: str, *, within: str | None = None, serves: bool = False, **facts: Fact
) -> AbstractContextManager[Span]:
    """A span for as long as the block runs; the spans in it are its parts.

    It is part of the one around it, or of what ``within`` names: a ``traceparent``, as others give it or a
    row keeps it; where that is empty or no such thing, a trace begins. Where there is a ``within``, log lines
    name the trace to the end of the task. ``serves`` says that it answers a call.
    """
    tracer = _tracer.get()
    return _NO_SPAN if tracer is None else tracer.span(name, within, facts, serves=serves)


def record_span(
    name: str, *, begun: datetime, ended: datetime, within: str | None = None, **facts: Fact
) -> None:
    """Tell of what is over, because only its end shows what to tell; ``within`` as for ``span``."""
    if (tracer := _tracer.get()) is not None:
        tracer.record(name, within, begun, ended, facts)


def describe(**facts: Fact) -> None:
    """Tell more of the span around."""
    if (tracer := _tracer.get()) is not None:
        tracer.describe(facts)


def trace_context() -> str:
    """The span around as W3C's ``traceparent``; empty where there is none."""
    tracer = _tracer.get()
    return "" if tracer is None else tracer.context()


def name_trace_in_log(context: str) -> None:
    """Let the log lines of this task name the trace of a ``traceparent``, or none where that is empty."""
    if context:
        structlog.contextvars.bind_contextvars(trace_id=context.split("-")[1])
    else:
        structlog.contextvars.unbind_contextvars("trace_id")
