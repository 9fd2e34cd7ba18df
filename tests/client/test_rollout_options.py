"""How a rollout goes, as people write it: what is understood, and what is said of the rest."""

from __future__ import annotations

from datetime import timedelta

import click
import pytest
from click.testing import CliRunner

from longshore_client import CanaryStep, FailurePolicy, RolloutStrategy
from longshore_client.cli.rollouts import RolloutChoice, rollout_options


def chosen(*arguments: str) -> RolloutChoice:
    """What a command gets; raises ``click.UsageError`` as it does."""
    got: list[RolloutChoice] = []

    @click.command()
    @rollout_options
    def command(rollout: RolloutChoice) -> None:
        got.append(rollout)

    command.main([*arguments], standalone_mode=False)
    return got[0]


def strategy(*arguments: str) -> RolloutStrategy | None:
    choice = chosen(*arguments)
    assert choice.failure_policy is None
    return choice.strategy


def test_nothing_is_what_the_place_says() -> None:
    assert chosen() == RolloutChoice(None, None)


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("1", CanaryStep(nodes=1)),
        ("10%", CanaryStep(percent=10)),
        ("2:30s", CanaryStep(nodes=2, wait_time=timedelta(seconds=30))),
        ("100%:1.5h", CanaryStep(percent=100, wait_time=timedelta(hours=1.5))),
    ],
)
def test_a_step(text: str, step: CanaryStep) -> None:
    assert strategy("--canary", text) == RolloutStrategy(canary_steps=(step,))


def test_all_of_them_in_their_order() -> None:
    given = ["--canary", "1", "--canary", "10%:5m", "--at-once", "25%"]
    assert chosen(
        *given, "--failure-domain", "zone", "--max-failed", "1", "--on-failure", "take-back"
    ) == RolloutChoice(
        RolloutStrategy(
            canary_steps=(CanaryStep(nodes=1), CanaryStep(percent=10, wait_time=timedelta(minutes=5))),
            max_percent_at_once=25,
            failure_domain_label="zone",
            max_failed_nodes=1,
        ),
        FailurePolicy.TAKE_BACK,
    )


def test_how_many_at_once() -> None:
    assert strategy("--at-once", "2") == RolloutStrategy(max_nodes_at_once=2)
    assert strategy("--at-once", "100%") == RolloutStrategy(max_percent_at_once=100)
    assert strategy("--at-once", "all") == RolloutStrategy(), "a strategy, and not what the place says"
    assert strategy("--max-failed", "0") == RolloutStrategy()
    assert chosen("--on-failure", "keep") == RolloutChoice(None, FailurePolicy.KEEP)


@pytest.mark.parametrize(
    ("option", "text", "like"),
    [
        *(
            ("--canary", text, "1, 10% or 10%:5m")
            for text in ("", "0", "0%", "101%", "x", "-1", "1:", "1:5", ":5m")
        ),
        *(("--canary", text, "1, 10% or 10%:5m") for text in ("1:5m:5m", "1,2", "1.5", "1:m")),
        *(("--at-once", text, "2 or 25%") for text in ("", "0", "0%", "101%", "none", "25 %", "1:5m")),
        ("--max-failed", "-1", "x>=0"),
        ("--on-failure", "maybe", "keep"),
    ],
)
def test_what_is_not_understood(option: str, text: str, like: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        chosen(option, text)
    assert like in refused.value.message
    assert refused.value.exit_code == 2


def test_it_is_told_of_which_option() -> None:
    @click.command()
    @rollout_options
    def command(rollout: RolloutChoice) -> None:
        raise AssertionError(rollout)

    told = CliRunner().invoke(command, ["--canary", "10%:5x"]).output
    assert "Invalid value for '--canary': '10%:5x' is not like 1, 10% or 10%:5m" in told
