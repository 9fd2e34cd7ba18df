"""``docs/formats.md`` tells of every finding about workflows, and what it shows is a valid one."""

from __future__ import annotations

import re
from pathlib import Path

import longshore_bundles.workflows
from tests.bundles.workflows.written import read_files

PAGE = (Path(__file__).parents[3] / "docs" / "formats.md").read_text()
SECTION = PAGE.split("\n## Workflows\n")[1].split("\n## ")[0]
SOURCES = [path.read_text() for path in Path(longshore_bundles.workflows.__file__).parent.glob("*.py")]
# Of `schemas`, for all documents.
SHAPE_CODES = {"KEY_MISSING", "WRONG_TYPE", "VALUE_INVALID", "UNKNOWN_KEY", "KEY_DUPLICATE"}
SHAPE_CODES |= {"JSON_SCHEMA_INVALID"}


def test_every_code_is_told_and_every_one_that_is_told_is_used() -> None:
    used = {code for source in SOURCES for code in re.findall(r"\"([A-Z]+(?:_[A-Z]+)+)\"", source)}
    told = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", SECTION))
    assert len(used) > 10
    assert used == told - SHAPE_CODES


def test_the_workflow_that_is_shown_is_valid() -> None:
    shown = SECTION.split("```yaml\n")[1].split("```")[0].encode()
    note = b"label: Note\nversion: 1.0.0\ntasks: {note: {action: core.log}}\n"
    (roll, _), findings = read_files({"workflows/roll.yaml": shown, "workflows/zz.yml": note})
    assert [(finding.code, finding.message) for finding in findings] == [
        ("ACTION_UNDEFINED", "Task 'note' references undefined action 'netops.note'")
    ]
    assert roll.task_count == 5
    assert read_files({"workflows/roll.yaml": shown, "workflows/note.yml": note})[1] == ()
