"""Whether a lost disk or server takes payloads with it, as far as a store tells."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from longshore_server.settings import Settings
from longshore_storage.blobs.opening import open_replica
from longshore_storage.blobs.quorums import Quorums, ask_quorums
from longshore_storage.blobs.urls import S3Location, parse_blob_url, parse_read_urls, with_keys
from longshore_storage.catalogue import Catalogue, nodes
from longshore_storage.errors import StorageError

from .finding import Finding, State

_PART = "copies"


async def look_at_copies(settings: Settings, catalogue: Catalogue | None) -> AsyncIterator[Finding]:
    """What of the blob store can be lost, then each of its servers and replicas that does not answer."""
    place = parse_blob_url(settings.blobs_url)
    if isinstance(place, Path):
        yield await _of_folder(place, catalogue)
        return
    place = with_keys(place, settings.blobs.access_key, settings.blobs.secret_key.get_secret_value())
    replicas = parse_read_urls(settings.blobs_read_urls, place)
    quorums = await ask_quorums(place)
    if quorums or not await _fault_of(place):
        yield _of_quorums(quorums, replicas=len(replicas))
    if len(place.endpoints) > 1:
        for endpoint in place.endpoints:
            if why := await _fault_of(replace(place, endpoints=(endpoint,))):
                yield Finding("blob server", State.WARN, why, "bring it back: the others do its work")
    for replica in replicas:
        if why := await _fault_of(replica):
            yield Finding("replica", State.WARN, why, "mend it: until then nodes read from the next one")


async def _of_folder(folder: Path, catalogue: Catalogue | None) -> Finding:
    if catalogue is not None:
        async with catalogue.reading() as transaction:
            rows = await nodes.list_nodes(transaction, environment="", after="", limit=2)
        if len(rows) > 1:
            return Finding(
                _PART,
                State.WARN,
                f"several nodes keep payloads in {folder}: no copy is kept, and each may have its own",
                "use an S3 store with erasure coding or replication (`blobs.url`)",
            )
    return Finding(_PART, State.OK, f"one, in {folder}: as safe as its disk, so back it up")


def _of_quorums(quorums: Quorums | None, *, replicas: int) -> Finding:
    beside = f"; {replicas} beside it to read from (`blobs.read_urls`)" if replicas else ""
    if quorums is None:
        return Finding(_PART, State.OK, f"the store does not tell how many it keeps: ask who runs it{beside}")
    if quorums.single_drive:
        what = f"one: the store is MinIO with a single drive{beside}"
        if replicas:
            return Finding(_PART, State.OK, what)
        advice = "run MinIO on four drives of four servers (erasure coding), or replicate the bucket"
        return Finding(_PART, State.WARN, f"{what}, and what that loses is lost", advice)
    drives = f"MinIO reads with {quorums.to_read} drives of a set and writes with {quorums.to_write}"
    bound = "half may be lost" if quorums.half_are_parity else "ask who runs it how many may be lost"
    return Finding(_PART, State.OK, f"{drives}: {bound}{beside}")


async def _fault_of(place: S3Location) -> str:
    store = open_replica(place)
    try:
        await store.check()
    except StorageError as error:
        return str(error)
    finally:
        await store.close()
    return ""
