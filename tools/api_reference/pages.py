"""The pages: one for every ``.proto`` file, and one that lists them all.

Services, rpcs, messages and enums have an anchor by their heading, error reasons by an ``<a id>`` in their
row. What an rpc asks and answers stands under it, everything else under a heading of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from .contract import Enum, File, Message, Method, Service
from .linking import Names

INDEX = "README.md"
_GRPC_CODE = re.compile(r"([A-Z_]+)\. ")
_SHAPES = {
    (False, False): "Unary",
    (True, False): "Client stream: many requests, one response",
    (False, True): "Server stream: one request, many responses",
    (True, True): "Both stream: many requests, many responses",
}
_IDEMPOTENCY = {
    "NO_SIDE_EFFECTS": "It only reads: call it again at any time.",
    "IDEMPOTENT": "It is idempotent: the same request again does nothing more.",
    "IDEMPOTENCY_UNKNOWN": "What calling it again does is told above.",
}
_PREFACE = """\
# API reference

Made by `make protos` from the comments in `protos/longshore/v1`: to change a page, change those. [The guide]\
(../guide.md) tells how a service uses it, [the table of errors](../errors.md#reasons) what to do about each.

- A field that is not set has proto3's default; where that means something else, the field says so.
- Fields that are `optional` tell "not set" from zero; of fields that are one of a group at most one is set.
- Times are `Timestamp` (`…_time`), spans `Duration`, sizes bytes (`…_size_bytes`).
- Values of enums are only ever added: treat one that you do not know as unspecified.
- The next page of a list is asked for by the `next_page_token` of the one before, with the same filters.
- Beside these services every node answers gRPC's own for health and for reflection.
"""


def render(files: Sequence[File]) -> dict[str, str]:
    """Every page's text by its file name."""
    names = Names(files)
    return {INDEX: _index(files, names), **{file.page: _Page(file, names).text() for file in files}}


def _index(files: Sequence[File], names: Names) -> str:
    parts = [_PREFACE]
    services = [service for file in files for service in file.services]
    for service in sorted(services, key=lambda service: -len(service.methods)):
        rows = [
            [
                names.link(method.name, page=INDEX),
                _shape(method).partition(":")[0].lower(),
                names.linked(_first_sentence(method.comment), page=INDEX, within=method.name),
            ]
            for method in service.methods
        ]
        comment = names.linked(_first_sentence(service.comment), page=INDEX)
        parts += [f"## {service.name}\n", f"{comment}\n", _table(["rpc", "shape", "what it does"], rows)]
    contents = [
        [f"[{file.page}]({file.page})", ", ".join(names.link(name, page=INDEX) for name in _shared(file))]
        for file in files
    ]
    return "\n".join([*parts, "## Messages and enums\n", _table(["page", "declares"], contents)])


def _shared(file: File) -> list[str]:
    """What it declares besides rpcs and what they ask and answer, by name."""
    asked = {
        name
        for service in file.services
        for each in service.methods
        for name in (each.request, each.response)
    }
    declared = [*(message.name for message in file.messages), *(enum.name for enum in file.enums)]
    return sorted(set(declared) - asked)


class _Page:
    """The page of one file."""

    def __init__(self, file: File, names: Names) -> None:
        self._file = file
        self._names = names

    def text(self) -> str:
        file = self._file
        title = " and ".join(service.name for service in file.services) or file.stem.capitalize()
        parts = [f"# {title}\n", f"Of `protos/{file.path}`; the other pages: [API reference]({INDEX}).\n"]
        messages = {message.name: message for message in file.messages}
        for service in file.services:
            parts += self._service(service, messages)
        level = "##"
        if file.services:
            parts.append("## Messages and enums\n")
            level = "###"
        for message in messages.values():
            parts += [f"{level} {message.name}\n", *self._message(message)]
        for enum in file.enums:
            parts += [f"{level} {enum.name}\n", *self._enum(enum)]
        return "\n".join(parts)

    def _service(self, service: Service, messages: dict[str, Message]) -> Iterator[str]:
        """The service with its rpcs; takes what they ask and answer out of ``messages``."""
        yield f"{self._linked(service.comment, service.name)}\n"
        for method in service.methods:
            yield f"## {method.name}\n"
            yield f"{self._linked(method.comment, method.name)}\n"
            yield f"*{_shape(method)}. {_IDEMPOTENCY[method.idempotency]}*\n"
            for name in (method.request, method.response):
                yield f"### {name}\n"
                yield from self._message(messages.pop(name))

    def _message(self, message: Message) -> Iterator[str]:
        yield f"{self._linked(message.comment, message.name)}\n"
        yield from self._users(message.name)
        for oneof, comment in message.oneofs.items():
            yield f"One of `{oneof}`: {self._linked(comment, message.name)}\n"
        if not message.fields:
            yield "It has no fields.\n"
            return
        rows = [
            [
                f"`{field.name}`",
                str(field.number),
                " to ".join(self._names.type(name, page=self._file.page) for name in field.types),
                field.label,
                self._linked(field.comment, message.name),
            ]
            for field in message.fields
        ]
        yield _table(["field", "number", "type", "label", "meaning"], rows)

    def _enum(self, enum: Enum) -> Iterator[str]:
        yield f"{self._linked(enum.comment, enum.name)}\n"
        yield from self._users(enum.name)
        if enum.tells_errors:
            yield from self._reasons(enum)
            return
        rows = [
            [f"`{value.name}`", str(value.number), self._linked(value.comment, enum.name)]
            for value in enum.values
        ]
        yield _table(["value", "number", "meaning"], rows)

    def _reasons(self, enum: Enum) -> Iterator[str]:
        """The reasons as errors name them; the first word of a comment is the gRPC code."""
        yield "What to do about each of them stands in [the table of errors](../errors.md#reasons).\n"
        rows = []
        for value in enum.values:
            reason = enum.short(value)
            code = _GRPC_CODE.match(value.comment)
            meaning = value.comment.removeprefix(code[0]) if code else value.comment
            rows.append(
                [
                    f'<a id="{reason.lower()}"></a>`{reason}`',
                    str(value.number),
                    f"`{code[1]}`" if code else "none",
                    self._linked(meaning, reason),
                ]
            )
        yield _table(["reason", "number", "code", "meaning"], rows)

    def _users(self, name: str) -> Iterator[str]:
        users = self._names.users(name)
        if users:
            yield f"Found in {', '.join(self._names.link(user, page=self._file.page) for user in users)}.\n"

    def _linked(self, comment: str, within: str) -> str:
        return self._names.linked(comment, page=self._file.page, within=within)


def _shape(method: Method) -> str:
    return _SHAPES[method.client_streams, method.server_streams]


def _first_sentence(comment: str) -> str:
    return re.split(r"(?<=\.)\s", comment, maxsplit=1)[0]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n\n", "<br>")
