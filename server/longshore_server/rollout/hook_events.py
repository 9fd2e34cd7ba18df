"""Events on what nodes' hooks put out, from the rows that the nodes write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from longshore_storage.catalogue import Transaction, hook_outputs
from longshore_storage.catalogue.journal import append_event
from longshore_storage.catalogue.lifecycle import ROLLING
from longshore_storage.catalogue.rows import Deployment, HookRun

_MOST_RUNS: Final = 1000
_MOST_RUNS_IN_AN_EVENT: Final = 100
_MOST_CHARACTERS_IN_AN_EVENT: Final = 256 << 10
_MOST_NAMED: Final = 20


async def untold_hook_output(transaction: Transaction, active: Deployment) -> Sequence[HookRun]:
    """The runs of hooks that did something since the last event that told of them."""
    return await hook_outputs.untold(transaction, active.id, limit=_MOST_RUNS)


async def tell_hook_output(
    transaction: Transaction, active: Deployment, runs: Sequence[HookRun], *, owner_epoch: int
) -> None:
    """Append events on what ``runs`` did since the last ones: one, or as many as they need.

    For the owner of the rollout. Raises ``StatusMoved``.
    """
    for part in _in_parts(runs):
        await append_event(
            transaction,
            active.id,
            "hook_output",
            ", ".join(_words(run) for run in part[:_MOST_NAMED]),
            {"outputs": [_output(run) for run in part]},
            expected=ROLLING,
            owner_epoch=owner_epoch,
        )
    await hook_outputs.mark_told(transaction, runs)


def _in_parts(runs: Sequence[HookRun]) -> Iterator[Sequence[HookRun]]:
    part: list[HookRun] = []
    characters = 0
    for run in runs:
        part.append(run)
        characters += sum(map(len, run.lines))
        if len(part) == _MOST_RUNS_IN_AN_EVENT or characters >= _MOST_CHARACTERS_IN_AN_EVENT:
            yield part
            part, characters = [], 0
    if part:
        yield part


def _output(run: HookRun) -> dict[str, Any]:
    new = run.line_count - max(run.told_lines, 0)
    lines = list(run.lines)[-new:] if new else []
    return {
        "node_id": run.node_id,
        "node_name": run.node_name,
        "hook": run.hook,
        "kind": run.kind,
        "taking_back": run.taking_back,
        "lines": lines,
        "skipped_lines": new - len(lines),
        "ended": run.ended,
        "exit_code": run.exit_code,
        "outcome": run.outcome,
    }


def _words(run: HookRun) -> str:
    goes = run.outcome if run.ended else "runs"
    return f"{run.node_name}: {run.hook} {goes}"
