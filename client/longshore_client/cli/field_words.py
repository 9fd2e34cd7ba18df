"""Fields of the contract, as whoever types a command knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from longshore_client.errors import LongshoreError

_OPTIONS: Final = {
    "bundle_kind": "--kind",
    "canary_steps": "--canary",
    "expected_live_deployment_id": "--expect-live",
    "failure_domain_label": "--failure-domain",
    "failure_policy": "--on-failure",
    "labels": "--label",
    "max_age": "--age",
    "max_failed_nodes": "--max-failed",
    "max_nodes_at_once": "--at-once",
    "max_percent_at_once": "--at-once",
    "node_selector": "--node-label",
    "payload_sha256": "--sha256",
    "wait_time": "--canary",
    "wait_for_creation": "--wait-for-creation",
}


def field_words(field: str) -> str:
    """The option that a field is given by, else its name, without where it stands in the request."""
    name = field.rpartition(".")[2].partition("[")[0]
    return _OPTIONS.get(name) or name.replace("_", " ")


def told_in_words(error: LongshoreError) -> tuple[str, list[str]]:
    """An error's message, and each field that it is about with what is wrong, where the message does not say.

    What is about a payload's content, findings say.
    """
    message, lines = error.message, []
    if error.findings:
        return message, []
    for violation in error.field_violations:
        words = field_words(violation.field)
        if violation.field:
            message = message.replace(f"{violation.field}: ", f"{words}: ")
        lines.append(f"{words}: {violation.description}")
    return message, [line for line in lines if line not in message]
