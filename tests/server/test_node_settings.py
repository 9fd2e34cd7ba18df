"""A node's labels, as its settings name them."""

from __future__ import annotations

from typing import Any

import pytest

from longshore_server.settings import load_settings
from longshore_storage.errors import Misconfigured


def test_labels_come_from_the_file_or_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(None, {}).node.labels == {}
    assert load_settings(None, {"node": {"labels": {"zone": "eu"}}}).node.labels == {"zone": "eu"}
    monkeypatch.setenv("LONGSHORE_NODE__LABELS", '{"zone": "eu", "disk": ""}')
    assert load_settings(None, {}).node.labels == {"zone": "eu", "disk": ""}


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ("zone=eu", 'as a variable it is JSON, like {"zone": "eu"}'),
        ("[]", "dictionary"),
        ('{"Zone": "eu"}', "the key 'Zone' does not match"),
        ('{"zone": 7}', "string"),
        ('{"zone": "e\\nu"}', "holds control characters"),
    ],
)
def test_wrong_labels_are_named(labels: Any, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHORE_NODE__LABELS", labels)
    with pytest.raises(Misconfigured, match="LONGSHORE_NODE__LABELS") as caught:
        load_settings(None, {})
    assert why in str(caught.value)
