"""Collecting: what nothing names any more goes, in the catalogue and in the blob store. See ``collector``."""

from .collector import Collector
from .ownership import take_over
from .report import CollectingReport
from .retention import Retention
from .settings import CollectingSettings

__all__ = ["CollectingReport", "CollectingSettings", "Collector", "Retention", "take_over"]
