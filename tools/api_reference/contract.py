"""The contract as its readers meet it: what the ``.proto`` files declare, in their order, with the comments.

Read from the descriptors that protoc makes with source information: nothing here parses a ``.proto`` file.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    EnumValueDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    MethodOptions,
)

# Numbers of fields in descriptor.proto: a declaration's place in its file is a path of them.
_MESSAGES, _ENUMS, _SERVICES = 4, 5, 6
_FIELDS, _ONEOFS, _VALUES, _METHODS = 2, 8, 2, 2


@dataclass(frozen=True)
class Field:
    """One field of a message. ``types`` is one type's name, or those of a map's key and value."""

    name: str
    number: int
    types: tuple[str, ...]
    label: str
    comment: str


@dataclass(frozen=True)
class Message:
    """One message; ``oneofs`` holds what their comments say, by name."""

    name: str
    comment: str
    fields: tuple[Field, ...]
    oneofs: dict[str, str]


@dataclass(frozen=True)
class Value:
    """One value of an enum."""

    name: str
    number: int
    comment: str


@dataclass(frozen=True)
class Enum:
    """One enum."""

    name: str
    comment: str
    values: tuple[Value, ...]

    @property
    def tells_errors(self) -> bool:
        """Whether its values are the reasons of errors."""
        return self.name == "ErrorReason"

    def short(self, value: Value) -> str:
        """A value's name without the prefix that all of them have."""
        prefix = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.name).upper() + "_"
        return value.name.removeprefix(prefix)


@dataclass(frozen=True)
class Method:
    """One rpc. ``idempotency`` is the name of its ``idempotency_level``."""

    name: str
    comment: str
    request: str
    response: str
    client_streams: bool
    server_streams: bool
    idempotency: str


@dataclass(frozen=True)
class Service:
    """One service."""

    name: str
    comment: str
    methods: tuple[Method, ...]


@dataclass(frozen=True)
class File:
    """One ``.proto`` file; ``path`` is that of its imports."""

    path: str
    services: tuple[Service, ...]
    messages: tuple[Message, ...]
    enums: tuple[Enum, ...]

    @property
    def stem(self) -> str:
        """Its name without folder and ending."""
        return Path(self.path).stem

    @property
    def page(self) -> str:
        """The name of its page."""
        return f"{self.stem}.md"


def read_contract(protos: Path) -> list[File]:
    """What the ``.proto`` files below ``protos`` declare, file by file.

    Raises ``RuntimeError`` when protoc refuses them.
    """
    paths = sorted(path.relative_to(protos).as_posix() for path in protos.glob("longshore/*/*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "descriptors"
        wanted = ["--include_source_info", f"--descriptor_set_out={made}"]
        protoc = [sys.executable, "-m", "grpc_tools.protoc", "-I", str(protos), *wanted, *paths]
        done = subprocess.run(protoc, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"protoc refuses the .proto files:\n{done.stdout}")
        descriptors = FileDescriptorSet.FromString(made.read_bytes())
    return [_FileReader(file).read() for file in sorted(descriptors.file, key=lambda file: file.name)]


class _FileReader:
    """One file's descriptor, and the comments by the place of what they are about."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self._file = file
        self._comments = {
            tuple(location.path): location.leading_comments for location in file.source_code_info.location
        }

    def read(self) -> File:
        file = self._file
        return File(
            path=file.name,
            services=tuple(
                Service(service.name, self._comment(_SERVICES, i), tuple(self._methods(service.method, i)))
                for i, service in enumerate(file.service)
            ),
            messages=tuple(self._message(message, i) for i, message in enumerate(file.message_type)),
            enums=tuple(self._enum(enum, i) for i, enum in enumerate(file.enum_type)),
        )

    def _comment(self, *place: int) -> str:
        """Its paragraphs with an empty line between them, each on one line."""
        paragraphs = re.split(r"\n\s*\n", self._comments.get(place, "").strip())
        return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)

    def _methods(self, methods: Sequence[MethodDescriptorProto], service: int) -> Iterator[Method]:
        for i, method in enumerate(methods):
            yield Method(
                name=method.name,
                comment=self._comment(_SERVICES, service, _METHODS, i),
                request=_simple(method.input_type),
                response=_simple(method.output_type),
                client_streams=method.client_streaming,
                server_streams=method.server_streaming,
                idempotency=MethodOptions.IdempotencyLevel.Name(method.options.idempotency_level),
            )

    def _message(self, message: DescriptorProto, place: int) -> Message:
        # What `optional` makes is a oneof too, behind all the others.
        visible = {field.oneof_index for field in message.field if _in_a_oneof(field)}
        return Message(
            name=message.name,
            comment=self._comment(_MESSAGES, place),
            fields=tuple(
                Field(
                    name=field.name,
                    number=field.number,
                    types=_types(message, field),
                    label=_label(message, field),
                    comment=self._comment(_MESSAGES, place, _FIELDS, i),
                )
                for i, field in enumerate(message.field)
            ),
            oneofs={
                oneof.name: self._comment(_MESSAGES, place, _ONEOFS, i)
                for i, oneof in enumerate(message.oneof_decl)
                if i in visible
            },
        )

    def _enum(self, enum: EnumDescriptorProto, place: int) -> Enum:
        def value(i: int, declared: EnumValueDescriptorProto) -> Value:
            return Value(declared.name, declared.number, self._comment(_ENUMS, place, _VALUES, i))

        values = tuple(value(i, declared) for i, declared in enumerate(enum.value))
        return Enum(enum.name, self._comment(_ENUMS, place), values)


def _simple(type_name: str) -> str:
    """A type's name as the pages write it: our own without the package."""
    return type_name.removeprefix(".").removeprefix("longshore.v1.")


def _in_a_oneof(field: FieldDescriptorProto) -> bool:
    return field.HasField("oneof_index") and not field.proto3_optional


def _map_entry(message: DescriptorProto, field: FieldDescriptorProto) -> DescriptorProto | None:
    name = field.type_name.rpartition(".")[2]
    return next((each for each in message.nested_type if each.name == name and each.options.map_entry), None)


def _types(message: DescriptorProto, field: FieldDescriptorProto) -> tuple[str, ...]:
    entry = _map_entry(message, field)
    if entry is not None:
        return tuple(_types(message, each)[0] for each in entry.field)
    if field.type_name:
        return (_simple(field.type_name),)
    return (FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower(),)


def _label(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    if _in_a_oneof(field):
        return f"one of `{message.oneof_decl[field.oneof_index].name}`"
    if field.proto3_optional:
        return "optional"
    if _map_entry(message, field) is not None:
        return "map"
    return "repeated" if field.label == FieldDescriptorProto.LABEL_REPEATED else ""
