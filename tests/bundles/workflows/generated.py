"""Valid workflows of any kind, for property tests, and ways to break one rule of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from longshore_bundles.workflows.task_rules import RESERVED_NAMES
from tests.bundles.workflows.written import ACTIONS, PACK

Document = dict[str, Any]

words = st.text("abcXYZ019_éß", min_size=1, max_size=8).filter(lambda word: word not in RESERVED_NAMES)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=12)
full_texts = texts.filter(bool)
scalars = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(-1e9, 1e9) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2)
)
mappings = st.dictionaries(texts, values, max_size=3)
counts = st.integers(1, 100) | st.just("<% ctx(n) %>")
delays = st.integers(0, 9) | st.floats(0, 9) | st.just("{{ vars.delay }}")
publishes = mappings | st.lists(mappings, max_size=2)
json_schemas = st.fixed_dictionaries(
    {"type": st.sampled_from(["object", "array"])},
    optional={
        "properties": st.dictionaries(texts, st.fixed_dictionaries({"type": st.just("string")}), max_size=2)
    },
)
actions = st.one_of(
    st.sampled_from([f"{PACK}.{name}" for name in ACTIONS]),
    st.sampled_from(["core.http", "dns.zones.add", f"{PACK}.deploy", "{{ vars.action }}"]),
)
retries = st.fixed_dictionaries(
    {"count": st.integers(1, 100)},
    optional={
        "delay": delays,
        "backoff": st.sampled_from(["constant", "linear", "exponential"]),
        "max_delay": delays,
        "when": texts,
    },
)
task_fields: dict[str, st.SearchStrategy[Any]] = {
    "description": texts,
    "input": mappings,
    "when": texts,
    "delay": delays,
    "with_items": st.lists(values, max_size=2) | texts,
    "batch_size": counts,
    "concurrency": counts,
    "timeout": counts,
    "retry": retries,
    "publish": publishes,
    "join": st.just("all") | st.integers(1, 5),
}


@st.composite
def transitions(draw: st.DrawFn, names: list[str]) -> Document:
    """Transitions to all of ``names`` and no others, written in any way."""
    ways: Document = {}
    for name in names:
        key = draw(
            st.sampled_from(["on_success", "on_failure", "on_timeout", "on_complete", "next", "decision"])
        )
        if key == "next":
            entry = {"when": draw(full_texts), "do": draw(st.sampled_from([name, [name]]))}
            ways.setdefault(key, []).append(
                draw(st.fixed_dictionaries({}, optional={"publish": publishes})) | entry
            )
        elif key == "decision":
            ways.setdefault(key, []).append(
                {"when": draw(full_texts), "next": draw(st.sampled_from([name, [name]]))}
            )
        elif key in ways:
            ways[key] = [*([ways[key]] if isinstance(ways[key], str) else ways[key]), name]
        else:
            ways[key] = draw(st.sampled_from([name, [name]]))
    if draw(st.booleans()) and names:
        ways.setdefault("next", []).append({"do": names[:1]})
    return ways


@st.composite
def tasks_of(draw: st.DrawFn, names: list[str]) -> list[Document]:
    """Tasks of these names: the first starts, each of the others follows one before it, and perhaps more."""
    follows = {index: draw(st.integers(0, index - 1)) for index in range(1, len(names))}
    tasks = []
    for index, name in enumerate(names):
        named = [names[after] for after, before in follows.items() if before == index]
        if len(names) > 1:
            named += draw(st.lists(st.sampled_from(names[1:]), max_size=2))
        fields = draw(st.fixed_dictionaries({}, optional=task_fields))
        kind = draw(st.sampled_from([{}, {"type": "action"}, {"type": "workflow"}]))
        tasks.append({"name": name, **kind, "action": draw(actions), **fields, **draw(transitions(named))})
    return tasks


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A valid workflow called ``deploy``, with the tasks as a list, and a parallel one at its end."""
    names = draw(st.lists(words, min_size=2, max_size=6, unique=True))
    head = {
        "label": draw(st.text("ab é", min_size=1, max_size=255)),
        "version": draw(st.text("0123456789.", min_size=1, max_size=50)),
    }
    optional = st.fixed_dictionaries(
        {},
        optional={
            "ref": st.just(f"{PACK}.deploy"),
            "description": texts,
            "tags": st.lists(texts, max_size=3),
            "enabled": st.booleans(),
            "vars": mappings,
            "parameters": json_schemas,
            "output": json_schemas,
            "output_map": mappings,
        },
    )
    inside = draw(tasks_of(names[-1:]))
    parallel = {"name": f"{names[-1]} and others", "type": "parallel", "tasks": inside}
    return {**draw(optional), **head, "tasks": [*draw(tasks_of(names[:-1])), parallel]}


def as_map(document: Document) -> Document:
    """The same workflow with its tasks as a map by name."""
    tasks = {each["name"]: {key: each[key] for key in each if key != "name"} for each in document["tasks"]}
    return {**document, "tasks": tasks}


def _first(**fields: Any) -> Callable[[Document], Document]:
    """Changes the first task."""
    return lambda document: {
        **document,
        "tasks": [{**document["tasks"][0], **fields}, *document["tasks"][1:]],
    }


def _without(*keys: str) -> Callable[[Document], Document]:
    """Takes keys off the first task."""

    def broken(document: Document) -> Document:
        first = {key: value for key, value in document["tasks"][0].items() if key not in keys}
        return {**document, "tasks": [first, *document["tasks"][1:]]}

    return broken


def _added(*tasks: Document) -> Callable[[Document], Document]:
    return lambda document: {**document, "tasks": [*document["tasks"], *tasks]}


def _changed(**fields: Any) -> Callable[[Document], Document]:
    return lambda document: {**document, **fields}


def _twice(document: Document) -> Document:
    return {**document, "tasks": [*document["tasks"], {**document["tasks"][-1], "tasks": [_LONELY]}]}


def _ring(document: Document) -> Document:
    """The first task and the last one lead to each other."""
    first, *between, last = document["tasks"]
    return {**document, "tasks": [_leading_to(first, last), *between, _leading_to(last, first)]}


def _leading_to(task: Document, other: Document) -> Document:
    return {**task, "next": [*task.get("next", []), {"when": "x", "do": [other["name"]]}]}


_LONELY = {"name": "lonely task", "action": "core.http"}

BREAKAGES: list[tuple[str, Callable[[Document], Document]]] = [
    ("TASK_NAME_DUPLICATE", _twice),
    ("TASK_NAME_RESERVED", _added({**_LONELY, "name": "kv"})),
    ("TASK_NAME_INVALID", _added({**_LONELY, "name": "../up"})),
    ("TASK_NAME_INVALID", _added({**_LONELY, "name": "x" * 256})),
    ("TASK_UNKNOWN", _added({**_LONELY, "on_success": ["nowhere at all"]})),
    ("TASK_UNKNOWN", _added({**_LONELY, "next": [{"do": "nowhere at all"}]})),
    (
        "TASK_UNREACHABLE",
        _added(
            {**_LONELY, "on_failure": "other task"},
            {**_LONELY, "name": "other task", "next": [{"do": "lonely task"}]},
        ),
    ),
    ("NO_START_TASK", _ring),
    ("DEFAULT_NOT_UNIQUE", _added({**_LONELY, "next": [{}, {}]})),
    ("DEFAULT_NOT_UNIQUE", _first(decision=[{"next": [], "default": True}, {"next": []}])),
    ("TASKS_NOT_PARALLEL", _first(tasks=[_LONELY])),
    ("ACTION_UNDEFINED", _first(action=f"{PACK}.gone")),
    ("ACTION_INVALID", _first(action="http")),
    ("KEY_MISSING", _without("action", "type")),
    ("KEY_MISSING", _first(type="parallel")),
    ("VALUE_INVALID", _first(type="parallel", tasks=[])),
    ("VALUE_INVALID", _first(retry={"count": 0})),
    ("VALUE_INVALID", _first(retry={"count": 101})),
    ("VALUE_INVALID", _first(retry={"count": 1, "backoff": "random"})),
    ("UNKNOWN_KEY", _first(on_sucess="x")),
    ("REF_WRONG", _changed(ref=f"{PACK}.other")),
    ("VALUE_INVALID", _changed(label="x" * 256)),
    ("VALUE_INVALID", _changed(version="1" * 51)),
    ("VALUE_INVALID", _changed(tasks=[])),
    ("WRONG_TYPE", _changed(version=1.0)),
    ("WRONG_TYPE", _changed(vars=[])),
    ("UNKNOWN_KEY", _changed(lable="x")),
    ("JSON_SCHEMA_INVALID", _changed(parameters={"type": "text"})),
    ("JSON_SCHEMA_INVALID", _changed(output={"required": True})),
]
"""Each breaks one rule of any of the valid workflows, and is told by this code."""
