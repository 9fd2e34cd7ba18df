"""From what a caller names to what is sent: the payload, its project, and the header of the upload."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from longshore.v1 import deployment_service_pb2
from longshore_chunks.cutting import CuttingParameters
from longshore_chunks.errors import UnsupportedParameters

from . import bundle_conversion, conversion
from .bundle_models import BundleKind, InstallMethod, Source, SourceKind
from .catalog_models import Cutting, ServerInfo
from .connection import Connection
from .contents import project_named_in
from .errors import PayloadChanged, PayloadMismatch, PayloadUnreadable, ProjectUnknown
from .file_opening import check_file
from .models import PayloadFormat, VersionBump
from .payloads import DirectoryPayload, FilePayload, Payload, StoredPayload, StreamedPayload
from .terms import Terms
from .upload_progress import ProgressCallback, Way
from .uploading import Upload

HASHED_AHEAD_BYTES: Final = 64 * 1024 * 1024
"""A payload on disk of at most this size is read for its sha256 before it is offered, so that one which is
stored already costs no bytes. That delays the first byte by at most a fraction of a second. A larger one
that is stored costs its references, 0.08 % of its size, instead of being read twice whenever it is not."""

_LONGEST_PLACE_BYTES: Final = 2000
"""Of the contract's ``Source``."""

_WHOLE_MISMATCHES: Final = ("SIZE_MISMATCH", "SHA256_MISMATCH")

PayloadSource = str | Path | AsyncIterable[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What a caller wants deployed, as ``Client.deploy`` takes it."""

    source: PayloadSource
    project: str | None
    environment: str
    version: str | None
    bump: VersionBump | None
    deployment_id: str
    payload_format: PayloadFormat
    file_name: str | None
    sha256: str | None
    size_bytes: int | None
    terms: Terms
    kind: BundleKind | None = None
    taken_from: Source | None = None
    install_method: InstallMethod | None = None
    validate_only: bool = False


async def send(
    connection: Connection,
    parcel: Parcel,
    info: ServerInfo,
    *,
    way: Way,
    on_progress: ProgressCallback | None,
) -> deployment_service_pb2.DeployResponse:
    """Send a parcel to the server that ``info`` describes. Raises ``LongshoreError``."""
    with connection.tracing.span(
        "validate" if parcel.validate_only else "deploy",
        deployment_id=parcel.deployment_id,
        environment=parcel.environment,
    ):
        return await _send(connection, parcel, info, way=way, on_progress=on_progress)


async def _send(
    connection: Connection,
    parcel: Parcel,
    info: ServerInfo,
    *,
    way: Way,
    on_progress: ProgressCallback | None,
) -> deployment_service_pb2.DeployResponse:
    with connection.tracing.span("pack") as packing:
        payload = await asyncio.to_thread(_payload, parcel)
        packing.set(payload_bytes=payload.size_bytes or 0)
    try:
        project = parcel.project
        if not project:
            if isinstance(payload, StreamedPayload):
                raise ProjectUnknown("no project was given, and bytes from an iterator name none")
            project = await asyncio.to_thread(project_named_in, payload.path)
        with connection.tracing.span("hash"):
            sha256 = parcel.sha256 or await _sha256_ahead(payload)
        cutting = _cutting(info.cutting)
        upload = Upload(
            connection,
            payload,
            _header(parcel, payload, project, sha256=sha256),
            # A server that cuts in a way not known here is still served, at its own cost.
            way=way if cutting is not None else Way.PLAIN,
            cutting=cutting or CuttingParameters(),
            most_digests=info.limits.max_find_missing_digests,
            on_progress=on_progress,
        )
        return await upload.run()
    except PayloadMismatch as error:
        if parcel.sha256 or isinstance(payload, StreamedPayload) or error.reason not in _WHOLE_MISMATCHES:
            raise
        # Nobody but this library declared size and sha256, by reading the payload before.
        raise PayloadChanged(f"{payload.path} changed since its upload began") from error
    finally:
        if isinstance(payload, StreamedPayload):
            await payload.close()


async def _sha256_ahead(payload: Payload) -> str:
    """The payload's sha256 where it is cheap to know, else nothing."""
    if isinstance(payload, StoredPayload) and payload.size_bytes <= HASHED_AHEAD_BYTES:
        return await asyncio.to_thread(payload.sha256)
    return ""


def _payload(parcel: Parcel) -> Payload:
    if not isinstance(parcel.source, str | Path):
        return StreamedPayload(parcel.source, size_bytes=parcel.size_bytes)
    path = Path(parcel.source)
    if path.is_dir():
        return DirectoryPayload(path)
    check_file(path)
    return FilePayload(path)


def _header(
    parcel: Parcel, payload: Payload, project: str, *, sha256: str
) -> deployment_service_pb2.DeployHeader:
    directory = isinstance(payload, DirectoryPayload)
    header = deployment_service_pb2.DeployHeader(
        deployment_id=parcel.deployment_id,
        session_id=str(uuid.uuid4()),
        project=project,
        environment=parcel.environment,
        payload_format=conversion.format_number(PayloadFormat.TAR if directory else parcel.payload_format),
        file_name=parcel.file_name or _name_on_nodes(payload),
        payload_sha256=sha256,
        validate_only=parcel.validate_only,
    )
    if payload.size_bytes is not None:
        header.payload_size_bytes = payload.size_bytes
    if parcel.version is not None:
        header.version = parcel.version
    elif parcel.bump is not None:
        header.bump = conversion.bump_number(parcel.bump)
    if parcel.kind is not None:
        header.bundle_kind = bundle_conversion.kind_number(parcel.kind)
    if parcel.install_method is not None:
        header.install_method = bundle_conversion.method_number(parcel.install_method)
    if (source := parcel.taken_from or _place(payload)) is not None and not parcel.validate_only:
        header.source.CopyFrom(bundle_conversion.source_message(source))
    parcel.terms.write(header)
    return header


def _name_on_nodes(payload: Payload) -> str:
    """A file's own name; empty for what is no file. Raises ``PayloadUnreadable``."""
    if not isinstance(payload, FilePayload):
        return ""
    name = payload.path.name
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(name).decode("utf-8", "backslashreplace")
        raise PayloadUnreadable(
            f"the file's name '{shown}' is not UTF-8: give it one for the nodes (--file-name)"
        ) from error
    return name


def _place(payload: Payload) -> Source | None:
    """Where a payload lies on this machine; None for bytes from elsewhere."""
    if not isinstance(payload, StoredPayload):
        return None
    kind = SourceKind.DIRECTORY if isinstance(payload, DirectoryPayload) else SourceKind.FILE
    place = os.path.abspath(payload.path)  # noqa: PTH100 (links keep their names)
    is_recordable = place.isprintable() and len(place.encode()) <= _LONGEST_PLACE_BYTES
    return Source(kind, place if is_recordable else "")


def _cutting(cutting: Cutting) -> CuttingParameters | None:
    """The server's cutting parameters, None when they are not known here."""
    try:
        return CuttingParameters(
            algorithm=cutting.algorithm,
            min_size_bytes=cutting.min_size_bytes,
            avg_size_bytes=cutting.average_size_bytes,
            max_size_bytes=cutting.max_size_bytes,
            digest=cutting.digest_function,
            codec=cutting.codec,
        )
    except UnsupportedParameters:
        return None
