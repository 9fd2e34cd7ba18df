"""Results as programs read them: JSON and YAML, stable and described by ``schemas.json``.

A value's fields keep the names of the library's dataclasses; enums are lower-case words, times RFC 3339 in
UTC, spans of time seconds, sizes bytes, what is unset is null. A list is printed as one JSON object per line
(YAML: one document each), a single result as one object. Progress is one object per line with ``type``
``event`` or ``snapshot``.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from .options import OutputFormat
from .wording import UNPRINTED

if TYPE_CHECKING:
    from yaml import SafeDumper, ScalarNode

    from longshore_client.events import Event, Snapshot

# What JSON and YAML may hold but a terminal must not get.
_UNSAFE: Final = re.compile(f"[{UNPRINTED}]")


def plain(value: object) -> Any:
    """A result as dicts, lists and scalars."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Path):
        return str(value)
    return value


def plain_update(update: Event | Snapshot) -> dict[str, Any]:
    """A line of progress: ``type``, and for an event what ``kind`` of detail it has."""
    from longshore_client.events import Event

    fields: dict[str, Any] = plain(update)
    if isinstance(update, Event):
        detail = update.detail
        if detail is not None:
            fields["detail"] = {"kind": detail_kind(type(detail)), **fields["detail"]}
        return {"type": "event", **fields}
    return {"type": "snapshot", **fields}


def detail_kind(of: type) -> str:
    """What a kind of detail of an event is called: ``StatusChanged`` is ``status_changed``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", of.__name__).lower()


def print_object(value: object, output: OutputFormat) -> None:
    """Print one result to standard output as JSON or YAML."""
    if output is OutputFormat.YAML:
        import yaml

        text = yaml.dump(
            plain(value), Dumper=_yaml_dumper(), sort_keys=False, allow_unicode=True, explicit_start=True
        )
    else:
        text = json.dumps(plain(value), ensure_ascii=False, separators=(",", ":")) + "\n"
    click.echo(escaped(text), nl=False)


def escaped(text: str) -> str:
    """A text of JSON or YAML with what a terminal must not get as they escape it."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


@functools.cache
def _yaml_dumper() -> type[SafeDumper]:
    """Writes what a terminal must not get between quotes, where it can be escaped."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def represent(dumper: SafeDumper, text: str) -> ScalarNode:
        quoted = '"' if _UNSAFE.search(text) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=quoted)

    Dumper.add_representer(str, represent)
    return Dumper
