"""The rule that something in a document is a JSON Schema (draft 2020-12).

Nothing is fetched: references to elsewhere are left as they are.
"""

from __future__ import annotations

from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

from longshore_bundles.documents.fields import Fields, Pointer
from longshore_bundles.documents.findings_about import FindingsAbout
from longshore_bundles.findings import KEPT_FINDINGS, printable

from .bounded_errors import errors_in, first_error
from .vocabulary import DIALECT

if TYPE_CHECKING:
    from jsonschema_rs import Validator

_SHOWN_CHARACTERS = 1000


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
        # A message shows the whole of what is wrong, which may be long.
        wrong = ((*pointer, *error.instance_path), printable(error.message[:_SHOWN_CHARACTERS]))
        if wrong not in told:
            told.add(wrong)
            message = f"`{printable(str(pointer[-1]))}` is no JSON Schema: {wrong[1]}"
            findings.error("JSON_SCHEMA_INVALID", message, wrong[0])


@cache
def _validator() -> Validator:
    from jsonschema_rs import Draft202012Validator

    return Draft202012Validator({"$ref": DIALECT}, validate_formats=True, offline=True)
