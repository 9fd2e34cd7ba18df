"""A workflow's definition as plain JSON values, the same whichever way its file was written.

Keys stand in one order, tasks are a list in the order of the file, names of tasks are lists, and what is as
it would be without being written is left out. Of a workflow in Longshore's form it is such a document again,
and reading it gives the same workflow. One in orquesta's form has ``syntax`` besides, and ``commands`` in its
transitions.
"""

from __future__ import annotations

from typing import TypeAlias

from longshore_bundles.documents import JsonValue

from .model import Backoff, Publish, Retry, Task, TaskType, Transition, Workflow, WorkflowSyntax

JsonObject: TypeAlias = dict[str, JsonValue]


def parsed_form(workflow: Workflow) -> JsonObject:
    """The definition of a workflow, with nothing of its file; shares its values, so do not change it."""
    form: JsonObject = {}
    if workflow.syntax is not WorkflowSyntax.LONGSHORE:
        form["syntax"] = workflow.syntax.value
    form |= {"ref": workflow.ref, "label": workflow.label, "version": workflow.version}
    _put(form, "description", workflow.description)
    _put(form, "tags", list(workflow.tags))
    if not workflow.enabled:
        form["enabled"] = False
    _put(form, "vars", dict(workflow.vars))
    for key, schema in (("parameters", workflow.parameters), ("output", workflow.output)):
        if schema is not None:
            form[key] = dict(schema)
    _put(form, "output_map", dict(workflow.output_map))
    form["tasks"] = [parsed_task(task) for task in workflow.tasks]
    return form


def parsed_task(task: Task) -> JsonObject:
    """The definition of a task, with the tasks inside it."""
    form: JsonObject = {"name": task.name}
    if task.type is not TaskType.ACTION:
        form["type"] = task.type.value
    _put(form, "description", task.description)
    _put(form, "action", task.action)
    _put(form, "input", task.input if isinstance(task.input, str) else dict(task.input))
    _put(form, "when", task.when)
    counted: JsonObject = {
        "delay": task.delay_s,
        "with_items": task.with_items,
        "batch_size": task.batch_size,
        "concurrency": task.concurrency,
        "timeout": task.timeout_s,
    }
    form |= {key: value for key, value in counted.items() if value is not None}
    if task.retry is not None:
        form["retry"] = _retry(task.retry)
    _put(form, "publish", _published(task.publish))
    if task.join is not None:
        form["join"] = task.join
    for transition in task.transitions:
        if transition.outcome is not None:
            form[f"on_{transition.outcome}"] = list(transition.do)
    _put(form, "next", [_next(each) for each in task.transitions if _is_branch(each, exclusive=False)])
    _put(form, "decision", [_decision(each) for each in task.transitions if _is_branch(each, exclusive=True)])
    _put(form, "tasks", [parsed_task(inside) for inside in task.tasks])
    return form


def task_summary(workflow: Workflow) -> list[JsonValue]:
    """All tasks of a workflow in short: name, type, action, and the names of those that may follow."""
    return [_summary(task) for task in workflow.all_tasks()]


def _summary(task: Task) -> JsonObject:
    followers = dict.fromkeys(name for transition in task.transitions for name in transition.do)
    return {
        "name": task.name,
        "type": task.type.value,
        "action": task.action,
        "followed_by": list(followers),
    }


def _put(form: JsonObject, key: str, value: JsonValue) -> None:
    """Unless it is empty, which is as if it were not written."""
    if value:
        form[key] = value


def _retry(retry: Retry) -> JsonObject:
    form: JsonObject = {"count": retry.count}
    if retry.delay_s is not None:
        form["delay"] = retry.delay_s
    if retry.backoff is not Backoff.CONSTANT:
        form["backoff"] = retry.backoff.value
    if retry.max_delay_s is not None:
        form["max_delay"] = retry.max_delay_s
    _put(form, "when", retry.when)
    return form


def _published(publish: Publish) -> list[JsonValue]:
    return [{name: value} for name, value in publish]


def _is_branch(transition: Transition, *, exclusive: bool) -> bool:
    return transition.outcome is None and transition.exclusive is exclusive


def _next(transition: Transition) -> JsonObject:
    form: JsonObject = {}
    _put(form, "when", transition.when)
    _put(form, "publish", _published(transition.publish))
    _put(form, "do", list(transition.do))
    _put(form, "commands", list(transition.commands))
    return form


def _decision(transition: Transition) -> JsonObject:
    form: JsonObject = {}
    _put(form, "when", transition.when)
    form["next"] = list(transition.do)
    if transition.default:
        form["default"] = True
    return form
