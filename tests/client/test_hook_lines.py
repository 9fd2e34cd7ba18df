"""What hooks put out, as lines that a person follows: safe, in order, and with how each hook ended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from longshore.v1 import progress_pb2 as pb
from longshore_client import HookKind, HookOutput, conversion
from longshore_client.cli.display import event_lines
from longshore_client.cli.printing import plain_update


def event(*outputs: dict[str, Any]) -> pb.ProgressEvent:
    told = pb.ProgressEvent(deployment_id="d", sequence=4, message="one: migrate runs")
    told.time.FromDatetime(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    for output in outputs:
        told.hook_output.outputs.add(node_id="n", node_name="one", hook="migrate", **output)
    return told


def lines(*outputs: dict[str, Any]) -> list[str]:
    shown = event_lines(conversion.event(event(*outputs)))
    # Times are in the local zone.
    return [line if line.startswith(" ") else line[10:] for line in map(click.unstyle, shown)]


def test_from_the_beginning_to_the_end() -> None:
    assert lines({}) == ["one migrate runs"]
    assert lines({"lines": ["a", "b"]}) == ["          one migrate │ a", "          one migrate │ b"]
    assert lines({"ended": True, "exit_code": 0, "outcome": "ended with exit code 0"}) == [
        "one migrate ended with exit code 0"
    ]
    assert lines({"lines": ["c"], "skipped_lines": 7, "ended": True, "outcome": "was ended by SIGSEGV"}) == [
        "          one migrate │ … 7 lines left out",
        "          one migrate │ c",
        "one migrate was ended by SIGSEGV",
    ]
    assert lines({"skipped_lines": 1})[0] == "          one migrate │ … 1 line left out"
    assert lines({"taking_back": True}) == ["one migrate (taking back) runs"]


def test_several_in_one_event() -> None:
    assert lines({}, {"lines": ["x"]}) == ["one migrate runs", "          one migrate │ x"]


def test_output_never_reaches_the_terminal_as_it_is() -> None:
    (line,) = event_lines(conversion.event(event({"lines": ["\x1b[2J\x07\u202eevil\r\n"]})))
    assert line == "          one migrate │ [2J evil"


def test_as_json() -> None:
    output = {
        "kind": pb.HOOK_KIND_CHECK,
        "lines": ["a"],
        "ended": True,
        "outcome": "is healthy",
        "exit_code": 0,
    }
    detail = plain_update(conversion.event(event(output)))["detail"]
    assert detail["kind"] == "hook_output"
    assert detail["outputs"] == [
        {
            "node_id": "n",
            "node_name": "one",
            "hook": "migrate",
            "kind": "check",
            "taking_back": False,
            "lines": ["a"],
            "skipped_lines": 0,
            "ended": True,
            "exit_code": 0,
            "outcome": "is healthy",
        }
    ]


def test_a_kind_that_a_newer_server_sends() -> None:
    told = event({})
    told.hook_output.outputs[0].kind = 99  # type: ignore[assignment]
    detail = conversion.event(told).detail
    assert isinstance(detail, HookOutput)
    assert detail.outputs[0].kind is HookKind.UNKNOWN
    assert detail.outputs[0].exit_code is None
