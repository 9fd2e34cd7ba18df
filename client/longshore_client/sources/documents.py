"""JSON that registries answer with: fetched whole, bounded, and never trusted to have the shape it should."""

from __future__ import annotations

import json
from typing import Any, Final

from longshore_client.source_errors import SourceDamaged, SourceTooLarge

from .urls import shown_url
from .web import Web

MOST_DOCUMENT_BYTES: Final = 64 << 20
MOST_VALUES: Final = 2_000_000
"""Each takes a hundred bytes or more, however few there are of it in the text."""


def read_object(web: Web, url: str, *, accept: str) -> dict[str, Any]:
    """The JSON object behind a URL. Raises ``SourceError``."""
    with web.get(url, accept=accept, compressed=True) as answer:
        body = answer.document(MOST_DOCUMENT_BYTES)
    check_values(body, url)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise SourceDamaged(f"{shown_url(url)} does not answer with a JSON object, as such a registry should")
    return value


def check_values(body: bytes, url: str) -> None:
    """Count what begins a value before any is made. Raises ``SourceTooLarge``."""
    if sum(body.count(each) for each in (b",", b"{", b"[")) > MOST_VALUES:
        raise SourceTooLarge(f"{shown_url(url)} holds more than {MOST_VALUES} values, which is the limit")


def object_in(value: object, key: str) -> dict[str, Any]:
    """The object under ``key``, an empty one where there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def text_in(value: object, key: str) -> str:
    """The text under ``key``, an empty one where there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""
