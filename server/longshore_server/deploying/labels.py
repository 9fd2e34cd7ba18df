"""Labels: what people note about deployments, and settings about nodes, to find and choose them by."""

from __future__ import annotations

import re
from collections.abc import Mapping

from longshore_server.refusal import invalid

_MOST_LABELS = 32
_LABEL_KEY = re.compile(r"[a-z0-9][a-z0-9._/-]{0,62}")
_LONGEST_LABEL_BYTES = 255
# A page of 500 deployments must fit into a message.
_MOST_LABEL_BYTES = 4096


def check_labels(field_name: str, labels: Mapping[str, str], *, most: int = _MOST_LABELS) -> None:
    """Raise ``Refusal`` for labels that nothing can have, or for more than ``most``."""
    if trouble := trouble_with_labels(labels, most=most):
        raise invalid(field_name, trouble)


def trouble_with_labels(labels: Mapping[str, str], *, most: int = _MOST_LABELS) -> str:
    """Why nothing can have these labels, for people; empty where it can."""
    if len(labels) > most:
        return f"at most {most}, got {len(labels)}"
    if sum(len(key) + len(value.encode()) for key, value in labels.items()) > _MOST_LABEL_BYTES:
        return f"together more than {_MOST_LABEL_BYTES} bytes"
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            return _not_a_key(key)
        if len(value.encode()) > _LONGEST_LABEL_BYTES:
            return f"the value of {key} is longer than {_LONGEST_LABEL_BYTES} bytes of UTF-8"
        if not value.isprintable():
            return f"the value of {key} holds control characters"
    return ""


def check_label_key(field_name: str, key: str) -> None:
    """Raise ``Refusal`` for what can be no label's key."""
    if not _LABEL_KEY.fullmatch(key):
        raise invalid(field_name, _not_a_key(key))


def _not_a_key(key: str) -> str:
    return f"the key {key[:80]!r} does not match ^{_LABEL_KEY.pattern}$"
