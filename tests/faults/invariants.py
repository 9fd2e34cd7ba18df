"""What must hold of the stores at every instant, also between two steps of a node that was killed there.

Reads every row and every object by itself, with nothing of the code that wrote them but the table
definitions and the formats, and tells what is wrong in words; nothing to tell is an empty list.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, select

from longshore_chunks import ManifestReader, decode, decode_segment
from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import open_catalogue, tables
from longshore_storage.ports import BlobStore

_ROLLING = {"ROLLING_OUT", "PAUSED", "REVERTING"}
_UPLOADING = {"PENDING", "RECEIVING", "VALIDATING"}
_WENT_LIVE = {"SUCCEEDED", "PARTIAL"}
_TERMINAL = {"SUCCEEDED", "PARTIAL", "FAILED", "CANCELLED", "SUPERSEDED"}
_NODE_DONE = {"LIVE", "FAILED", "SUPERSEDED", "REMOVED"}

_Row = Row[Any]


@dataclass(slots=True)
class Stores:
    """Where a node keeps things, as settings name it."""

    database_url: str
    blobs_url: str


@dataclass(slots=True)
class State:
    """Everything that is stored."""

    rows: dict[str, list[_Row]] = field(default_factory=dict)
    objects: dict[str, int] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)

    def __getitem__(self, table: str) -> list[_Row]:
        return self.rows[table]

    def deployment(self, deployment_id: str) -> _Row | None:
        return next((row for row in self["deployment"] if row.id == deployment_id), None)


async def read_state(stores: Stores) -> State:
    """Read all rows in one transaction, then what the blob store has."""
    state = State()
    catalogue = open_catalogue(stores.database_url)
    try:
        async with catalogue.transaction() as transaction:
            for table in tables.metadata.sorted_tables:
                state.rows[table.name] = list(await transaction.all(select(table)))
    finally:
        await catalogue.close()
    async with open_blob_store(stores.blobs_url) as blobs:
        state.objects = {found.key: found.size_bytes async for found in blobs.list("")}
        for row in state["payload"]:
            if row.manifest_key in state.objects:
                state.manifests[row.manifest_key] = await blobs.get(row.manifest_key)
    return state


def violations(state: State) -> list[str]:
    """Everything that is wrong."""
    checks = (_rollouts, _live, _events, _packs, _payloads, _releases, _uploads, _nodes)
    return [f"{check.__name__}: {wrong}" for check in checks for wrong in check(state)]


async def unreadable_payloads(stores: Stores, state: State) -> list[str]:
    """Payloads whose bytes, put together from their manifests, do not have their sha256."""
    wrong = []
    async with open_blob_store(stores.blobs_url) as blobs:
        for row in state["payload"]:
            found = await _digest_of(blobs, state.manifests[row.manifest_key])
            if found != row.sha256:
                wrong.append(f"payload {row.sha256} reads as {found}")
    return wrong


async def _digest_of(blobs: BlobStore, manifest: bytes) -> str:
    digest = hashlib.sha256()
    for chunk in ManifestReader().feed(manifest):
        stored = await blobs.get(chunk.pack_key, chunk.offset, chunk.stored_length)
        digest.update(decode(chunk.codec, stored, chunk.raw_length))
    return digest.hexdigest()


def _rollouts(state: State) -> Iterator[str]:
    places = Counter((row.project, row.environment) for row in state["deployment"] if row.status in _ROLLING)
    yield from (f"{count} rollouts in {place}" for place, count in places.items() if count > 1)
    orders = Counter(
        (row.project, row.environment, row.queue_order)
        for row in state["deployment"]
        if row.queue_order is not None
    )
    yield from (f"{count} deployments at {place}" for place, count in orders.items() if count > 1)
    for row in state["deployment"]:
        recorded = row.status not in _UPLOADING and row.record_time is not None
        facts = (row.release_id is not None, bool(row.version), row.record_time is not None)
        if set(facts) != {recorded}:
            yield f"{row.id} is {row.status} with release, version, record time {facts}"
        if (row.end_time is not None) != (row.status in _TERMINAL):
            yield f"{row.id} is {row.status} with end time {row.end_time}"
        if row.status not in {*_UPLOADING, "QUEUED"} and row.start_time and not row.generation:
            yield f"{row.id} is {row.status} without a generation"


def _live(state: State) -> Iterator[str]:
    for place in state["project_environment"]:
        succeeded = [
            row
            for row in state["deployment"]
            if (row.project, row.environment) == (place.project, place.environment)
            and row.status in _WENT_LIVE
        ]
        newest = max(succeeded, key=lambda row: row.generation, default=None)
        expected = (newest.id, newest.release_id, newest.generation) if newest else (None, None, 0)
        found = (place.live_deployment_id, place.live_release_id, place.live_generation)
        if found != expected:
            yield f"{place.project}: live is {found}, the newest success {expected}"
        if place.live_generation > place.generation:
            yield f"{place.project}: live generation {place.live_generation} above {place.generation}"


def _events(state: State) -> Iterator[str]:
    events: dict[str, list[_Row]] = defaultdict(list)
    for row in sorted(state["event"], key=lambda row: row.sequence):
        events[row.deployment_id].append(row)
    audit: dict[str, list[str]] = defaultdict(list)
    for row in sorted(state["audit_entry"], key=lambda row: row.id):
        # What somebody asked for changes no status yet.
        if row.from_status != row.to_status:
            audit[row.deployment_id].append(row.to_status)
    for row in state["deployment"]:
        numbers = [event.sequence for event in events[row.id]]
        if numbers != list(range(1, row.last_sequence + 1)):
            yield f"{row.id} has events {numbers}, its last is {row.last_sequence}"
        bodies = [event.body for event in events[row.id] if event.kind == "status_changed"]
        told = [body["to_status"] for body in bodies]
        if [body["from_status"] for body in bodies] != ["", *told][:-1] or told[-1:] != [row.status]:
            yield f"{row.id} is {row.status}, its events tell {bodies}"
        if audit[row.id] != told:
            yield f"{row.id}: the audit trail tells {audit[row.id]}, the events {told}"


def _packs(state: State) -> Iterator[str]:
    packs = {row.key: row for row in state["pack_file"]}
    for row in packs.values():
        if row.state == "STORED" and state.objects.get(row.key) != row.size_bytes:
            yield f"{row.key} has {row.size_bytes} bytes, its object {state.objects.get(row.key)}"
    for table in ("chunk", "pin", "payload_pack"):
        for row in state[table]:
            if packs[row.pack_key].state != "STORED":
                yield f"{table} names {row.pack_key}, which is not stored"
    for key in state.objects:
        if key.startswith("packs/") and key not in packs:
            yield f"no row names {key}"


def _payloads(state: State) -> Iterator[str]:
    for row in state["payload"]:
        manifest = state.manifests.get(row.manifest_key)
        if manifest is None:
            yield f"payload {row.sha256} has no manifest"
            continue
        reader = ManifestReader()
        reader.feed(manifest)
        header = reader.finish()
        found = (header.payload_sha256.hex(), header.size_bytes, header.chunk_count)
        if found != (row.sha256, row.size_bytes, row.chunk_count):
            yield f"payload {row.sha256} has the manifest of {found}"
        named = {pack.pack_key for pack in state["payload_pack"] if pack.payload_sha256 == row.sha256}
        if named != set(header.pack_keys):
            yield f"payload {row.sha256} names {named}, its manifest {header.pack_keys}"


def _releases(state: State) -> Iterator[str]:
    stored = {row.sha256 for row in state["payload"]}
    # Deleted on purpose: the release stays in history.
    reclaimed = {row.id for row in state["release"] if row.stored_payload is None}
    for row in state["release"]:
        if row.id not in reclaimed and (
            row.stored_payload != row.payload_sha256 or row.payload_sha256 not in stored
        ):
            yield f"release {row.version} has payload {row.payload_sha256}, stored {row.stored_payload}"
        made_by = state.deployment(row.deployment_id)
        if made_by is None or made_by.release_id != row.id:
            yield f"release {row.version} was made by {row.deployment_id}, which says otherwise"
    for row in state["deployment"]:
        if row.payload_sha256 and row.payload_sha256 not in stored and row.release_id not in reclaimed:
            yield f"{row.id} has payload {row.payload_sha256}, which is not stored"


def _uploads(state: State) -> Iterator[str]:
    uploading = {row.id for row in state["deployment"] if row.status in _UPLOADING}
    found = {row.deployment_id for row in state["upload"]}
    if uploading != found:
        yield f"uploading are {uploading}, upload rows are of {found}"
    for upload in state["upload"]:
        segments = sorted(
            (row for row in state["upload_segment"] if row.deployment_id == upload.deployment_id),
            key=lambda row: row.number,
        )
        end = 0
        pinned = {row.pack_key for row in state["pin"] if row.deployment_id == upload.deployment_id}
        for number, segment in enumerate(segments):
            chunks = decode_segment(segment.chunks)
            end += sum(chunk.raw_length for chunk in chunks)
            if (segment.number, segment.end_offset, segment.chunk_count) != (number, end, len(chunks)):
                yield f"segment {segment.number} of {upload.deployment_id} does not follow {number - 1}"
            if not {chunk.pack_key for chunk in chunks} <= pinned:
                yield f"segment {number} of {upload.deployment_id} is not pinned"
        if (upload.next_segment, upload.durable_bytes) != (len(segments), end):
            yield f"upload {upload.deployment_id} says {upload.durable_bytes}, its segments {end}"


def _nodes(state: State) -> Iterator[str]:
    generations = {(row.project, row.environment): row.generation for row in state["project_environment"]}
    assigned = {(row.node_id, row.environment, row.project): row for row in state["assignment"]}
    assigned_anew = {row.deployment_id for row in state["event"] if row.kind == "assigned_anew"}
    newest: dict[tuple[str, str, str], _Row] = {}
    for row in sorted(state["activation"], key=lambda row: row.generation):
        key = (row.node_id, row.environment, row.project)
        if key in newest and newest[key].status not in _NODE_DONE:
            yield f"generation {newest[key].generation} is {newest[key].status} beside {row.generation}"
        newest[key] = row
        # What a node assigned itself is of no deployment.
        deployment = state.deployment(row.deployment_id)
        if deployment is None:
            if row.deployment_id:
                yield f"generation {row.generation} is of {row.deployment_id}, which is not there"
        elif row.generation > deployment.last_generation or (
            row.generation < deployment.generation and row.deployment_id not in assigned_anew
        ):
            yield f"generation {row.generation} is of {row.deployment_id}, which has others"
        elif deployment.status == "SUCCEEDED" and row.status != "LIVE":
            yield f"{deployment.id} succeeded, and a node is {row.status}"
    if newest.keys() != assigned.keys():
        yield f"assigned are {set(assigned)}, activations are of {set(newest)}"
    for key, row in newest.items():
        assignment = assigned.get(key)
        if assignment is not None and (row.generation, row.release_id, row.deployment_id) != (
            assignment.generation,
            assignment.release_id,
            assignment.deployment_id,
        ):
            yield f"{key} is assigned {assignment}, its newest activation is {row}"
        if row.generation > generations[row.project, row.environment]:
            yield f"generation {row.generation} was never handed out"
