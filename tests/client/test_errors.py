"""Every status becomes an error of ours, by reason first; the tables and the tree's docstring are total."""

from __future__ import annotations

import inspect
import re

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc import aio

import longshore_client
from longshore.v1 import errors_pb2
from longshore_client import errors
from longshore_client.cli.failing import exit_code_of
from longshore_client.statuses import BY_CODE, BY_REASON, error_of


def _classes() -> dict[str, type[errors.LongshoreError]]:
    return {
        name: kind
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.LongshoreError)
    }


def _rpc_error(code: grpc.StatusCode, message: str, *details: Message) -> aio.AioRpcError:
    status = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    trailers = aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return aio.AioRpcError(code, aio.Metadata(), trailers, message)


def test_the_docstring_shows_the_tree_as_it_is() -> None:
    text = (errors.__doc__ or "").split("Errors from a server")[0]
    shown = re.findall(r"^([│ ]*)(?:[├└]── )?([A-Z][A-Za-z0-9]+)(?: |$)", text, re.MULTILINE)
    depths = {name: len(indent) // 4 for indent, name in shown if name in _classes()}
    assert depths.keys() == _classes().keys()
    for name, kind in _classes().items():
        depth = len(kind.__mro__) - len(errors.LongshoreError.__mro__) - 1
        assert depths[name] == max(depth, 0), name


def test_every_reason_of_the_contract_has_an_error() -> None:
    names = {name.removeprefix("ERROR_REASON_") for name in errors_pb2.ErrorReason.keys()}  # noqa: SIM118
    assert BY_REASON.keys() == names - {"UNSPECIFIED"}


def test_every_status_code_has_an_error() -> None:
    assert BY_CODE.keys() == set(grpc.StatusCode)


def test_every_error_has_an_exit_code_other_than_success() -> None:
    for kind in _classes().values():
        error = kind.__new__(kind)
        assert exit_code_of(error) in range(1, 9)


def test_every_exported_name_is_there() -> None:
    for name in longshore_client.__all__:
        assert getattr(longshore_client, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        longshore_client.nonsense  # noqa: B018


def test_the_details_of_a_status_are_kept() -> None:
    delay = duration_pb2.Duration()
    delay.FromMilliseconds(1500)
    error = error_of(
        _rpc_error(
            grpc.StatusCode.ABORTED,
            "busy",
            error_details_pb2.ErrorInfo(
                reason="UPLOAD_IN_PROGRESS", domain="longshore", metadata={"request_id": "r1"}
            ),
            error_details_pb2.RetryInfo(retry_delay=delay),
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(field="header.version", description="bad")
                ]
            ),
        ),
        "h:1",
        "mine",
    )
    assert type(error) is errors.UploadInProgress
    assert (error.reason, error.status, error.message) == ("UPLOAD_IN_PROGRESS", "ABORTED", "busy")
    assert (error.request_id, error.retry_after_s) == ("r1", 1.5)
    assert error.field_violations == (errors.FieldViolation("header.version", "bad"),)


def test_a_reason_of_a_newer_server_falls_back_to_the_code() -> None:
    info = error_details_pb2.ErrorInfo(reason="BRAND_NEW", domain="longshore")
    error = error_of(_rpc_error(grpc.StatusCode.NOT_FOUND, "gone", info), "h:1")
    assert type(error) is errors.NotFound
    assert error.reason == "BRAND_NEW"


def test_a_reason_of_another_domain_is_not_ours() -> None:
    info = error_details_pb2.ErrorInfo(reason="VERSION_EXISTS", domain="proxy.example")
    error = error_of(_rpc_error(grpc.StatusCode.UNAVAILABLE, "no upstream", info), "h:1")
    assert (type(error), error.reason) == (errors.Unavailable, "")


def test_damaged_details_are_no_reason_to_fail() -> None:
    trailers = aio.Metadata(("grpc-status-details-bin", b"\xff\xff\xff"))
    raw = aio.AioRpcError(grpc.StatusCode.DATA_LOSS, aio.Metadata(), trailers, "rot")
    assert type(error_of(raw, "h:1")) is errors.StoredDataCorrupt


def test_findings_are_read_from_violations() -> None:
    error = error_of(
        _rpc_error(
            grpc.StatusCode.INVALID_ARGUMENT,
            "refused",
            error_details_pb2.ErrorInfo(
                reason="ARCHIVE_INVALID", domain="longshore", metadata={"total_findings": "3"}
            ),
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(
                        field="../x", description="PATH_ESCAPES: leads out: of the tree"
                    )
                ]
            ),
        ),
        "h:1",
    )
    assert type(error) is errors.PayloadRefused
    assert [(f.code, f.path, f.message) for f in error.findings] == [
        ("PATH_ESCAPES", "../x", "leads out: of the tree")
    ]
    assert error.total_findings == 3


def test_an_unreachable_server_is_named() -> None:
    raw = aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE,
        aio.Metadata(),
        aio.Metadata(),
        "failed to connect to all addresses; last error: UNKNOWN: ipv4:1.2.3.4:1: Connection refused",
    )
    error = error_of(raw, "deploy.example:7420")
    assert error.message == "cannot reach the server at deploy.example:7420: Connection refused"
