"""Asks every rule about a history.

A rule that finds nothing to look at is silent: whoever records a run sees to it that enough happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .live_rules import live_in_generation_order, live_is_the_newest_success, one_rollout_at_a_time
from .node_rules import (
    a_generation_is_one_release,
    generations_never_fall,
    nodes_bear_every_fault,
    nodes_have_what_they_should,
    nodes_obey_what_they_are_assigned,
    nodes_serve_releases,
    nothing_is_left_behind,
)
from .payload_rules import (
    damage_heals,
    damage_is_refused,
    damage_was_done,
    no_turn_lacks_its_payload,
    payloads_are_served_whole,
    reclaimed_is_refused,
    what_is_kept_is_not_refused,
    what_is_needed_is_kept,
)
from .progress_rules import nodes_tell_the_same, numbers_have_no_gaps, one_terminal_event_is_the_last
from .promise_rules import (
    cancelled_is_not_live,
    ended_stays_ended,
    every_deployment_ends,
    nothing_acknowledged_is_lost,
    versions_are_acknowledged_once,
    versions_are_unique,
)
from .records import Record
from .rollout_rules import (
    one_failure_domain_at_a_time,
    rollouts_account_for_their_nodes,
    whoever_is_kept_was_named,
)
from .violation import Rule, Violation

RULES: Final[tuple[Rule, ...]] = (
    one_rollout_at_a_time,
    live_in_generation_order,
    live_is_the_newest_success,
    versions_are_unique,
    versions_are_acknowledged_once,
    nothing_acknowledged_is_lost,
    cancelled_is_not_live,
    every_deployment_ends,
    ended_stays_ended,
    numbers_have_no_gaps,
    nodes_tell_the_same,
    one_terminal_event_is_the_last,
    nodes_serve_releases,
    generations_never_fall,
    a_generation_is_one_release,
    nodes_obey_what_they_are_assigned,
    nodes_have_what_they_should,
    whoever_is_kept_was_named,
    rollouts_account_for_their_nodes,
    one_failure_domain_at_a_time,
    payloads_are_served_whole,
    damage_was_done,
    damage_is_refused,
    damage_heals,
    what_is_needed_is_kept,
    reclaimed_is_refused,
    what_is_kept_is_not_refused,
    no_turn_lacks_its_payload,
    nothing_is_left_behind,
    nodes_bear_every_fault,
)


def violations(history: Sequence[Record]) -> list[Violation]:
    """Everything in a history that breaks a rule; a good one has none."""
    return [violation for rule in RULES for violation in rule(history)]
