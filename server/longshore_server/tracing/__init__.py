"""Traces: what a node did for a deployment, told to a collector as OpenTelemetry's spans.

Off by default, and then nothing of OpenTelemetry is loaded: ``span`` gives back one object that does nothing.
Invariants: nobody ever waits for a collector; a span says nothing but what ``Fact`` values it is given, never
the text of an error; what other nodes do for a deployment joins the trace of the call that made it, by the
context that its row keeps.
"""

from .opening import check_tracing, open_tracing
from .spans import Span, describe, name_trace_in_log, record_span, span, trace_context
from .store_use import TracedBlobs, store_use

__all__ = [
    "Span",
    "TracedBlobs",
    "check_tracing",
    "describe",
    "name_trace_in_log",
    "open_tracing",
    "record_span",
    "span",
    "store_use",
    "trace_context",
]
