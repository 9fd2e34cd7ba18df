"""A server that answers every call, and has something for terminals in every text of its answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

from longshore.v1 import (  # noqa: F401 (they enter the pool)
    catalog_service_pb2,
    cluster_service_pb2,
    deployment_service_pb2,
)
from longshore.v1.deployment_pb2 import DeploymentStatus

TEXT = "\x1b]0;pwn\x07\x9b2J\u202egnp\u2066\r\nx\x7f\u200f\u2028"
"""It sets a title, clears the screen, turns text around, and goes to another line."""


@contextmanager
def hostile_server(status: DeploymentStatus.ValueType) -> Iterator[str]:
    """Its address, for as long as the block runs; deployments are in this status."""
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((_Handlers(status),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, status: DeploymentStatus.ValueType) -> None:
        self._status = status

    def service(self, handler_call_details: Any) -> Any:
        name = handler_call_details.method.strip("/").replace("/", ".")
        method = descriptor_pool.Default().FindMethodByName(name)
        if method.client_streaming:
            return grpc.stream_unary_rpc_method_handler(lambda _requests, _context: self._answers(method)[0])
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(self._stream(method))
        return grpc.unary_unary_rpc_method_handler(lambda _request, _context: self._answers(method)[0])

    def _stream(self, method: MethodDescriptor) -> Callable[[bytes, Any], Iterator[bytes]]:
        def stream(_request: bytes, context: Any) -> Iterator[bytes]:
            yield from self._answers(method)
            context.abort(grpc.StatusCode.PERMISSION_DENIED, TEXT)

        return stream

    def _answers(self, method: MethodDescriptor) -> list[bytes]:
        """One answer for every kind that the call has, each with every field set."""
        kind = message_factory.GetMessageClass(method.output_type)
        answers = []
        for choice in range(_most_choices(method.output_type)):
            answer = kind()
            self._fill(answer, choice)
            answers.append(answer.SerializeToString())
        return answers

    def _fill(self, message: Message, choice: int) -> None:
        for field in message.DESCRIPTOR.fields:
            oneof = field.containing_oneof
            if oneof is not None and oneof.fields[choice % len(oneof.fields)] is not field:
                continue
            if field.name == "next_page_token":
                continue
            self._set(message, field, choice)

    def _set(self, message: Any, field: Any, choice: int) -> None:
        value = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            value[TEXT] = TEXT
        elif field.message_type is not None:
            part = value.add() if field.is_repeated else value
            if field.message_type.full_name.startswith("google.protobuf."):
                part.FromSeconds(1_700_000_000)
            else:
                part.SetInParent()
                self._fill(part, choice)
        elif field.is_repeated:
            value.append(self._scalar(field))
        elif field.name == "definition_json":
            message.definition_json = json.dumps({TEXT: [TEXT]})
        else:
            setattr(message, field.name, self._scalar(field))

    def _scalar(self, field: Any) -> Any:
        if field.enum_type is not None:
            is_status = field.enum_type.name == "DeploymentStatus"
            return self._status if is_status else field.enum_type.values[-1].number
        plain = {FieldDescriptor.CPPTYPE_STRING: TEXT, FieldDescriptor.CPPTYPE_BOOL: False}
        if field.type == FieldDescriptor.TYPE_BYTES:
            return b"x"
        return plain.get(field.cpp_type, 7)


def _most_choices(of: Any) -> int:
    """How many answers it takes to have every alternative of every ``oneof`` in one of them."""
    parts = [field.message_type for field in of.fields if field.message_type]
    return max([1, *(len(each.fields) for each in of.oneofs), *map(_most_choices, parts)])
