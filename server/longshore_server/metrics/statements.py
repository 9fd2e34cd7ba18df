"""How long SQL statements take, by the engine's own events."""

from __future__ import annotations

import time
from typing import Any, Final

from prometheus_client import Histogram
from sqlalchemy import event

from longshore_storage.catalogue import Catalogue

_BEGUN: Final = "longshore_begun_s"


def measure_statements(catalogue: Catalogue, seconds: Histogram) -> None:
    """Observe every statement of a catalogue, from when it is sent until its result is there."""
    engine = catalogue.sync_engine

    def begin(_c: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        setattr(context, _BEGUN, time.monotonic())

    def end(_c: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        seconds.observe(time.monotonic() - getattr(context, _BEGUN))

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
