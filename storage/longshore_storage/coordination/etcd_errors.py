"""Every fault of etcd and of the way to it, translated in one place.

Owns the table from what gRPC and etcd say to what this package raises, and whether asking another
member may help. etcd tells many different faults with one status code, so texts are compared first;
they are those of etcd 3.6 and 3.7 (``api/v3rpc/rpctypes/error.go``) and of gRPC's C core.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum

import grpc
from etcd3aio.errors import EtcdError

from longshore_storage.errors import CoordinationUnavailable, Misconfigured, StorageError


class LeaseNotFound(CoordinationUnavailable):
    """etcd does not know the lease: it expired, was revoked, or all data was lost."""


class LeaseExists(CoordinationUnavailable):
    """A lease of that id was granted already: an earlier attempt got through."""


class StreamEnded(Exception):
    """etcd ended a stream; the text says why, in the words of its own errors where it gave a reason."""


class Remedy(Enum):
    """What the connection does about a fault before it raises the error."""

    NEXT_MEMBER = "ask another member"
    NEXT_MEMBER_THEN_AGAIN = "ask another member, and come back: the cluster may be choosing its leader"
    LOG_IN_AGAIN = "get a new token and ask the same member again"
    NONE = "the answer stands whoever is asked"


@dataclass(frozen=True, slots=True)
class Fault:
    """One translated fault."""

    error: StorageError
    remedy: Remedy


FAULTS = (
    EtcdError,
    grpc.aio.AioRpcError,
    grpc.aio.UsageError,
    asyncio.InvalidStateError,
    TimeoutError,
    StreamEnded,
)
"""What ``etcd3aio`` and ``grpc.aio`` raise when a call fails."""

_Row = tuple[str, type[StorageError], Remedy, str]

# Text to look for, what to raise, what to try first, and what a person should know.
_BY_TEXT: tuple[_Row, ...] = (
    ("requested lease not found", LeaseNotFound, Remedy.NONE, "the lease is gone"),
    ("lease already exists", LeaseExists, Remedy.NONE, "the lease exists already"),
    ("invalid auth token", CoordinationUnavailable, Remedy.LOG_IN_AGAIN, "it refuses its own token"),
    ("revision of auth store is old", CoordinationUnavailable, Remedy.LOG_IN_AGAIN, "its users just changed"),
    (
        "user name is empty",
        Misconfigured,
        Remedy.LOG_IN_AGAIN,
        "it asks for a user: set coordination.user and coordination.password",
    ),
    (
        "authentication failed",
        Misconfigured,
        Remedy.NONE,
        "it refuses user or password: check coordination.user and coordination.password",
    ),
    (
        "permission denied",
        Misconfigured,
        Remedy.NONE,
        "coordination.user (or else the client certificate's name) may not use this prefix: grant a role of "
        "that user readwrite on it (etcdctl role grant-permission ROLE --prefix=true readwrite PREFIX/), or "
        "correct coordination.url",
    ),
    (
        "database space exceeded",
        CoordinationUnavailable,
        Remedy.NONE,
        "it is full: compact and defragment it, then disarm its NOSPACE alarm",
    ),
    (
        "Hostname Verification Check failed",
        Misconfigured,
        Remedy.NEXT_MEMBER,
        "its certificate does not name this host: use a name or an address from the certificate in "
        "coordination.url, or add this one to the certificate's SANs",
    ),
    (
        "CERTIFICATE_VERIFY_FAILED",
        Misconfigured,
        Remedy.NEXT_MEMBER,
        "its certificate is not signed by coordination.ca_file, or has expired",
    ),
    (
        "certificate signature failure",
        Misconfigured,
        Remedy.NEXT_MEMBER,
        "its certificate is not signed by coordination.ca_file",
    ),
    (
        "TSI_DATA_CORRUPTED",
        Misconfigured,
        Remedy.NEXT_MEMBER,
        "it ends the connection after the TLS handshake: it asks for a client certificate that its own CA "
        "signed; set coordination.cert_file and coordination.key_file",
    ),
    (
        "WRONG_VERSION_NUMBER",
        Misconfigured,
        Remedy.NEXT_MEMBER,
        "it does not speak TLS: use etcd:// instead of etcds://",
    ),
    (
        "Handshake read failed",
        CoordinationUnavailable,
        Remedy.NEXT_MEMBER,
        "it breaks off the TLS handshake: if it does not speak TLS, use etcd:// instead of etcds://",
    ),
    (
        "Socket closed",
        CoordinationUnavailable,
        Remedy.NEXT_MEMBER,
        "it closes the connection: if it speaks TLS, use etcds:// instead of etcd://",
    ),
    (
        "errors resolving",
        CoordinationUnavailable,
        Remedy.NEXT_MEMBER,
        "its host name cannot be resolved: check coordination.url and DNS",
    ),
    # A member that answered, so the way to it is good: "no leader", "leader changed", "request timed out".
    ("etcdserver: ", CoordinationUnavailable, Remedy.NEXT_MEMBER_THEN_AGAIN, "it cannot answer now"),
    ("proposal dropped", CoordinationUnavailable, Remedy.NEXT_MEMBER_THEN_AGAIN, "it cannot answer now"),
)

_BY_CODE: dict[grpc.StatusCode, tuple[type[StorageError], Remedy, str]] = {
    grpc.StatusCode.UNAUTHENTICATED: (CoordinationUnavailable, Remedy.LOG_IN_AGAIN, "it refuses the token"),
    grpc.StatusCode.UNIMPLEMENTED: (
        Misconfigured,
        Remedy.NEXT_MEMBER,
        "there is no etcd (API v3) there: check coordination.url",
    ),
    grpc.StatusCode.DEADLINE_EXCEEDED: (
        CoordinationUnavailable,
        Remedy.NEXT_MEMBER_THEN_AGAIN,
        "no answer in time",
    ),
}

_OTHERWISE = (CoordinationUnavailable, Remedy.NEXT_MEMBER, "the call failed")


def translated(raised: BaseException, address: str) -> Fault:
    """The fault behind ``raised`` (one of ``FAULTS``), met at the member at ``address``."""
    cause = raised.__cause__ if isinstance(raised, EtcdError) and raised.__cause__ else raised
    code: grpc.StatusCode | None = None
    text = str(cause)
    if isinstance(cause, grpc.aio.AioRpcError):
        code, text = cause.code(), cause.details() or ""
    elif isinstance(cause, TimeoutError):
        code, text = grpc.StatusCode.DEADLINE_EXCEEDED, ""
    for needle, error, remedy, advice in _BY_TEXT:
        if needle in text:
            return Fault(error(f"etcd at {address}: {advice} ({text})"), remedy)
    kind, remedy, advice = _BY_CODE.get(code, _OTHERWISE) if code else _OTHERWISE
    detail = f"{code.name}: {text}" if code and text else text
    return Fault(kind(f"etcd at {address}: {advice}" + (f" ({detail})" if detail else "")), remedy)
