"""The rule that something in a document is a JSON Schema (draft 2020-12).

Nothing is fetched: references to elsewhere are left as they are.
"""

from __future__ import annotations

from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from longshore_bundles.documents.fields import Fields, Pointer
from longshore_bundles.documents.findings_about import FindingsAbout
from longshore_bundles.findings import KEPT_FINDINGS, quoted

from .bounded_errors import errors_in, first_error
from .error_words import pointer_words, rule_words, value_words
from .vocabulary import DIALECT

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator


def check_json_schema(schema: Fields, pointer: Pointer, findings: FindingsAbout) -> None:
    """Hold what stands at ``pointer`` of the document against the schema of JSON Schemas.

    At most ``KEPT_FINDINGS`` errors are told; of a large schema those at its beginning, or the first.
    """
    validator = _validator()
    value = dict(schema)
    if validator.is_valid(value):
        return
    errors = errors_in(validator, value).found
    if not errors and (error := first_error(validator, value)):
        errors = [error]
    # Several parts of the meta-schema find the same thing wrong.
    told: set[tuple[Pointer, str]] = set()
    for error in islice(errors, KEPT_FINDINGS):
        place = (*pointer, *error.instance_path)
        what = pointer_words(error.instance_path) or pointer_words(pointer[-1:])
        wrong = (place, f"'{what}' is {value_words(error.instance)} and must be {_rule(error)}")
        if wrong not in told:
            told.add(wrong)
            message = f"{quoted(str(pointer[-1]))} is no JSON Schema: {wrong[1]}"
            findings.error("JSON_SCHEMA_INVALID", message, place)


def _rule(error: ValidationError) -> str:
    """What the value must be."""
    kind: Any = error.kind
    match kind.name:
        case "anyOf":
            rules = [rule for rules in kind.context for rule in rules]
            named = [rule for rule in rules if rule.kind.name == "enum"]
            if named:
                return f"{_rule(named[0])}, or a list of some of them"
            return ", or ".join(dict.fromkeys(map(_rule, rules)))
        case "propertyNames":
            return f"one whose keys are each {_rule(kind.error)}"
        case "type" if set(kind.types) == {"boolean", "object"}:
            return "a JSON Schema: a mapping, or true or false"
        case "format" | "pattern":
            return (
                "a regular expression" if getattr(kind, "format", "") == "regex" else "a name or an address"
            )
        case _:
            return rule_words(kind)


@cache
def _validator() -> Validator:
    from jsonschema_rs import Draft202012Validator

    return Draft202012Validator({"$ref": DIALECT}, validate_formats=True, offline=True)
