"""A health check over time: well without a break for long enough, before the deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from .probes import Check


async def until_healthy(
    check: Check, attempt: Callable[[], Awaitable[str]], say: Callable[[str], None]
) -> str:
    """Try again and again; "" once the check was healthy for ``min_healthy_time_s``, else why it never was.

    ``attempt`` tells what is wrong, or nothing; ``say`` hears of every change.
    """
    tries = well = 0
    healthy_since: float | None = None
    said: str | None = None
    wrong = "it was not tried to the end"
    try:
        async with asyncio.timeout(check.healthy_deadline_s):
            while True:
                tries += 1
                wrong = await attempt()
                now = monotonic()
                if wrong != said:
                    say(f"not healthy: {wrong}" if wrong else "healthy")
                    said = wrong
                pause_s = check.interval_s
                if wrong:
                    healthy_since = None
                else:
                    well += 1
                    healthy_since = now if healthy_since is None else healthy_since
                    left_s = check.min_healthy_time_s - (now - healthy_since)
                    if left_s <= 0:
                        return ""
                    pause_s = min(pause_s, left_s)
                await asyncio.sleep(pause_s)
    except TimeoutError:
        for_s = f" for {check.min_healthy_time_s:g} s" if check.min_healthy_time_s else ""
        last = f"the last one: {wrong}" if wrong else "the last one was healthy"
        within = f"within {check.healthy_deadline_s:g} s"
        return f"was not healthy{for_s} {within}: {well} of {tries} tries were, {last}"
