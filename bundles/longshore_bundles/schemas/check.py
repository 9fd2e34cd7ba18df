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
from .vocabulary import Schema

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

_MAX_GUESSES = 5
"""For how many unknown keys of a document a similar one is looked for, which takes its time."""
_WORDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "nothing",
    "number": "a number",
    "object": "a mapping",
    "string": "text",
}
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
        wanted = " or ".join(dict.fromkeys(_WORDS[each] for each in types))
        is_plain = isinstance(error.instance, (bool, int, float))
        hint = ": write it in quotes" if is_plain and "string" in types else ""
        rule = self._part(error.schema_path[:-1]).get("x-rule") or wanted + hint
        message = f"{_what(error)} is {_described(error.instance)} and must be {rule}"
        return self._finding(error, "WRONG_TYPE", message)

    def _broken_rule(self, error: ValidationError, kind: Any) -> Finding:
        part = self._part(error.schema_path[:-1])
        rule = part.get("x-rule") or _rule(kind)
        message = f"{_what(error)} is {_described(error.instance)} and must be {rule}"
        return self._finding(error, part.get("x-finding", "VALUE_INVALID"), message)

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


def _rule(kind: Any) -> str:
    match kind.name:
        case "enum":
            return "one of " + ", ".join(repr(option) for option in kind.options)
        case "const":
            return repr(kind.expected_value)
        case "minimum":
            return f"at least {kind.limit}"
        case "maximum":
            return f"at most {kind.limit}"
        case "minLength" | "minItems" | "minProperties" if kind.limit == 1:
            return "there, not empty"
        case "maxLength":
            return f"at most {kind.limit} characters"
        case "maxItems" | "maxProperties":
            return f"of at most {kind.limit} entries"
        case _:
            return f"as {kind.name} {kind.value} has it"


def _what(error: ValidationError) -> str:
    return f"'{_pointer(error)}'" if error.instance_path else "the document"


def _inside(error: ValidationError) -> str:
    return f" in '{_pointer(error)}'" if error.instance_path else ""


def _pointer(error: ValidationError) -> str:
    """Where it is, as people write it: ``tasks[2].retry.count``, counted from 0 as programs do."""
    text = ""
    for step in error.instance_path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return printable(text)


def _described(value: object) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case str() if not value:
            return "empty"
        case str():
            return repr(printable(value[:100]))
        case dict():
            return "a mapping" if value else "an empty mapping"
        case list():
            return "a list" if value else "an empty list"
        case _:
            return str(value)[:100]
