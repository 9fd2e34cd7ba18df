"""Sends spans to a collector from a thread of its own, so that nothing that is traced waits for it.

Invariants: at most ``MOST_WAITING`` spans are kept, what comes beyond is dropped and counted; what a
collector that is away did not take is tried again, until it comes back or the node stops; stopping takes at
most ``LONGEST_STOP_S``.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from time import monotonic
from typing import Final, Protocol

import structlog
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

_log = structlog.get_logger(__name__)

MOST_WAITING: Final = 8192
LONGEST_STOP_S: Final = 3.0

_MOST_IN_A_BATCH: Final = 512
# So long spans wait for others to go with them.
_GATHERED_FOR_S: Final = 1.0
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_SENDING_TIMEOUT_S: Final = 10.0
_WARNED_EVERY_S: Final = 60.0

OnSpans = Callable[[str, int], None]
"""Told how many spans were ``sent``, ``refused`` by the collector, or ``dropped``."""


class CollectorAway(Exception):
    """The collector does not take spans just now; its text is why."""


class Collector(Protocol):
    """Takes spans."""

    def take(self, spans: Sequence[ReadableSpan], *, timeout_s: float) -> int:
        """Take them, but for as many as are given back, refused for good. Raises ``CollectorAway``."""
        ...

    def close(self) -> None:
        """End the connection, and with it what is under way."""
        ...


class SpanSender(SpanProcessor):
    """Takes spans as they end; its thread runs from ``start`` to ``shutdown``."""

    def __init__(self, collector: Collector, on_spans: OnSpans) -> None:
        self._collector = collector
        self._on_spans = on_spans
        self._waiting: deque[ReadableSpan] = deque()
        self._has_come = threading.Event()
        self._stopping = threading.Event()
        self._stop_at = 0.0
        self._warned_at = -_WARNED_EVERY_S
        # With the context of who opens it, so that its log lines name the node.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._run,), name="traces", daemon=True
        )

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a span to be sent, if there is room."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if len(self._waiting) >= MOST_WAITING or self._stopping.is_set():
            self._on_spans("dropped", 1)
            return
        self._waiting.append(span)
        self._has_come.set()

    def shutdown(self) -> None:
        """Send what waits, within ``LONGEST_STOP_S``; the rest is dropped. Waits for the thread."""
        self._stop_at = monotonic() + LONGEST_STOP_S
        self._stopping.set()
        self._has_come.set()
        self._thread.join(LONGEST_STOP_S)
        self._collector.close()
        self._thread.join()

    def _run(self) -> None:
        stops = False
        while not stops:
            self._has_come.wait()
            # Before it looks whether to stop: what comes from here on wakes it again.
            self._has_come.clear()
            stops = self._stopping.wait(_GATHERED_FOR_S)
            while self._waiting:
                count = min(len(self._waiting), _MOST_IN_A_BATCH)
                self._send([self._waiting.popleft() for _ in range(count)])

    def _send(self, spans: Sequence[ReadableSpan]) -> None:
        pause_s = _FIRST_PAUSE_S
        while (left_s := self._left_s()) > 0:
            try:
                refused = self._collector.take(spans, timeout_s=left_s)
            except CollectorAway as error:
                self._warn(str(error), len(spans))
                self._stopping.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                if self._stopping.is_set():
                    break
            else:
                self._on_spans("sent", len(spans) - refused)
                if refused:
                    self._on_spans("refused", refused)
                    self._warn("the collector refuses them", refused)
                return
        self._on_spans("dropped", len(spans))

    def _left_s(self) -> float:
        return self._stop_at - monotonic() if self._stopping.is_set() else _SENDING_TIMEOUT_S

    def _warn(self, why: str, count: int) -> None:
        if monotonic() < self._warned_at + _WARNED_EVERY_S:
            return
        self._warned_at = monotonic()
        _log.warning("traces.not_sent", error=why, spans=count, waiting=len(self._waiting))
