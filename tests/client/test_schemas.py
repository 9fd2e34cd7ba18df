"""``longshore schema``: the shapes of the files that authors write."""

from __future__ import annotations

import json

import pytest
from jsonschema_rs import Draft202012Validator

from longshore_bundles import schemas
from longshore_bundles.schemas.vocabulary import Schema

from .command_line import Run


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("pack", schemas.PACK),
        ("workflow", schemas.WORKFLOW),
        ("skill", schemas.SKILL_FRONT_MATTER),
        ("index", schemas.INDEX),
    ],
)
def test_the_schemas_of_files_are_printed_as_they_are_checked(
    run_alone: Run, name: str, schema: Schema
) -> None:
    printed = json.loads(run_alone("schema", name).out)
    assert printed == schema
    assert not Draft202012Validator(printed).is_valid({})
