"""How long calls are waited for, and how often and when they are tried again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPolicy:
    """What a client does about answers that do not come; times in seconds.

    ``timeout_s`` bounds each try of a call with a single answer, never an upload, a download or a stream.
    One round tries every server once; a call is given up after so many ``rounds`` in vain, an upload or a
    download after so many ``transfer_rounds`` without a byte of progress, a stream of progress after
    ``patience_s`` in silence. Between rounds the server's own advice is followed, at most
    ``longest_advised_wait_s``; where it gives none, the first wait is ``first_wait_s``, and each further one
    twice as long, up to ``longest_wait_s``.
    """

    timeout_s: float = 30.0
    rounds: int = 4
    transfer_rounds: int = 8
    patience_s: float = 120.0
    first_wait_s: float = 0.2
    longest_wait_s: float = 5.0
    longest_advised_wait_s: float = 15.0

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.transfer_rounds < 1:
            raise ValueError("rounds and transfer_rounds must be at least 1: the first try is one")
        times = (self.timeout_s, self.patience_s, self.first_wait_s, self.longest_wait_s)
        if not all(time > 0 for time in (*times, self.longest_advised_wait_s)):
            raise ValueError("times must be more than 0 s")


DEFAULT_POLICY = CallPolicy()
