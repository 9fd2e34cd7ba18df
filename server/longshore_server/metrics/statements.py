"""How long SQL statements take."""

from __future__ import annotations

from prometheus_client import Histogram

from longshore_storage.catalogue import Catalogue


def measure_statements(catalogue: Catalogue, seconds: Histogram) -> None:
    """Observe every statement of a catalogue, from when it is sent until its result is there."""
    catalogue.time_statements(seconds.observe)
