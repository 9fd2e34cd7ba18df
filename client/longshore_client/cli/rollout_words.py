"""How a rollout goes over the nodes and what it waits for, in words.

Every text is one line, safe for a terminal.
"""

from __future__ import annotations

from datetime import datetime

from longshore_client.models import Deployment, DeploymentStatus
from longshore_client.strategies import CanaryStep, FailurePolicy, RolloutStrategy

from .wording import clock, count, countdown, safe, short_id, span, words


def strategy_words(strategy: RolloutStrategy) -> str:
    """How a rollout goes over the nodes, like ``canary 1 node until promoted; then 25 % at once``."""
    parts = []
    if strategy.canary_steps:
        parts.append(f"canary {', '.join(map(_step_words, strategy.canary_steps))}")
    then = "then " if parts else ""
    if strategy.max_nodes_at_once is not None:
        parts.append(f"{then}{count(strategy.max_nodes_at_once, 'node')} at once")
    elif strategy.max_percent_at_once is not None:
        parts.append(f"{then}{strategy.max_percent_at_once} % of the nodes at once")
    else:
        parts.append(f"{then}all{' the rest' if then else ' nodes'} at once")
    if strategy.failure_domain_label:
        parts.append(f"one {safe(strategy.failure_domain_label)} at a time")
    if strategy.max_failed_nodes:
        parts.append(f"{count(strategy.max_failed_nodes, 'node')} may fail")
    return "; ".join(parts)


def policy_words(policy: FailurePolicy) -> str:
    """What becomes of the nodes when a rollout fails."""
    match policy:
        case FailurePolicy.TAKE_BACK:
            return "nodes are taken back to what is live"
        case FailurePolicy.KEEP:
            return "nodes are kept as they are"
        case _:
            return words(policy)


def is_at_canary_step(deployment: Deployment) -> bool:
    """Whether it has reached a canary step, and stands there."""
    rolls = deployment.status in (DeploymentStatus.ROLLING_OUT, DeploymentStatus.PAUSED)
    return rolls and bool(deployment.waiting_gate_id)


def canary_words(deployment: Deployment) -> str:
    """The canary step at which a deployment stands, like ``canary step 1 of 2: 1 of 5 nodes``."""
    strategy = deployment.strategy or RolloutStrategy()
    expected = deployment.node_counts.expected
    number = canary_step_number(deployment)
    step = f"canary step {number} of {len(strategy.canary_steps)}"
    return f"{step}: {_reach(strategy, number, expected)} of {count(expected, 'node')}"


def canary_step_number(deployment: Deployment) -> int:
    """At which canary step a deployment stands, from 1."""
    d = deployment
    strategy = d.strategy or RolloutStrategy()
    known = strategy.canary_step_after(d.passed_canary_steps, d.node_counts.expected)
    return known or d.passed_canary_steps + 1


def what_comes_words(deployment: Deployment) -> str:
    """What becomes of a deployment that passes the canary step at which it stands."""
    strategy = deployment.strategy or RolloutStrategy()
    expected = deployment.node_counts.expected
    number = canary_step_number(deployment)
    if _reach(strategy, number, expected) == expected:
        return "go live"
    if following := strategy.canary_step_after(number, expected):
        return f"go on to {_reach(strategy, following, expected)} of {count(expected, 'node')}"
    return f"go on to all {count(expected, 'node')}"


def waiting_words(deployment: Deployment, now: datetime | None = None) -> str:
    """What a deployment that is under way waits for, and who or what ends that; empty for nothing.

    With ``now`` a time that is waited for is what is left of it, else when it comes.
    """
    d = deployment
    pausing = paused_words(d)
    if pausing and d.status is DeploymentStatus.PAUSED:
        return f"{pausing}; `longshore resume {short_id(d.deployment_id)}` lets it go on"
    if pausing:
        return f"{pausing}: nodes end what they were told"
    if is_at_canary_step(d):
        return f"{canary_words(d)}; {_gate_words(d, now)}"
    if d.status_reason:
        return f"waiting: {safe(d.status_message or words(d.status_reason))}"
    return ""


def paused_words(deployment: Deployment) -> str:
    """By whom a deployment is paused, and why; empty where it is not."""
    if not deployment.paused_by or deployment.status.terminal:
        return ""
    why = f" ({safe(deployment.pause_reason)})" if deployment.pause_reason else ""
    being = "" if deployment.status is DeploymentStatus.PAUSED else "being "
    return f"{being}paused by {safe(deployment.paused_by)}{why}"


def _reach(strategy: RolloutStrategy, number: int, expected: int) -> int:
    steps = strategy.canary_steps[number - 1 : number]
    return steps[0].reach(expected) if steps else expected


def _gate_words(deployment: Deployment, now: datetime | None) -> str:
    due = deployment.canary_due_time
    if due is None:
        return f"waits for `longshore promote {short_id(deployment.deployment_id)}`"
    left = f"in {countdown((due - now).total_seconds())}" if now else f"at {clock(due)}"
    return f"goes on by itself {left}"


def _step_words(step: CanaryStep) -> str:
    size = f"{step.percent} %" if step.percent is not None else count(step.nodes or 0, "node")
    wait = "until promoted" if step.wait_time is None else f"for {span(step.wait_time)}"
    return f"{size} {wait}"
