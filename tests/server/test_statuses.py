"""The tables that turn what goes wrong into statuses: none of them has a hole."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType

import grpc
import pytest

from longshore.v1 import errors_pb2
from longshore_bundles import errors as bundles
from longshore_bundles.findings import Finding, Severity
from longshore_server.refusal import FINAL_REASONS, FindingTold, Reason, Refusal
from longshore_server.rpc.statuses import STATUS_OF, status_of
from longshore_server.translation import TABLE, refusal_of
from longshore_storage import errors as storage
from longshore_storage.catalogue.journal import StatusMoved
from longshore_storage.payloads import errors as payloads

# Never met by a call: they are the common ancestors, what the catalogue's callers take care of themselves,
# and what ends a thread that nobody waits for. Should one get out after all, it is a fault of our own.
NEVER_MET = {
    storage.StorageError,
    storage.BackupUnusable,
    storage.BlobNotFound,
    storage.ConstraintViolated,
    payloads.PayloadError,
    payloads.UploadRefused,
    payloads.UploadLost,
    payloads.ReadingAbandoned,
}


def test_every_reason_is_the_contracts() -> None:
    contract = {name.removeprefix("ERROR_REASON_") for name, _ in errors_pb2.ErrorReason.items()}
    ours = {reason.value for reason in Reason}
    assert contract - ours == {"UNSPECIFIED"}
    assert ours <= contract


def test_every_reason_has_a_status() -> None:
    assert set(STATUS_OF) == set(Reason)
    assert set(STATUS_OF.values()) <= set(grpc.StatusCode) - {grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN}


def test_the_statuses_are_those_that_the_contract_names() -> None:
    """The comment of every value in the proto begins with its status."""
    text = (Path(__file__).parents[2] / "protos/longshore/v1/errors.proto").read_text()
    comment: list[str] = []
    told: dict[str, str] = {}
    for line in map(str.strip, text.splitlines()):
        if line.startswith("//"):
            comment.append(line.removeprefix("//").strip())
            continue
        if line.startswith("ERROR_REASON_"):
            name = line.split()[0].removeprefix("ERROR_REASON_")
            told[name] = " ".join(comment).split(".")[0]
        comment = []
    codes = {code.name for code in grpc.StatusCode}
    for reason, code in STATUS_OF.items():
        if told[reason.value] in codes:
            assert told[reason.value] == code.name, reason
    assert sum(one in codes for one in told.values()) > 30


def exceptions_of(module: ModuleType) -> list[type[Exception]]:
    return [
        found
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Exception) and found.__module__ == module.__name__
    ]


@pytest.mark.parametrize("module", [storage, payloads, bundles], ids=lambda module: module.__name__)
def test_every_exception_of_the_layers_below_has_a_reason(module: ModuleType) -> None:
    found = exceptions_of(module)
    assert len(found) > 5
    for error in found:
        known = any(ancestor in TABLE for ancestor in error.__mro__)
        assert known != (error in NEVER_MET), error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (storage.BlobStoreUnavailable("gone"), Reason.DEPENDENCY_UNAVAILABLE),
        (storage.CatalogueUnavailable("gone"), Reason.DEPENDENCY_UNAVAILABLE),
        (storage.CommitUnknown("broke"), Reason.DEPENDENCY_UNAVAILABLE),
        (storage.LockLost("rollout/a"), Reason.CONFLICT),
        (storage.CorruptBlob("packs/a", "short"), Reason.STORED_DATA_CORRUPT),
        (StatusMoved("gone on"), Reason.CONFLICT),
        (payloads.ChunkFrameInvalid(b"\1" * 32, "bomb"), Reason.CHUNK_FRAME_INVALID),
        (payloads.ChunkInvalid(b"\1" * 32, "other"), Reason.CHUNK_MISMATCH),
        (payloads.PackFileGone("a pack file"), Reason.CHUNK_MISSING),
        (payloads.UploadTakenOver("id"), Reason.UPLOAD_TAKEN_OVER),
        (bundles.ArchiveUnreadable("ARCHIVE_CORRUPT", "broken"), Reason.ARCHIVE_INVALID),
        (
            bundles.ContentRefused((Finding("PATH_ESCAPES", Severity.ERROR, "out"),), 3),
            Reason.ARCHIVE_INVALID,
        ),
    ],
)
def test_the_nearest_ancestor_tells_the_reason(error: Exception, reason: Reason) -> None:
    refusal = refusal_of(error)
    assert refusal is not None
    assert refusal.reason is reason
    assert (refusal.retry_after_s is not None) == (
        STATUS_OF[reason] in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED)
        and not isinstance(error, payloads.UploadTakenOver)
    )


def test_faults_of_our_own_have_none() -> None:
    for error in (ValueError("x"), KeyError("x"), OSError("x"), AssertionError("x"), *map(_bare, NEVER_MET)):
        assert refusal_of(error) is None


def _bare(error: type[Exception]) -> Exception:
    return error.__new__(error)


def test_a_refusal_survives_its_row() -> None:
    refusal = Refusal(
        Reason.VERSION_CONFLICT,
        "they disagree",
        violations={"header.version": "the manifest says 1.0.0"},
        findings=[FindingTold("CODE", "ERROR", "what", "path", 3), FindingTold("B", "WARNING", "w")],
        total_findings=7,
        metadata={"key": "value"},
    )
    assert Refusal.from_row(refusal.to_row()) == refusal


def test_a_refusal_of_a_later_version_sends_its_caller_elsewhere() -> None:
    row = Refusal(
        Reason.VERSION_CONFLICT, "they disagree", findings=[FindingTold("C", "ERROR", "w")]
    ).to_row()
    row["reason"] = "TOO_HEAVY"
    row["findings"][0]["weight"] = 3
    read = Refusal.from_row(row)
    assert (read.reason, read.message) == (Reason.MISCONFIGURED, "they disagree")
    assert read.findings == [FindingTold("C", "ERROR", "w")]


def test_final_reasons_are_no_passing_ones() -> None:
    for reason in FINAL_REASONS:
        assert STATUS_OF[reason] in (
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.ALREADY_EXISTS,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            grpc.StatusCode.FAILED_PRECONDITION,
        )


def test_details_fit_into_trailers_whatever_is_told() -> None:
    findings = [
        FindingTold("PATH_ESCAPES", "ERROR", "名" * 500, path=f"{i}/" + "名" * 498) for i in range(20)
    ]
    refusal = Refusal(
        Reason.ARCHIVE_INVALID,
        "名" * 5000,
        violations={f"field{i}": "x" * 1000 for i in range(50)},
        findings=findings,
        total_findings=10_000,
        metadata={"expected_offset": "9" * 20},
    )
    status = status_of(refusal, "r" * 64)
    assert status.ByteSize() <= 4096
    assert len(status.details) == 2
