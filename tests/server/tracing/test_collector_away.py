"""A collector that is away, or hangs, costs spans and nothing else."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from longshore_server.settings import TracingSettings
from longshore_server.tracing import sending
from longshore_server.tracing.collector import OtlpCollector
from longshore_server.tracing.sending import MOST_WAITING, SpanSender
from longshore_server.tracing.tracer import OtelTracer
from tests.server.calls import deploy_to_end
from tests.server.contents import canonical_tar, small_tree
from tests.server.running import StartNode, embedded
from tests.services.certificates import LOCAL_NAMES, Authority
from tests.services.ports import ReservedPort

from .receiver import Receiver, receiving

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@embedded
async def test_deployments_go_on_and_the_node_stops(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "LONGEST_STOP_S", 0.2)
    with ReservedPort() as port, structlog.testing.capture_logs() as lines:
        async with start_node(tracing={"endpoint": f"http://{port.address}"}) as node:
            ended = await deploy_to_end(node, canonical_tar(small_tree()))
            assert ended.end_time.seconds
            async with asyncio.timeout(20):
                while not (warned := [line for line in lines if line["event"] == "traces.not_sent"]):
                    await asyncio.sleep(0.01)
    assert [(line["error"], line["log_level"]) for line in warned] == [("UNAVAILABLE", "warning")]


async def test_what_was_not_taken_is_sent_when_the_collector_is_back() -> None:
    with ReservedPort() as port:
        address = port.address
        told, sender, tracer = _tracer(endpoint=f"http://{address}")
        with structlog.testing.capture_logs() as lines:
            tracer.record("early", "", LONG_AGO, LONG_AGO, {})
            async with asyncio.timeout(20):
                while not lines:
                    await asyncio.sleep(0.01)
        port.close()
        async with receiving(address) as receiver:
            spans = await receiver.until_told("early")
            await asyncio.to_thread(sender.shutdown)
    assert (len(spans), told) == (1, {"sent": 1})


async def test_of_too_many_the_rest_is_dropped_and_counted(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "LONGEST_STOP_S", 0.2)
    receiver.holds = True
    told, sender, tracer = _tracer(endpoint=receiver.endpoint)
    tracer.record("first", "", LONG_AGO, LONG_AGO, {})
    await receiver.until_told("first")
    for _ in range(MOST_WAITING + 100):
        tracer.record("more", "", LONG_AGO, LONG_AGO, {})
    assert told == {"dropped": 100}
    await asyncio.to_thread(sender.shutdown)
    assert told == {"dropped": MOST_WAITING + 101}


async def test_a_collector_is_known_by_its_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "LONGEST_STOP_S", 20)
    known, other = Authority(tmp_path / "known"), Authority(tmp_path / "other")
    async with receiving(pair=known.issue("collector", hosts=LOCAL_NAMES)) as receiver:
        outcomes = []
        for authority in (known, other):
            settings = {"endpoint": receiver.endpoint, "headers": "x=y", "ca_file": authority.ca_file}
            told, sender, tracer = _tracer(**settings)
            tracer.record("one", "", LONG_AGO, LONG_AGO, {})
            await asyncio.to_thread(sender.shutdown)
            outcomes.append(told)
    assert outcomes == [{"sent": 1}, {"dropped": 1}]
    assert [one["x"] for one in receiver.metadata] == ["y"]


def _tracer(**settings: Any) -> tuple[Counter[str], SpanSender, OtelTracer]:
    told: Counter[str] = Counter()

    def on_spans(outcome: str, count: int) -> None:
        told[outcome] += count

    sender = SpanSender(OtlpCollector(TracingSettings(**settings)), on_spans)
    sender.start()
    return told, sender, OtelTracer(sender, {"service.name": "tests"}, 1.0)
