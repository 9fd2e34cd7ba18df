"""Schemas as StackStorm's packs write them, where each value says itself whether it is required."""

from __future__ import annotations

import pytest

from longshore_bundles.documents import JsonValue
from longshore_bundles.required_flags import flags_as_lists
from tests.bundles.sample_bundles import said, scanned
from tests.bundles.trees import File


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"type": "string", "required": True}, {"type": "string"}),
        ({"type": "string", "required": ["kept"]}, {"type": "string", "required": ["kept"]}),
        ({"items": {"required": True}}, {"items": {}}),
        ({"additionalProperties": True}, {"additionalProperties": True}),
        (
            {"properties": {"a": {"required": True}, "b": {"required": False}, "required": {"type": "null"}}},
            {"properties": {"a": {}, "b": {}, "required": {"type": "null"}}, "required": ["a"]},
        ),
        (
            {"anyOf": [{"properties": {"a": {"required": True}}}, True]},
            {"anyOf": [{"properties": {"a": {}}, "required": ["a"]}, True]},
        ),
        # Values, and no schemas.
        ({"default": {"required": True}, "enum": [{"required": True}]}, None),
        ({"properties": {"a": 7, "b": None}, "items": [7]}, None),
    ],
)
def test_flags_become_lists(written: dict[str, JsonValue], meant: dict[str, JsonValue] | None) -> None:
    assert flags_as_lists(written) == (written if meant is None else meant)


def test_a_configuration_with_flags_inside() -> None:
    pack = b"name: net\ndescription: d\nversion: 1.0.0\n"
    schema = b"""\
devices:
  type: array
  required: true
  items:
    type: object
    required: true
    properties:
      host: {type: string, required: true}
      password: {type: string, secret: true, required: false}
"""
    found = scanned({"pack.yaml": File(pack), "config.schema.yaml": File(schema)})
    assert [code for code, *_ in said(found)] == ["STACKSTORM_SPELLING"]
