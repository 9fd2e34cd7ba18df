"""Documents that people write, YAML and JSON: read safely, with the line of every value.

What is read is what JSON can hold: null, booleans, numbers, text, lists, and mappings whose keys are text.
Nothing is ever raised for a document's content: what is wrong goes into a ``FindingLog``.

Codes: DOCUMENT_TOO_LARGE, DOCUMENT_NOT_UTF8, DOCUMENT_EMPTY, DOCUMENT_NOT_SINGLE, DOCUMENT_TOO_DEEP,
DOCUMENT_TOO_COMPLEX, KEY_DUPLICATE, TEXT_UNSUPPORTED, YAML_INVALID, YAML_UNSUPPORTED, JSON_INVALID.
"""

from __future__ import annotations

from .budget import ReadingBudget
from .decoding import MAX_DOCUMENT_BYTES
from .document import MAX_DEPTH, MAX_VALUES, Document, JsonValue
from .json_reader import read_json
from .yaml_reader import read_yaml

__all__ = [
    "MAX_DEPTH",
    "MAX_DOCUMENT_BYTES",
    "MAX_VALUES",
    "Document",
    "JsonValue",
    "ReadingBudget",
    "read_json",
    "read_yaml",
]
