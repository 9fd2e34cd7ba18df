"""Runs the hooks, the restart and the checks of one activation, in their order, and tells what went wrong.

Everything here gives back a sentence on what did not go well, or "" where all did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

import structlog

from longshore_server.hooks import (
    Check,
    HookSettings,
    OutputTail,
    ProjectHooks,
    RestartSettings,
    SwitchFacts,
    hook_environment,
    probe,
    run_command,
    until_healthy,
)
from longshore_server.tracing import describe, span
from longshore_storage.catalogue.hook_outputs import HookKind

from .hook_log import HookLog

_log = structlog.get_logger(__name__)

_LONGEST_LINE: Final = 120
_WHEN: Final = {
    HookKind.BEFORE_SWITCH: "before the switch",
    HookKind.RESTART: "restart",
    HookKind.AFTER_SWITCH: "after the switch",
}


class HookRunning:
    """What a project has around its switch, about to be run for one activation."""

    def __init__(self, hooks: ProjectHooks, log: HookLog) -> None:
        self._hooks = hooks
        self._log = log

    async def before(self, facts: SwitchFacts) -> str:
        """Run what comes before the switch; nothing more after the first that fails."""
        for hook in self._hooks.before:
            if failure := await self._run(hook, HookKind.BEFORE_SWITCH, facts):
                return failure
        return ""

    async def after(self, facts: SwitchFacts) -> str:
        """Restart, run what comes after the switch, and wait until the checks are healthy.

        Where nothing is live now, there is nothing to restart and to check.
        """
        for hook, kind in self._after(facts):
            if failure := await self._run(hook, kind, facts):
                return failure
        return await self._check(facts) if facts.tree is not None else ""

    async def again(self, facts: SwitchFacts) -> str:
        """Restart, and run what comes after the switch, for what is live again; all of it, come what may."""
        failures = [
            failure
            for hook, kind in self._after(facts)
            if (failure := await self._run(hook, kind, facts, taking_back=True))
        ]
        return "; ".join(failures)

    def _after(self, facts: SwitchFacts) -> Sequence[tuple[HookSettings | RestartSettings, HookKind]]:
        restart = self._hooks.restart if facts.tree is not None else None
        return [
            *([(restart, HookKind.RESTART)] if restart is not None else []),
            *((hook, HookKind.AFTER_SWITCH) for hook in self._hooks.after),
        ]

    async def _run(
        self,
        hook: HookSettings | RestartSettings,
        kind: HookKind,
        facts: SwitchFacts,
        *,
        taking_back: bool = False,
    ) -> str:
        environment = hook_environment(facts, hook.environment)
        with (
            span("activation.hook", hook=kind.value, taking_back=taking_back),
            self._log.running(hook.title, kind, taking_back=taking_back) as record,
        ):
            end = await run_command(hook.command, environment, timeout_s=hook.timeout_s, output=record.output)
            record.end(end.how, end.exit_code)
            describe(outcome="done" if end.well else "failed")
        _log.info("hook.ended", hook=hook.title, kind=kind, how=end.how, taking_back=taking_back)
        return "" if end.well else f"hook {hook.title!r} ({_WHEN[kind]}) {end.how}{last_line(record.output)}"

    async def _check(self, facts: SwitchFacts) -> str:
        tasks = [asyncio.create_task(self._check_one(check, facts)) for check in self._hooks.checks]
        try:
            for ended in asyncio.as_completed(tasks):
                if failure := await ended:
                    return failure
            return ""
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _check_one(self, check: Check, facts: SwitchFacts) -> str:
        with self._log.running(check.title, HookKind.CHECK) as record:
            attempt = partial(probe, check, facts, record.output)
            failure = await until_healthy(check, attempt, record.output.say)
            record.end(failure or "is healthy", None if failure else 0)
        _log.info("check.ended", check=check.title, how=failure or "healthy")
        return f"check {check.title!r} {failure}" if failure else ""


def last_line(output: OutputTail) -> str:
    """The last line that was put out, as an error's sentence goes on with it; empty where there is none."""
    said = [line for line in output.lines(whole=True) if line.strip()]
    return f" (its last line: {said[-1].strip()[:_LONGEST_LINE]})" if said else ""
