"""How an upload goes, and how far it is: what callers of ``Client.deploy`` say and are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from .errors import LongshoreError


class Way(StrEnum):
    """How a payload's bytes go: only what the server lacks, compressed, or all of them as they are."""

    THRIFTY = "thrifty"
    PLAIN = "plain"


class UploadPhase(StrEnum):
    """What an upload does."""

    ACCEPTED = "accepted"
    SENDING = "sending"
    RECORDING = "recording"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class UploadProgress:
    """How far an upload is; sizes in bytes.

    ``done_bytes`` of ``total_bytes`` (None where unknown) were sent, referred to or durable before;
    ``sent_bytes`` went over the wire and ``reused_bytes`` did not, because the server had them.
    In the phase ``WAITING`` the attempt broke off, by ``error``, and is tried again, at ``server``.
    """

    deployment_id: str
    phase: UploadPhase
    attempt: int
    server: str
    done_bytes: int
    total_bytes: int | None
    sent_bytes: int
    reused_bytes: int
    error: LongshoreError | None = None

    @property
    def already_stored(self) -> bool:
        """Whether all of the payload was there, so that none of it was sent; known once it is recorded."""
        return self.phase is UploadPhase.RECORDING and not self.sent_bytes


ProgressCallback = Callable[[UploadProgress], None]
