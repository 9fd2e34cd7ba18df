"""How long nodes are silent: as their watcher saw it, by no clock that can be set."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from longshore_server.rollout import silence
from longshore_server.rollout.silence import SilenceWatch
from longshore_storage.catalogue.lifecycle import ActivationStatus
from longshore_storage.catalogue.rows import Activation

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONE = Activation(
    node_id="a",
    environment="default",
    project="p",
    generation=1,
    node_name="a",
    deployment_id="d",
    release_id=1,
    version="1.0.0",
    status=ActivationStatus.FETCHING,
    told_status="",
    fetched_bytes=0,
    reused_bytes=0,
    installed_bytes=0,
    total_bytes=0,
    path="",
    message="",
    start_time=None,
    end_time=None,
    report_time=NOW,
)
HOURS = timedelta(hours=5)


class Watch(SilenceWatch):
    """A watch of a minute, whose clock the test moves on."""

    def look(self, at_s: float, *activations: Activation) -> list[Activation]:
        clock[0] = at_s
        return self.too_long(activations)


clock = [0.0]


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    clock[0] = 0.0
    monkeypatch.setattr(silence, "monotonic", lambda: clock[0])
    return Watch(60)


def test_the_same_report_for_the_deadline_is_silence(watch: Watch) -> None:
    assert [watch.look(at_s, ONE) for at_s in range(0, 60, 10)] == [[]] * 6
    assert watch.look(60, ONE) == [ONE]


@pytest.mark.parametrize("step", [timedelta(seconds=1), HOURS, -HOURS])
def test_another_report_is_none_whatever_its_time(watch: Watch, step: timedelta) -> None:
    for at_s in range(0, 600, 10):
        assert watch.look(at_s, replace(ONE, report_time=NOW + at_s // 50 * step)) == []


def test_while_nobody_looks_nobody_is_silent(watch: Watch) -> None:
    assert watch.look(0, ONE) == []
    assert watch.look(3_600, ONE) == []
    assert watch.look(3_610, replace(ONE, report_time=NOW + HOURS)) == []


def test_who_has_ended_is_not_waited_for(watch: Watch) -> None:
    ended = replace(ONE, status=ActivationStatus.LIVE)
    assert [watch.look(at_s, ended) for at_s in range(0, 600, 10)] == [[]] * 60
