"""What a validator finds wrong, in bounded work and memory.

It makes all of its errors at once, and each holds the whole way to its place and the whole of what is wrong
there: a file of 1 MiB could make it fill the memory. So it is given the beginning of a large value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from longshore_bundles.documents import JsonValue

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

MAX_CHECKED_VALUES = 20_000
"""In how many values of a document errors are looked for, unless there are none."""
_CHARACTERS_OF_A_VALUE = 128
"""For how many characters, its keys' counted from the root, a value counts once more."""


class Errors(NamedTuple):
    """What was found; ``complete`` is whether it is all there is."""

    found: list[ValidationError]
    complete: bool


def errors_in(validator: Validator, value: JsonValue) -> Errors:
    """The errors in the first ``MAX_CHECKED_VALUES`` of a value that is not valid."""
    beginning = _Beginning()
    errors = validator.iter_errors(beginning.of(value))
    end = beginning.end
    if end is None:
        return Errors(list(errors), complete=True)
    # What was cut short may be wrong for that alone; a key that is there and unknown is so all the same.
    found = [
        each
        for each in errors
        if each.kind.name == "additionalProperties" or end[: len(each.instance_path)] != each.instance_path
    ]
    return Errors(found, complete=False)


def first_error(validator: Validator, value: JsonValue) -> ValidationError | None:
    """One error of a value, wherever in it; None where it is valid."""
    from jsonschema_rs import ValidationError

    try:
        validator.validate(value)
    except ValidationError as error:
        return error
    return None


class _Beginning:
    """Copies a value until it has become too much; ``end`` is the place of that, None where it has not."""

    def __init__(self) -> None:
        self._left = MAX_CHECKED_VALUES
        self._way: list[str | int] = []
        self.end: list[str | int] | None = None

    def of(self, value: JsonValue, characters: int = 0) -> JsonValue:
        own = len(value) if isinstance(value, str) else 0
        self._left -= 1 + (characters + own) // _CHARACTERS_OF_A_VALUE
        if isinstance(value, dict):
            copy: dict[str, JsonValue] = {}
            for key, inner in value.items():
                if not self._goes_on(key):
                    break
                copy[key] = self.of(inner, characters + len(key))
                self._way.pop()
            return copy
        if isinstance(value, list):
            items: list[JsonValue] = []
            for index, inner in enumerate(value):
                if not self._goes_on(index):
                    break
                items.append(self.of(inner, characters + 1))
                self._way.pop()
            return items
        return value

    def _goes_on(self, step: str | int) -> bool:
        if self._left > 0:
            self._way.append(step)
            return True
        if self.end is None:
            self.end = list(self._way)
        return False
