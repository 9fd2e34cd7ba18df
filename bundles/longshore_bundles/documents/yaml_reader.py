"""Reads YAML: one document a file, in bounded memory, whatever the file holds."""

from __future__ import annotations

from longshore_bundles.findings import FindingLog

from .budget import ReadingBudget
from .decoding import MAX_DOCUMENT_BYTES, DocumentRefused, decoded
from .document import Document, JsonValue, Place
from .yaml_builder import TreeBuilder
from .yaml_events import event_source, refusals


def read_yaml(
    data: bytes,
    path: str,
    log: FindingLog,
    *,
    budget: ReadingBudget | None = None,
    max_bytes: int = MAX_DOCUMENT_BYTES,
    use_libyaml: bool = True,
) -> Document | None:
    """Read one YAML document; ``path`` is the file's, for the findings.

    None when it cannot be read, for a reason that is then in ``log``. ``budget`` is that of the bundle which
    the file is of. ``use_libyaml`` turned off reads as where PyYAML has none.
    """
    try:
        text = decoded(data, max_bytes)
        value, place = _built(text, path, log, budget or ReadingBudget(), use_libyaml)
    except DocumentRefused as refused:
        refused.note(path, log)
        return None
    return Document(value, path, lambda: place)


def _built(
    text: str, path: str, log: FindingLog, budget: ReadingBudget, use_libyaml: bool
) -> tuple[JsonValue, Place]:
    budget.begin(len(text))
    builder = TreeBuilder(path, log, budget)
    try:
        with refusals(text):
            return builder.build(event_source(text, use_libyaml=use_libyaml))
    finally:
        budget.spend(builder.count, max(len(text), builder.characters))
