"""What every upload of a node works with, and the limits that its header is held against."""

from __future__ import annotations

from dataclasses import dataclass

from longshore_server.metrics import Metrics
from longshore_server.refusal import Reason, Refusal
from longshore_server.wakeups import Wakeups
from longshore_storage.catalogue import Catalogue
from longshore_storage.payloads import PayloadStore

from .examining import Examiner
from .left_behind import LeftBehind
from .pace import Pace
from .quotas import Quotas
from .requests import Header
from .running import RunningSessions
from .visibility import Visibility


@dataclass(frozen=True, slots=True)
class UploadTools:
    """Made once a node. ``min_rate_bytes_s`` is looked at over stretches of ``idle_timeout_s``."""

    catalogue: Catalogue
    payloads: PayloadStore
    examiner: Examiner
    wakeups: Wakeups
    visibility: Visibility
    running: RunningSessions
    quotas: Quotas
    left_behind: LeftBehind
    metrics: Metrics
    max_payload_bytes: int
    min_rate_bytes_s: float
    idle_timeout_s: float

    def check_header(self, header: Header) -> None:
        """Raise ``Refusal`` for a payload that this node could never take."""
        size_bytes = header.payload_size_bytes or 0
        self.check_size(size_bytes)
        self.examiner.check(header.payload_format, size_bytes)

    def check_size(self, size_bytes: int) -> None:
        """Raise ``Refusal`` for a payload that is too large."""
        if size_bytes > self.max_payload_bytes:
            raise Refusal(
                Reason.LIMIT_EXCEEDED,
                f"the payload has more than {self.max_payload_bytes} bytes, the limit of this server "
                "(`uploads.max_payload_bytes`)",
            )

    def pace(self, begin_at: int) -> Pace:
        """For an upload that goes on at ``begin_at``."""
        return Pace(self.min_rate_bytes_s, over_s=self.idle_timeout_s, begin_at=begin_at)
