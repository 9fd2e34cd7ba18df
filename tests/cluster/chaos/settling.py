"""After the faults: sees to it that nobody is waited for, waits until all is quiet, and records how it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from longshore_client import Client, DeploymentStatus, LongshoreError
from longshore_storage.auditing.anchors import FOLDER
from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import open_catalogue
from longshore_storage.catalogue.lacking import MOST_TRIES
from longshore_storage.catalogue.retaining import RetentionPolicy
from longshore_storage.catalogue.rows import Actor
from longshore_storage.collecting import CollectingReport, CollectingSettings, Collector, Retention
from tests.cluster.history.records import TERMINAL, DeploymentEnd, LeftBehind, NodeEnd, Record, ReleaseEnd
from tests.faults.invariants import State, Stores, read_state
from tests.services.etcd_cluster import key_range

from .asking import POLICY
from .nodes import version_of
from .outcomes import Expected, newest_activations, rollouts
from .readers import read_payload
from .reclaiming import references
from .recording import Recorder
from .world import PROJECTS, World

# What takes no pause of the nodes' own: leases, takeovers, uploads that time out, polls.
_AT_MOST_S: Final = 60.0
_FIRST_PAUSE_S: Final = 60.0
_LOOK_EVERY_S: Final = 1.0
_UPLOADING: Final = (DeploymentStatus.PENDING, DeploymentStatus.RECEIVING, DeploymentStatus.VALIDATING)
_UNFINISHED: Final = (
    *_UPLOADING,
    *(DeploymentStatus.STAGED, DeploymentStatus.ROLLING_OUT, DeploymentStatus.PAUSED),
)
_MARKS: Final = "catalogues/"


@dataclass(frozen=True)
class _Found:
    """Records as they would be if all were quiet, and what still is not, in words."""

    records: tuple[Record, ...]
    restless: tuple[str, ...]


class Settling:
    """Ends a run."""

    def __init__(self, world: World, recorder: Recorder) -> None:
        self._world = world
        self._recorder = recorder
        self._stores = Stores(world.database_url, world.blobs_url)
        self._addresses = ",".join(node.address for node in world.nodes)

    async def lift(self) -> None:
        """Take back what was decided about nodes: no cordon, every project on all of them."""
        async with asyncio.timeout(_AT_MOST_S):
            while True:
                try:
                    return await self._lift()
                except LongshoreError:
                    await asyncio.sleep(_LOOK_EVERY_S)

    async def _lift(self) -> None:
        async with Client(self._addresses, policy=POLICY) as client:
            async for node in client.nodes():
                if node.cordon_reason:
                    await client.cordon(node.node_name, "")
            async for one in client.projects():
                for place in (await client.project(one.project)).environments:
                    if place.node_selector:
                        await client.select_nodes(one.project, {}, environment=place.environment)

    async def tidy(self) -> None:
        """Cancel what waits for its client or for a person, who are gone."""
        async with Client(self._addresses, policy=POLICY) as client:
            try:
                async for one in client.list(statuses=_UNFINISHED):
                    if one.status in _UPLOADING or one.waits_for_person:
                        await client.cancel(one.deployment_id, reason="the run is over")
            except LongshoreError:
                # It ended meanwhile, or the next look finds it unfinished.
                return

    async def wait(self) -> tuple[Record, ...]:
        """Wait until nothing moves any more and everything is as it should be, or the time is over.

        Tells how it is then: every deployment, every node, and what was left behind.
        """
        began_at = self._recorder.now_s
        while True:
            found = await self._look(began_at)
            waited_s = self._recorder.now_s - began_at
            if not found.restless or waited_s > await self._at_most_s():
                return found.records
            await asyncio.sleep(_LOOK_EVERY_S)

    async def collect(self) -> None:
        """Collect without any grace, and note what then still lies in the stores for nobody."""
        none = timedelta(0)
        # Uploads are left alone: one that nobody ended was found before, by its row.
        settings = CollectingSettings(keep_unnamed=none, keep_unfinished=none, grace=none, orphans_after=none)
        policy = RetentionPolicy(keep_releases=None, max_age=None, max_bytes=None)
        catalogue = open_catalogue(self._world.database_url)
        until_s = self._recorder.now_s + _AT_MOST_S
        try:
            async with open_blob_store(self._world.blobs_url) as blobs:
                collector = Collector(
                    catalogue,
                    blobs,
                    settings,
                    Retention(lambda project, environment: policy, MOST_TRIES),
                    actor=Actor("chaos"),
                    abandoned={},
                )
                # The first finds orphans, the second condemns them; nodes may be compacting meanwhile.
                for _ in range(2):
                    await collector.run(CollectingReport(), now=True)
                while left := list(_unneeded(await read_state(self._stores))):
                    if self._recorder.now_s > until_s:
                        break
                    await asyncio.sleep(_LOOK_EVERY_S)
                    await collector.run(CollectingReport(), now=True)
        finally:
            await catalogue.close()
        for what in left:
            self._recorder.add(LeftBehind, where="the stores", what=what)

    async def read_releases(self) -> None:
        """Note every release, and whether its payload can be read through a node."""
        nodes = self._world.nodes
        state, before, found = await read_state(self._stores), None, {}
        # Retention may let go of one while it is read.
        while before != (now := _stored(state)):
            before = now
            for number, row in enumerate(state["release"]):
                address = nodes[number % len(nodes)].address
                found[row.id] = await read_payload(address, row.project, row.version)
            state = await read_state(self._stores)
        damage = {row.sha256: row.damage for row in state["payload"]}
        for row in state["release"]:
            sha256, reason, _ = found[row.id]
            self._recorder.add(
                ReleaseEnd,
                project=row.project,
                version=row.version,
                deployment_id=row.deployment_id,
                readable=sha256 == row.payload_sha256,
                sha256=row.payload_sha256,
                stored=row.stored_payload is not None,
                damage=damage.get(row.stored_payload, ""),
                reason=reason,
                installed_on=tuple(
                    node.name for node in nodes if node.has_installed(row.project, row.version)
                ),
            )
        self._recorder.history += await references(self._world.database_url, self._recorder)

    async def _at_most_s(self) -> float:
        """The longest that anything may take, with the pause before a node tries again what it failed at."""
        state = await read_state(self._stores)
        newest = newest_activations(state)
        tries = [row.tries for row in newest if row.status == "FAILED" and row.tries < MOST_TRIES]
        return _AT_MOST_S + max((_FIRST_PAUSE_S * 2**each for each in tries), default=0.0)

    async def _look(self, began_at: float) -> _Found:
        await self.tidy()
        state = await read_state(self._stores)
        now_s = round(self._recorder.now_s, 3)
        deployments = [
            DeploymentEnd(
                now_s,
                row.id,
                row.project,
                row.environment,
                row.status.lower(),
                row.version,
                row.generation,
                row.last_sequence,
                row.compacted_through,
            )
            for row in state["deployment"]
            if row.kind != "VALIDATION"
        ]
        expected, nodes = Expected(state), []
        for node in self._world.nodes:
            for project in PROJECTS:
                has = version_of(await asyncio.to_thread(node.live_tree, project))
                should, kept_by = expected.of(node.name, node.environment, project, has)
                where = (node.name, node.environment, project)
                nodes.append(NodeEnd(now_s, *where, has, should, round(now_s - began_at, 1), kept_by))
        left = [LeftBehind(now_s, where, what) for where, what in [*self._left(), *_left_in_rows(state)]]
        restless = (
            *(str(end) for end in deployments if end.status not in TERMINAL),
            *(str(end) for end in nodes if end.has != end.should),
            *(str(one) for one in left),
        )
        return _Found((*deployments, *rollouts(state, now_s), *nodes, *left), restless)

    def _left(self) -> Iterator[tuple[str, str]]:
        for node in self._world.nodes:
            for path in (node.seen / "staging").iterdir():
                yield f"staging of {node.name}", path.name
        under = f"{self._world.etcd_prefix}/locks/"
        answer = self._world.services.etcd.call("kv/range", {**key_range(under), "count_only": True})
        if count := int(answer.get("count", 0)):
            yield "etcd", f"{count} locks or places in their queues"


def _stored(state: State) -> list[tuple[int, str]]:
    """Which release has a payload."""
    return sorted((row.id, row.stored_payload) for row in state["release"] if row.stored_payload)


def _left_in_rows(state: State) -> Iterator[tuple[str, str]]:
    for table in ("upload", "upload_segment", "pin"):
        for row in state[table]:
            yield f"the table {table}", str(row.deployment_id)
    for row in newest_activations(state):
        if row.status not in ("LIVE", "REMOVED"):
            yield (
                f"activations of {row.node_name}",
                f"{row.project} {row.generation} {row.status} {row.message}",
            )


def _unneeded(state: State) -> Iterator[str]:
    """Objects and rows that no payload needs, and payloads that no release names."""
    needed = {row.pack_key for row in state["payload_pack"]} | {row.manifest_key for row in state["payload"]}
    kept = {key for key in state.objects if key.startswith(_MARKS) or _is_anchor(key, state)}
    yield from (f"object {key}" for key in state.objects if key not in needed | kept)
    yield from (f"pack file {row.key}" for row in state["pack_file"] if row.key not in needed)
    for table in ("manifest_draft", "condemned", "orphan"):
        yield from (f"{table} {row.key}" for row in state[table])
    named = {row.stored_payload for row in state["release"]}
    yield from (f"payload {row.sha256}" for row in state["payload"] if row.sha256 not in named)


def _is_anchor(key: str, state: State) -> bool:
    """Whether a batch of the audit trail was sealed with this head."""
    return key.startswith(FOLDER) and key.rpartition("-")[2] in {row.head for row in state["audit_seal"]}
