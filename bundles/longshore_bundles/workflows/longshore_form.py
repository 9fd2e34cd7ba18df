"""Reads a workflow in Longshore's own form: what it says, and where its tasks stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from longshore_bundles.documents import JsonValue
from longshore_bundles.documents.fields import Fields, Pointer, items, mapping, text, texts
from longshore_bundles.schemas.workflow import OUTCOME_KEYS

from .fields import NOTHING, count, published, seconds
from .model import Backoff, Outcome, Publish, Retry, Task, TaskType, Transition, Workflow
from .task_places import PlacedTask, Reference, WrittenTask, placed_tasks, written_tasks

_OUTCOMES = tuple((key, Outcome(key.removeprefix("on_"))) for key in OUTCOME_KEYS)
_TYPES = {each.value: each for each in TaskType}
_BACKOFFS = {each.value: each for each in Backoff}


def read_longshore_form(fields: Fields, blank: Workflow) -> tuple[Workflow, list[PlacedTask]]:
    """Fill in ``blank`` from a document's outermost mapping. What has a wrong type is left out."""
    tasks = placed_tasks(written_tasks(fields.get("tasks"), ("tasks",), nested=True), _task)
    workflow = replace(
        blank,
        label=text(fields, "label"),
        version=text(fields, "version"),
        description=text(fields, "description"),
        tags=texts(fields.get("tags")),
        enabled=fields.get("enabled") is not False,
        vars=mapping(fields, "vars") or NOTHING,
        parameters=mapping(fields, "parameters"),
        output=mapping(fields, "output"),
        output_map=mapping(fields, "output_map") or NOTHING,
        tasks=tuple(placed.task for placed in tasks if placed.parent is None),
    )
    return workflow, tasks


def _task(written: WrittenTask, inside: tuple[Task, ...]) -> tuple[Task, tuple[Reference, ...]]:
    fields = written.fields
    references: list[Reference] = []
    transitions = _transitions(fields, references)
    # Most tasks have few of these keys, and a pack may have tens of thousands of tasks.
    values = {name: read(fields, key) for key, (name, read) in _TASK_FIELDS.items() if key in fields}
    return Task(name=written.name, transitions=transitions, tasks=inside, **values), tuple(references)


def _type(fields: Fields, key: str) -> TaskType:
    return _TYPES.get(text(fields, key), TaskType.ACTION)


def _input(fields: Fields, key: str) -> Fields:
    return mapping(fields, key) or NOTHING


def _items(fields: Fields, key: str) -> list[JsonValue] | str | None:
    value = fields.get(key)
    return value if isinstance(value, (str, list)) else None


def _publish(fields: Fields, key: str) -> Publish:
    return published(fields.get(key))


def _retry(fields: Fields, key: str) -> Retry | None:
    retry = mapping(fields, key)
    if retry is None:
        return None
    return Retry(
        count=count(retry, "count") or 1,
        delay_s=seconds(retry, "delay"),
        backoff=_BACKOFFS.get(text(retry, "backoff"), Backoff.CONSTANT),
        max_delay_s=seconds(retry, "max_delay"),
        when=text(retry, "when"),
    )


_TASK_FIELDS: Mapping[str, tuple[str, Callable[[Fields, str], Any]]] = {
    "type": ("type", _type),
    "description": ("description", text),
    "action": ("action", text),
    "input": ("input", _input),
    "when": ("when", text),
    "delay": ("delay_s", seconds),
    "with_items": ("with_items", _items),
    "batch_size": ("batch_size", count),
    "concurrency": ("concurrency", count),
    "timeout": ("timeout_s", count),
    "retry": ("retry", _retry),
    "publish": ("publish", _publish),
    "join": ("join", count),
}
"""The keys of a task, each with the name of its field and how it is read."""


def _transitions(fields: Fields, references: list[Reference]) -> tuple[Transition, ...]:
    transitions = [
        Transition(do, outcome=outcome)
        for key, outcome in _OUTCOMES
        if key in fields and (do := _names(fields, key, (), references))
    ]
    if "next" not in fields and "decision" not in fields:
        return tuple(transitions)
    for index, entry in enumerate(items(fields, "next")):
        if isinstance(entry, dict):
            do = _names(entry, "do", ("next", index), references)
            publish = published(entry.get("publish"))
            transitions.append(Transition(do, when=text(entry, "when"), publish=publish))
    for index, entry in enumerate(items(fields, "decision")):
        if isinstance(entry, dict):
            do = _names(entry, "next", ("decision", index), references)
            when, default = text(entry, "when"), entry.get("default") is True
            transitions.append(Transition(do, when=when, exclusive=True, default=default))
    return tuple(transitions)


def _names(fields: Fields, key: str, pointer: Pointer, references: list[Reference]) -> tuple[str, ...]:
    """The tasks that are named under ``key``, which are taken down as references too."""
    value = fields.get(key)
    if isinstance(value, str):
        references.append(Reference(value, (*pointer, key)))
        return (value,)
    if not isinstance(value, list):
        return ()
    named = [(index, name) for index, name in enumerate(value) if isinstance(name, str)]
    references.extend(Reference(name, (*pointer, key, index)) for index, name in named)
    return tuple(name for _, name in named)
