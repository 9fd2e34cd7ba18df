"""The options that say how a rollout goes over the nodes, and what they come to."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import click

from longshore_client.strategies import CanaryStep, FailurePolicy, RolloutStrategy

from .moments import Unless, Written, span_of
from .numbers import LARGEST_COUNT, Count, at_most

_AMOUNT: Final = re.compile(r"([0-9]+)(%?)")
_STEP: Final = re.compile(r"([0-9]+%?)(?::(.+))?")
_ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class _Amount:
    """So many nodes, or so many percent of them; the other is None."""

    nodes: int | None = None
    percent: int | None = None


@dataclass(frozen=True, slots=True)
class RolloutChoice:
    """What the options say: None where they say nothing, so that what is set for the place counts."""

    strategy: RolloutStrategy | None = None
    failure_policy: FailurePolicy | None = None


def rollout_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a strategy and of what becomes of it; the command gets them as one, ``rollout``."""

    @functools.wraps(function)
    def command(
        *args: Any,
        canary: tuple[CanaryStep, ...],
        at_once: _Amount | str | None,
        failure_domain: str | None,
        max_failed: int | None,
        on_failure: str | None,
        **options: Any,
    ) -> None:
        strategy = None
        if canary or at_once is not None or failure_domain is not None or max_failed is not None:
            most = at_once if isinstance(at_once, _Amount) else _Amount()
            strategy = RolloutStrategy(
                canary_steps=canary,
                max_nodes_at_once=most.nodes,
                max_percent_at_once=most.percent,
                failure_domain_label=failure_domain or "",
                max_failed_nodes=max_failed or 0,
            )
        policy = FailurePolicy(on_failure.replace("-", "_")) if on_failure else None
        function(*args, rollout=RolloutChoice(strategy, policy), **options)

    steps = click.option(
        "--canary",
        type=CANARY_STEP,
        multiple=True,
        metavar="STEP",
        help="First so many nodes, or so many percent: `1`, `10%`, until `longshore promote`; `10%:5m` for "
        "that time. Repeatable, each with more nodes than the one before.",
    )
    at_once = click.option(
        "--at-once",
        type=Unless(AMOUNT, _ALL),
        metavar="N|N%|all",
        help="How many nodes at most are changed at the same time; `all`: all of them, whatever is set for "
        "the project there.",
    )
    domain = click.option(
        "--failure-domain",
        metavar="LABEL",
        help="Never change nodes at the same time that differ in this label; `zone`, say.",
    )
    failed = click.option(
        "--max-failed",
        type=Count(0),
        metavar="N",
        help="How many nodes may fail: it ends `partial` then, with exit code 9.",
    )
    on_failure = click.option(
        "--on-failure",
        type=click.Choice(["keep", "take-back"]),
        help="When it fails, take the nodes back to what is live, or keep them as they are.",
    )
    return steps(at_once(domain(failed(on_failure(command)))))


def _amount(text: str) -> _Amount:
    found = _AMOUNT.fullmatch(text)
    number = int(found[1]) if found else 0
    if found is None or number < 1 or (found[2] and number > 100):
        raise ValueError(text)
    return _Amount(percent=number) if found[2] else _Amount(nodes=at_most(number, LARGEST_COUNT))


def _step(text: str) -> CanaryStep:
    found = _STEP.fullmatch(text)
    if found is None:
        raise ValueError(text)
    size = _amount(found[1])
    wait = span_of(found[2]) if found[2] else None
    return CanaryStep(nodes=size.nodes, percent=size.percent, wait_time=wait)


AMOUNT: Final = Written("nodes", _amount, "2 or 25%")
CANARY_STEP: Final = Written("step", _step, "1, 10% or 10%:5m")
