"""Reads a workflow in orquesta's form, StackStorm's: what it says, and where its tasks stand.

The form: https://docs.stackstorm.com/orquesta/languages/orquesta.html. What it writes as lists of single
names and values becomes mappings, and its inputs become a JSON Schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from longshore_bundles.documents import JsonValue
from longshore_bundles.documents.fields import Fields, Pointer, items, mapping, text

from .fields import count, published, seconds
from .inline_values import inline_action, inline_values
from .model import Retry, Task, Transition, Workflow, WorkflowSyntax
from .task_places import PlacedTask, Reference, WrittenTask, placed_tasks, written_tasks

ENGINE_COMMANDS = frozenset({"noop", "fail", "continue", "retry"})
"""What orquesta takes in ``do`` besides the names of tasks."""


def read_orquesta_form(fields: Fields, blank: Workflow) -> tuple[Workflow, list[PlacedTask]]:
    """Fill in ``blank`` from a document's outermost mapping. What has a wrong type is left out.

    What ``blank`` says already, from the metadata of a StackStorm action, stays where the document says
    nothing; the label is the name where there is no other.
    """
    tasks = placed_tasks(written_tasks(fields.get("tasks"), ("tasks",), nested=False), _task)
    version = fields.get("version")
    workflow = replace(
        blank,
        syntax=WorkflowSyntax.ORQUESTA,
        label=blank.label or blank.name,
        version="" if version is None else str(version),
        description=text(fields, "description") or blank.description,
        vars=_named_values(fields, "vars"),
        parameters=blank.parameters or _parameters(fields),
        output_map=_named_values(fields, "output"),
        tasks=tuple(placed.task for placed in tasks),
    )
    return workflow, tasks


def _named_values(fields: Fields, key: str) -> Fields:
    """A list of mappings of one name each, or of names alone, as one mapping."""
    named: dict[str, JsonValue] = {}
    for each in items(fields, key):
        if isinstance(each, str):
            named[each] = None
        elif isinstance(each, dict):
            named.update(each)
    return named


def _parameters(fields: Fields) -> Fields | None:
    """The inputs as a JSON Schema: their names, and the defaults of those that have one."""
    properties: dict[str, JsonValue] = {}
    for each in items(fields, "input"):
        if isinstance(each, str):
            properties[each] = {}
        elif isinstance(each, dict):
            properties.update({name: {"default": value} for name, value in each.items()})
    return {"type": "object", "properties": properties} if properties else None


def _task(written: WrittenTask, inside: tuple[Task, ...]) -> tuple[Task, tuple[Reference, ...]]:
    fields = written.fields
    references: list[Reference] = []
    action, inputs = inline_action(text(fields, "action"))
    with_items, concurrency = _items(fields)
    task = Task(
        name=written.name,
        action=action,
        input=_input(fields, inputs),
        delay_s=seconds(fields, "delay"),
        with_items=with_items,
        concurrency=concurrency,
        retry=_retry(fields),
        join=count(fields, "join"),
        transitions=_transitions(fields, references),
        tasks=inside,
    )
    return task, tuple(references)


def _input(fields: Fields, inline: Mapping[str, JsonValue]) -> Fields | str:
    written = fields.get("input")
    if isinstance(written, str):
        return written
    return {**inline, **written} if isinstance(written, dict) else inline


def _items(fields: Fields) -> tuple[list[JsonValue] | str | None, int | str | None]:
    written = fields.get("with")
    loop = written if isinstance(written, dict) else {"items": written}
    with_items = loop.get("items")
    return (with_items if isinstance(with_items, (str, list)) else None), count(loop, "concurrency")


def _retry(fields: Fields) -> Retry | None:
    retry = mapping(fields, "retry")
    if retry is None:
        return None
    return Retry(count(retry, "count") or 1, delay_s=seconds(retry, "delay"), when=text(retry, "when"))


def _transitions(fields: Fields, references: list[Reference]) -> tuple[Transition, ...]:
    transitions = []
    for index, entry in enumerate(items(fields, "next")):
        if not isinstance(entry, dict):
            continue
        named = _names(entry, ("next", index, "do"))
        tasks = [reference for reference in named if reference.name not in ENGINE_COMMANDS]
        references.extend(tasks)
        publish = entry.get("publish")
        transitions.append(
            Transition(
                tuple(reference.name for reference in tasks),
                when=text(entry, "when"),
                publish=inline_values(publish) if isinstance(publish, str) else published(publish),
                commands=tuple(each.name for each in named if each.name in ENGINE_COMMANDS),
            )
        )
    return tuple(transitions)


def _names(entry: Fields, pointer: Pointer) -> list[Reference]:
    """The names after ``do``: a list, or a text with commas."""
    do = entry.get("do")
    if isinstance(do, str):
        return [Reference(name, pointer) for each in do.split(",") if (name := each.strip())]
    if not isinstance(do, list):
        return []
    return [
        Reference(name.strip(), (*pointer, index)) for index, name in enumerate(do) if isinstance(name, str)
    ]
