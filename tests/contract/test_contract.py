"""The form of the contract, beyond what ``buf lint`` knows: what a stub's reader may rely on everywhere.

The rules are checked on the descriptors that ``protoc`` makes from the ``.proto`` files, comments included,
never on the text, so that no formatting matters.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodOptions,
    ServiceDescriptorProto,
)

PROTOS = Path(__file__).parents[2] / "protos"
PACKAGE = "longshore.v1"
WELL_KNOWN = "google/protobuf/"
Field = FieldDescriptorProto

# Tags of descriptor.proto, of which a comment's path is made.
FILE_MESSAGES, FILE_ENUMS, FILE_SERVICES = 4, 5, 6
MESSAGE_FIELDS, MESSAGE_MESSAGES, MESSAGE_ENUMS, MESSAGE_ONEOFS = 2, 3, 4, 8
MEMBERS = 2  # an enum's values and a service's methods alike

INTEGERS = {
    Field.TYPE_INT32,
    Field.TYPE_INT64,
    Field.TYPE_UINT32,
    Field.TYPE_UINT64,
    Field.TYPE_SINT32,
    Field.TYPE_SINT64,
    Field.TYPE_FIXED32,
    Field.TYPE_FIXED64,
    Field.TYPE_SFIXED32,
    Field.TYPE_SFIXED64,
}
# What a number or a string is called where Timestamp or Duration is meant.
WRITTEN_TIME = re.compile(
    r"(^|_)(time|timestamp|date|at|since|until|duration|timeout|interval|ttl|age|seconds|secs|millis|ms|ns|s)$"
)
# Reads begin with one of these; a proxy may repeat them, and a GET may stand for them.
READ_VERBS = ("Count", "Get", "List", "Stream", "Watch", "Download")


@dataclass(frozen=True)
class Commented:
    """One element of a file: its full name and the comment in front of it."""

    name: str
    comment: str


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[FileDescriptorProto]:
    """Our own files, with their comments; what they import is resolved but not looked at."""
    out = tmp_path_factory.mktemp("contract") / "contract.binpb"
    sources = sorted(path.relative_to(PROTOS).as_posix() for path in PROTOS.glob("longshore/**/*.proto"))
    assert sources
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", str(PROTOS), "--include_source_info"]
    subprocess.run([*command, f"--descriptor_set_out={out}", *sources], check=True)
    return list(FileDescriptorSet.FromString(out.read_bytes()).file)


def messages(files: list[FileDescriptorProto]) -> Iterator[tuple[str, DescriptorProto]]:
    def within(prefix: str, message: DescriptorProto) -> Iterator[tuple[str, DescriptorProto]]:
        name = f"{prefix}.{message.name}"
        yield name, message
        for nested in message.nested_type:
            yield from within(name, nested)

    for file in files:
        for message in file.message_type:
            yield from within(file.package, message)


def fields(files: list[FileDescriptorProto]) -> Iterator[tuple[str, Field]]:
    for name, message in messages(files):
        for field in message.field:
            yield f"{name}.{field.name}", field


def enums(files: list[FileDescriptorProto]) -> Iterator[EnumDescriptorProto]:
    for file in files:
        yield from file.enum_type
    for _, message in messages(files):
        yield from message.enum_type


def services(files: list[FileDescriptorProto]) -> Iterator[ServiceDescriptorProto]:
    for file in files:
        yield from file.service


def commented(file: FileDescriptorProto) -> Iterator[Commented]:
    """Every element of the file that a reader of its stubs meets."""
    comments = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}

    def element(name: str, *path: int) -> Commented:
        return Commented(name, comments.get(path, "").strip())

    def enum(enum: EnumDescriptorProto, *path: int) -> Iterator[Commented]:
        yield element(enum.name, *path)
        for i, value in enumerate(enum.value):
            yield element(value.name, *path, MEMBERS, i)

    def message(message: DescriptorProto, *path: int) -> Iterator[Commented]:
        yield element(message.name, *path)
        for i, field in enumerate(message.field):
            yield element(f"{message.name}.{field.name}", *path, MESSAGE_FIELDS, i)
        for i, oneof in enumerate(message.oneof_decl):
            if any(
                f.oneof_index == i and f.HasField("oneof_index") and not f.proto3_optional
                for f in message.field
            ):
                yield element(f"{message.name}.{oneof.name}", *path, MESSAGE_ONEOFS, i)
        for i, nested in enumerate(message.nested_type):
            if not nested.options.map_entry:
                yield from recurse(nested, *path, MESSAGE_MESSAGES, i)
        for i, inner in enumerate(message.enum_type):
            yield from enum(inner, *path, MESSAGE_ENUMS, i)

    recurse = message
    for i, top in enumerate(file.message_type):
        yield from message(top, FILE_MESSAGES, i)
    for i, top_enum in enumerate(file.enum_type):
        yield from enum(top_enum, FILE_ENUMS, i)
    for i, service in enumerate(file.service):
        yield element(service.name, FILE_SERVICES, i)
        for j, method in enumerate(service.method):
            yield element(f"{service.name}.{method.name}", FILE_SERVICES, i, MEMBERS, j)


def test_everything_is_commented(files: list[FileDescriptorProto]) -> None:
    elements = [element for file in files for element in commented(file)]
    assert len(elements) > 100
    assert [element.name for element in elements if not element.comment] == []


def test_comments_are_for_the_contracts_users(files: list[FileDescriptorProto]) -> None:
    """They end up in the stubs of every language: whole sentences, and no notes of those who wrote them."""
    elements = [element for file in files for element in commented(file)]
    assert [e.name for e in elements if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", e.comment)] == []
    assert [e.name for e in elements if "→" not in e.comment and e.comment[-1:] not in {".", ":"}] == []


def test_each_rpc_has_its_own_request_and_response(files: list[FileDescriptorProto]) -> None:
    methods = [method for service in services(files) for method in service.method]
    assert methods
    for method in methods:
        assert method.input_type == f".{PACKAGE}.{method.name}Request"
        assert method.output_type == f".{PACKAGE}.{method.name}Response"


def test_requests_and_responses_belong_to_an_rpc(files: list[FileDescriptorProto]) -> None:
    """What nothing sends is not in the contract."""
    used = {
        kind for service in services(files) for m in service.method for kind in (m.input_type, m.output_type)
    }
    used |= {field.type_name for _, field in fields(files)}
    assert sorted(name for name, _ in messages(files) if f".{name}" not in used) == []


def test_enum_values_carry_their_enums_name(files: list[FileDescriptorProto]) -> None:
    found = list(enums(files))
    assert found
    for enum in found:
        prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper()
        assert (enum.value[0].name, enum.value[0].number) == (f"{prefix}_UNSPECIFIED", 0)
        assert [value.name for value in enum.value if not value.name.startswith(f"{prefix}_")] == []
        numbers = [value.number for value in enum.value]
        assert len(set(numbers)) == len(numbers), f"{enum.name} has aliases"


def test_only_well_known_types_are_imported(files: list[FileDescriptorProto]) -> None:
    """Whoever has our files and a protoc has everything."""
    own = {file.name for file in files}
    imported = {name for file in files for name in file.dependency}
    assert {name for name in imported - own if not name.startswith(WELL_KNOWN)} == set()
    assert {
        name for name in imported if name in {f"{WELL_KNOWN}any.proto", f"{WELL_KNOWN}struct.proto"}
    } == set()
    assert [file.name for file in files if file.public_dependency or file.weak_dependency] == []


def test_every_file_has_the_same_package_and_options(files: list[FileDescriptorProto]) -> None:
    for file in files:
        assert file.syntax == "proto3"
        assert file.package == PACKAGE
        assert file.options.go_package == "longshore.dev/longshore/v1;longshorev1"
        assert file.options.java_package == "dev.longshore.v1"
        assert file.options.java_multiple_files


def test_times_are_timestamps_and_durations(files: list[FileDescriptorProto]) -> None:
    for name, field in fields(files):
        if field.type in INTEGERS | {Field.TYPE_STRING, Field.TYPE_DOUBLE, Field.TYPE_FLOAT}:
            assert not WRITTEN_TIME.search(field.name), f"{name} wants a Timestamp or a Duration"
        if field.type_name == ".google.protobuf.Timestamp":
            assert field.name == "time" or field.name.endswith("_time"), (
                f"{name}: a Timestamp is called …_time"
            )


def test_numbers_say_what_they_count(files: list[FileDescriptorProto]) -> None:
    for name, field in fields(files):
        if field.name.endswith(("_bytes", "_size")) and field.name != "page_size":
            assert field.type in INTEGERS, f"{name} is no number"
            assert field.name.endswith("_bytes"), f"{name}: a size names its unit"
        assert field.type not in {Field.TYPE_FLOAT, Field.TYPE_DOUBLE}, (
            f"{name}: fractions differ between languages"
        )
        # Signed ones only: Java and SQL have no others. Positions in a list are the one exception.
        if field.type in {Field.TYPE_UINT64, Field.TYPE_FIXED64, Field.TYPE_FIXED32}:
            pytest.fail(f"{name}: Java has no such number")


def test_lists_come_in_pages(files: list[FileDescriptorProto]) -> None:
    by_name = dict(messages(files))
    lists = [m.name for service in services(files) for m in service.method if m.name.startswith("List")]
    assert lists
    for name in lists:
        request, response = by_name[f"{PACKAGE}.{name}Request"], by_name[f"{PACKAGE}.{name}Response"]
        assert {"page_size", "page_token"} <= {field.name for field in request.field}
        assert "next_page_token" in {field.name for field in response.field}
        assert [f.name for f in response.field if f.label == Field.LABEL_REPEATED and f.number == 1], name


def test_reads_are_marked_as_reads(files: list[FileDescriptorProto]) -> None:
    for service in services(files):
        for method in service.method:
            is_read = method.name.startswith(READ_VERBS)
            marked = method.options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS
            assert is_read == marked, f"{service.name}.{method.name}"


def test_what_begins_a_deployment_carries_its_id(files: list[FileDescriptorProto]) -> None:
    """A client that lost the answer must be able to ask for it: the id is its own, and the first field."""
    by_name = dict(messages(files))
    header = by_name[f"{PACKAGE}.DeployRequest"].field[0].type_name.removeprefix(".")
    for name in (header, f"{PACKAGE}.DeployReleaseRequest", f"{PACKAGE}.RollbackRequest"):
        first = by_name[name].field[0]
        assert (first.name, first.number, first.type) == ("deployment_id", 1, Field.TYPE_STRING)


def test_every_error_reason_names_its_status_code(files: list[FileDescriptorProto]) -> None:
    """The comment is the table: a code of gRPC first, or that it is a deployment's outcome only."""
    codes = {code.name for code in grpc.StatusCode}
    reasons = [
        element
        for file in files
        for element in commented(file)
        if element.name.startswith("ERROR_REASON_") and element.name != "ERROR_REASON_UNSPECIFIED"
    ]
    assert reasons
    for reason in reasons:
        code, _, text = reason.comment.partition(". ")
        assert text or reason.comment.startswith("A deployment's outcome:"), reason.name
        assert code in codes or reason.comment.startswith("A deployment's outcome:"), reason.name
