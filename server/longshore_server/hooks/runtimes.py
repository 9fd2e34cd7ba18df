"""What a node's runtimes say of themselves: the commands that tell, and their answers, kept for a short time.

A release names runtimes, the node's settings say which command tells about each: nothing of a payload is run.
What does not answer well counts as not there, and is asked again soon, because somebody may be installing it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from time import monotonic
from typing import Final, NamedTuple

import structlog

from .environment import passed_on
from .output import KEPT_BYTES, OutputTail
from .process import run_command

_log = structlog.get_logger(__name__)

BUILT_IN_RUNTIMES: Final[Mapping[str, Sequence[str]]] = {
    "python": ("python3", "--version"),
    "nodejs": ("node", "--version"),
    "shell": ("bash", "--version"),
}

_KEPT_S: Final = 60.0
_MISSING_KEPT_S: Final = 5.0
_TIMEOUT_S: Final = 10.0
_GRACE_S: Final = 1.0


class _Known(NamedTuple):
    answer: str | None
    until: float


class Runtimes:
    """Asks the commands of ``BUILT_IN_RUNTIMES`` and of ``commands``, which win."""

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        *,
        kept_s: float = _KEPT_S,
        missing_kept_s: float = _MISSING_KEPT_S,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self._commands = {**BUILT_IN_RUNTIMES, **commands}
        self._kept_s = kept_s
        self._missing_kept_s = missing_kept_s
        self._timeout_s = timeout_s
        self._known: dict[str, _Known] = {}
        self._turns = {name: asyncio.Lock() for name in self._commands}

    async def answers(self, names: Collection[str]) -> dict[str, str | None]:
        """What each runtime said of itself; None where it has no command, or that ended not well."""
        return dict(zip(names, await asyncio.gather(*map(self._answer, names)), strict=True))

    async def _answer(self, name: str) -> str | None:
        command = self._commands.get(name)
        if command is None:
            return None
        async with self._turns[name]:
            known = self._known.get(name)
            if known is None or monotonic() >= known.until:
                answer = await self._ask(name, command)
                kept_s = self._missing_kept_s if answer is None else self._kept_s
                known = self._known[name] = _Known(answer, monotonic() + kept_s)
            return known.answer

    async def _ask(self, name: str, command: Sequence[str]) -> str | None:
        output = OutputTail()
        end = await run_command(
            command, passed_on(), timeout_s=self._timeout_s, output=output, grace_s=_GRACE_S
        )
        # Of a flood only the end is known, where whatever number comes first is no version.
        if end.well and output.size_bytes <= KEPT_BYTES:
            return "\n".join(output.lines(whole=True))
        _log.warning("runtime.unknown", runtime=name, how=end.how, output_bytes=output.size_bytes)
        return None
