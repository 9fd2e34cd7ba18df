"""What a node counts and measures, for Prometheus on a port of its own."""

from .blobs import MeasuredBlobs
from .endpoint import open_endpoint
from .metrics import Metrics
from .overview import tell_overview
from .statements import measure_statements

__all__ = ["MeasuredBlobs", "Metrics", "measure_statements", "open_endpoint", "tell_overview"]
