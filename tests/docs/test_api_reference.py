"""The API reference is what the ``.proto`` files say, all of it, with links from one to another."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.v1 import (
    catalog_service_pb2,
    cluster_service_pb2,
    deployment_pb2,
    deployment_service_pb2,
    errors_pb2,
    progress_pb2,
)
from longshore.v1.errors_pb2 import ErrorReason
from tools.api_reference.contract import read_contract
from tools.api_reference.pages import render

from .pages import ROOT, page

CONTRACT = [
    catalog_service_pb2,
    cluster_service_pb2,
    deployment_pb2,
    deployment_service_pb2,
    errors_pb2,
    progress_pb2,
]


def test_the_pages_are_fresh() -> None:
    made = render(read_contract(ROOT / "protos"))
    committed = {path.name: path.read_text() for path in (ROOT / "docs/api").iterdir()}
    assert made.keys() == committed.keys(), "run make protos"
    for name, text in made.items():
        assert committed[name] == text, f"docs/api/{name} is not what the .proto files say: run make protos"


@pytest.mark.parametrize("module", CONTRACT, ids=lambda module: module.__name__.rpartition(".")[2])
def test_everything_is_told(module: object) -> None:
    """Against the stubs, which were made by somebody else."""
    file = module.DESCRIPTOR  # type: ignore[attr-defined]
    told = page(f"docs/api/{Path(file.name).stem}.md")
    for service in file.services_by_name.values():
        assert {method.name.lower() for method in service.methods} <= told.anchors
    for message in file.message_types_by_name.values():
        assert message.name.lower() in told.anchors
        assert {field.name for field in message.fields} <= set(told.inline_code)
    for enum in file.enum_types_by_name.values():
        assert enum.name.lower() in told.anchors
        if enum.name != "ErrorReason":
            assert {value.name for value in enum.values} <= set(told.inline_code)


def test_reasons_have_their_codes() -> None:
    rows = page("docs/api/errors.md").table("reason")
    assert len(rows) == len(ErrorReason.keys())
    codes = {name.partition("`")[2].rstrip("`"): code for name, _, code, _ in rows}
    assert codes["VERSION_EXISTS"] == "`ALREADY_EXISTS`"
    assert codes["ROLLOUT_FAILED"] == "none"


CONTRACT_WITH_EVERYTHING = """
syntax = "proto3";
package longshore.v1;
import "google/protobuf/timestamp.proto";
// Serves.
service Everything {
  // Asks | answers, as Asking says; see `Asking` and LATE.
  //
  // A second paragraph.
  rpc Ask(stream AskRequest) returns (stream AskResponse);
}
// Asks.
message AskRequest {
  // How.
  oneof way {
    // By name.
    string name = 1;
    // By what Asking is.
    Asking asking = 2;
  }
  // Maybe, or LATE.
  optional int64 maybe = 3;
  // One for each.
  map<string, Asking> each = 4;
  // At | before.
  repeated google.protobuf.Timestamp times = 5;
}
// Answers.
message AskResponse {}
// Asked.
enum Asking {
  // Not set.
  ASKING_UNSPECIFIED = 0;
}
// Why not.
enum ErrorReason {
  // NOT_FOUND. Too late.
  ERROR_REASON_LATE = 0;
}
"""


@pytest.fixture
def everything(tmp_path: Path) -> str:
    """The page of a contract with one of each thing that proto3 has."""
    folder = tmp_path / "longshore" / "v1"
    folder.mkdir(parents=True)
    (folder / "everything.proto").write_text(CONTRACT_WITH_EVERYTHING)
    return render(read_contract(tmp_path))["everything.md"]


def test_each_kind_of_field_is_told(everything: str) -> None:
    timestamp = "[Timestamp](https://protobuf.dev/reference/protobuf/google.protobuf/#timestamp)"
    for row in (
        "| `name` | 1 | `string` | one of `way` | By name. |",
        "| `asking` | 2 | [Asking](#asking) | one of `way` | By what Asking is. |",
        "| `maybe` | 3 | `int64` | optional | Maybe, or [LATE](#late). |",
        "| `each` | 4 | `string` to [Asking](#asking) | map | One for each. |",
        rf"| `times` | 5 | {timestamp} | repeated | At \| before. |",
        '| <a id="late"></a>`LATE` | 0 | `NOT_FOUND` | Too late. |',
    ):
        assert f"\n{row}\n" in everything
    assert "One of `way`: How.\n" in everything
    assert "It has no fields.\n" in everything


def test_comments_keep_their_paragraphs_and_link_what_they_name(everything: str) -> None:
    assert (
        "\nAsks | answers, as Asking says; see `Asking` and [LATE](#late).\n\nA second paragraph.\n"
        in everything
    )
    assert "*Both stream: many requests, many responses." in everything
    assert "Found in [AskRequest](#askrequest).\n" in everything


def test_two_things_of_one_name_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "longshore" / "v1"
    folder.mkdir(parents=True)
    (folder / "twice.proto").write_text(
        'syntax = "proto3"; package longshore.v1; message Ask {} message ASK {}'
    )
    with pytest.raises(ValueError, match="same anchor"):
        render(read_contract(tmp_path))


def test_a_contract_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "longshore" / "v1").mkdir(parents=True)
    (tmp_path / "longshore" / "v1" / "broken.proto").write_text("message {")
    with pytest.raises(RuntimeError, match=r"broken\.proto"):
        read_contract(tmp_path)
