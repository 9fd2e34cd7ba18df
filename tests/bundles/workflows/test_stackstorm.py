"""Workflows of a StackStorm pack: actions whose definitions are in ``actions/workflows/``."""

from __future__ import annotations

from hashlib import sha256

import pytest

from longshore_bundles.findings import Severity
from longshore_bundles.workflows.model import WorkflowSyntax
from tests.bundles.workflows.written import read_pack, written

METADATA = b"""\
---
name: roll
pack: netops
description: Restarts one node after the other.
runner_type: orquesta
entry_point: workflows/roll.yaml
enabled: true
tags: [ops]
parameters:
  hosts:
    type: array
    description: Which.
    required: true
  port:
    type: integer
    default: 22
    secret: false
"""
DEFINITION = (
    b"version: 1.0\ninput: [hosts, port]\ntasks:\n  a: {action: netops.restart}\n  b: {action: netops.roll}\n"
)
PACK_FILES = {"actions/roll.yaml": METADATA, "actions/workflows/roll.yaml": DEFINITION}


def found_codes(files: dict[str, bytes]) -> list[tuple[str, str, int | None]]:
    return [
        (each.code, each.path, each.line)
        for each in read_pack(files)[1]
        if each.severity is not Severity.INFO
    ]


def test_metadata_and_definition_make_a_workflow() -> None:
    (roll,), findings = read_pack(PACK_FILES)
    assert [(each.code, each.path) for each in findings] == [("ORQUESTA_FORM", "actions/workflows/roll.yaml")]
    assert (roll.name, roll.ref, roll.label, roll.version) == ("roll", "netops.roll", "roll", "1.0")
    assert roll.path == "actions/workflows/roll.yaml"
    assert roll.sha256 == sha256(DEFINITION).hexdigest()
    assert roll.valid
    assert roll.enabled
    assert roll.syntax is WorkflowSyntax.ORQUESTA
    assert roll.description == "Restarts one node after the other."
    assert roll.tags == ("ops",)
    assert roll.parameters == {
        "type": "object",
        "properties": {
            "hosts": {"type": "array", "description": "Which."},
            "port": {"type": "integer", "default": 22, "secret": False},
        },
        "required": ["hosts"],
    }
    assert roll.task_count == 2


def test_other_actions_are_passed_over() -> None:
    files = {
        "actions/a.yaml": b"runner_type: python-script\nname: orquesta\n",
        "actions/b.yaml": b"[",
        "actions/more/c.yaml": METADATA,
        "aliases/d.yaml": METADATA,
        "actions/e.yaml": b"- orquesta\n",
        "actions/f.yaml": b"runner_type: orquesta\na: [",
    }
    assert read_pack(files) == ((), ())


def test_the_name_is_the_files_where_none_is_written() -> None:
    metadata = METADATA.replace(b"name: roll\n", b"").replace(b"enabled: true", b"enabled: false")
    (found,), _ = read_pack({**PACK_FILES, "actions/roll.yaml": metadata})
    assert (found.name, found.enabled) == ("roll", False)


@pytest.mark.parametrize("entry_point", ["workflows/gone.yaml", "../../etc/passwd", "/etc/passwd", ""])
def test_an_entry_point_must_be_in_the_pack(entry_point: str) -> None:
    metadata = METADATA.replace(b"workflows/roll.yaml", f'"{entry_point}"'.encode())
    workflows, _ = read_pack({**PACK_FILES, "actions/roll.yaml": metadata})
    assert workflows == ()
    assert found_codes({**PACK_FILES, "actions/roll.yaml": metadata}) == [
        ("ENTRY_POINT_MISSING", "actions/roll.yaml", 6)
    ]


def test_what_is_wrong_is_told_at_its_own_file() -> None:
    metadata = METADATA.replace(b"type: array", b"type: list")
    definition = DEFINITION.replace(b"netops.restart", b"netops.gone")
    files = {"actions/roll.yaml": metadata, "actions/workflows/roll.yaml": definition}
    assert found_codes(files) == [
        ("JSON_SCHEMA_INVALID", "actions/roll.yaml", 11),
        ("ACTION_UNDEFINED", "actions/workflows/roll.yaml", 4),
    ]
    assert [found.valid for found in read_pack(files)[0]] == [False]


def test_two_actions_of_one_name_are_both_invalid() -> None:
    files = {**PACK_FILES, "actions/other.yaml": written({"name": "Roll", "runner_type": "orquesta"})}
    assert [each[:2] for each in found_codes(files)] == [
        ("WORKFLOW_NAME_NOT_UNIQUE", "actions/other.yaml"),
        ("ENTRY_POINT_MISSING", "actions/other.yaml"),
        ("WORKFLOW_NAME_NOT_UNIQUE", "actions/roll.yaml"),
    ]
    assert [found.valid for found in read_pack(files)[0]] == [False]
