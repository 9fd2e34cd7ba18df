"""Holds a document against its schema, and says in our own words what does not fit, and where.

Codes: UNKNOWN_KEY (a warning), WRONG_TYPE, KEY_MISSING, VALUE_INVALID, and what a schema's ``x-finding``
names instead of the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, Any

from longshore_bundles.documents import Document
from longshore_bundles.findings import KEPT_FINDINGS, Finding, FindingLog, Severity, printable

from .bounded_errors import errors_in, first_error
from .error_words import pointer_words, rule_words, type_words, value_words
from .quotes import quotes_hint
from .vocabulary import Schema

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

_MAX_GUESSES = 5
"""For how many unknown keys of a document a similar one is looked for, which takes its time."""
_validators: dict[str, Validator] = {}


def check_shape(document: Document, schema: Schema, log: FindingLog) -> bool:
    """Hold a document against a schema of this package; whether nothing but warnings came of it.

    What does not fit goes into ``log``, at most ``KEPT_FINDINGS`` findings for the document. Of a document of
    more than ``MAX_CHECKED_VALUES`` values it is what does not fit in the first of them; if that is nothing
    but warnings, one error behind them, too.
    """
    validator = _validator(schema["$id"], schema)
    if validator.is_valid(document.value):
        return True
    check = _Check(document, schema)
    errors = errors_in(validator, document.value)
    findings = list(islice(check.findings(errors.found), KEPT_FINDINGS))
    if not errors.complete and not any(each.severity is Severity.ERROR for each in findings):
        lenient = _validator(f"{schema['$id']}, any key", schema, is_any_key_known=True)
        if error := first_error(lenient, document.value):
            findings = [*check.findings([error]), *findings][:KEPT_FINDINGS]
    for finding in sorted(findings, key=lambda each: each.line or 0):
        log.add(finding)
    return all(finding.severity is not Severity.ERROR for finding in findings)


def _validator(name: str, schema: Schema, *, is_any_key_known: bool = False) -> Validator:
    if name not in _validators:
        from jsonschema_rs import Draft202012Validator

        rules = _open(schema) if is_any_key_known else schema
        _validators[name] = Draft202012Validator(rules, offline=True)
    return _validators[name]


def _open(part: Any) -> Any:
    """The same schema with nothing said about keys that it does not know."""
    if isinstance(part, dict):
        return {
            key: _open(each)
            for key, each in part.items()
            if key != "additionalProperties" or each is not False
        }
    return [_open(each) for each in part] if isinstance(part, list) else part


class _Check:
    """The findings about one document."""

    def __init__(self, document: Document, schema: Schema) -> None:
        self._document = document
        self._schema = schema
        self._guesses = 0

    def findings(self, errors: Iterable[ValidationError]) -> Iterator[Finding]:
        for error in errors:
            yield from self._of(error)

    def _of(self, error: ValidationError) -> Iterator[Finding]:
        kind: Any = error.kind
        match kind.name:
            case "additionalProperties":
                for key in kind.unexpected:
                    yield self._unknown_key(error, key)
            case "required":
                key = printable(kind.property)
                yield self._finding(error, "KEY_MISSING", f"{key!r} is missing{_inside(error)}: add it")
            case "type":
                yield self._wrong_type(error, kind.types)
            case "anyOf" | "oneOf":
                yield from self._of_alternatives(error, kind.context)
            case _:
                yield self._broken_rule(error, kind)

    def _of_alternatives(
        self, error: ValidationError, context: Sequence[Sequence[ValidationError]]
    ) -> Iterator[Finding]:
        """What the alternative that has the value's type finds wrong; if none has, which types would do."""
        types: list[str] = []
        for errors in context:
            misfit = next((each for each in errors if _is_misfit(each, error)), None)
            if misfit is None:
                for each in errors:
                    yield from self._of(each)
                return
            kind: Any = misfit.kind
            types.extend(kind.types)
        yield self._wrong_type(error, types)

    def _unknown_key(self, error: ValidationError, key: str) -> Finding:
        known = self._part(error.schema_path[:-1]).get("properties", {})
        similar: list[str] = []
        if self._guesses < _MAX_GUESSES:
            self._guesses += 1
            similar = get_close_matches(key[:100], list(known), 1)
        hint = f"did you mean {similar[0]!r}?" if similar else "it is not read"
        message = f"unknown key {printable(key)!r}{_inside(error)}: {hint}"
        line = self._document.line([*error.instance_path, key])
        return Finding("UNKNOWN_KEY", Severity.WARNING, message, self._document.path, line)

    def _wrong_type(self, error: ValidationError, types: Sequence[str]) -> Finding:
        part = self._part(error.schema_path[:-1])
        return self._finding(error, "WRONG_TYPE", _told(error, part, type_words(types)))

    def _broken_rule(self, error: ValidationError, kind: Any) -> Finding:
        part = self._part(error.schema_path[:-1])
        return self._finding(
            error, part.get("x-finding", "VALUE_INVALID"), _told(error, part, rule_words(kind))
        )

    def _finding(self, error: ValidationError, code: str, message: str) -> Finding:
        line = self._document.line(error.instance_path)
        return Finding(code, Severity.ERROR, message, self._document.path, line)

    def _part(self, path: Sequence[str | int]) -> Schema:
        part: Any = self._schema
        for step in path:
            part = part[step]
        return part if isinstance(part, dict) else {}


def _is_misfit(error: ValidationError, whole: ValidationError) -> bool:
    return error.kind.name == "type" and error.instance_path == whole.instance_path


def _told(error: ValidationError, part: Schema, rule: str) -> str:
    """That a value must be something else; ``part`` is the part of the schema that it breaks."""
    value = error.instance
    what = f"'{pointer_words(error.instance_path)}'" if error.instance_path else "the document"
    return (
        f"{what} is {value_words(value)} and must be {part.get('x-rule') or rule}{quotes_hint(value, part)}"
    )


def _inside(error: ValidationError) -> str:
    return f" in '{pointer_words(error.instance_path)}'" if error.instance_path else ""
