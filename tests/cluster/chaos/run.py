"""One run: a world, clients, followers and an observer; faults for a while; then quiet, and the checker."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from longshore_client import Client, FailurePolicy, LongshoreError, Terms
from longshore_client.errors import DeploymentFailed
from longshore_storage.errors import StorageError
from tests.cluster.history.checker import violations
from tests.cluster.history.records import DeploymentEnd, FaultSeen, LeftBehind, NodeEnd, TroubleSeen, only
from tests.cluster.history.violation import Violation
from tests.faults.stores import migrate

from . import clients, housekeeping, people, readers
from .asking import POLICY
from .clients import Worker
from .damage import Damage
from .faults import Faults
from .followers import Follower
from .housekeeping import Housekeeper, let_young_batches_go
from .mending import Mending
from .observer import Observer
from .people import Caretaker
from .plan import kinds, plan
from .readers import Reader
from .reclaiming import write_down_references
from .recording import OK, Recorder
from .settling import Settling
from .world import ENVIRONMENTS, PROJECTS, Services, World, made_world

CALLS: Final = (*clients.CALLS, *people.CALLS, *readers.CALLS, *housekeeping.CALLS)
"""Every call that a run sees answered at least once."""

_START_S: Final = 90
_END_S: Final = 120
_ENOUGH_WITHIN_S: Final = 120
_MOST_FOLLOWERS: Final = 8
_FOLLOWED: Final = 0.5
_TOLD_AGAIN: Final = 40
_SUPERVISE_EVERY_S: Final = 0.3
_TELL_EVERY_S: Final = 10.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """What a run is to be; it lasts longer where every fault and every call has not come yet."""

    seed: int
    lasts_s: float
    nodes: int = 3
    workers: int = 4
    lanes: int = 3
    pause_s: float = 0.5


@dataclass(frozen=True, slots=True)
class Found:
    """What a run came to."""

    recorder: Recorder
    violations: list[Violation]


async def chaos(run: Run, services: Services, folder: Path, say: Say) -> Found:
    """Do a run in ``folder``, which is empty. ``say`` is told how it goes, now and then."""
    recorder = Recorder()
    with made_world(services, folder, nodes=run.nodes) as world:
        await migrate(world.database_url)
        await let_young_batches_go(world.database_url)
        await write_down_references(world.database_url)
        await asyncio.gather(*(node.until_listening(deadline_s=_START_S) for node in world.nodes))
        await _Theatre(run, world, recorder, folder, say).play()
    return Found(recorder, violations(recorder.history))


class _Theatre:
    """Who takes part in a run."""

    def __init__(self, run: Run, world: World, recorder: Recorder, folder: Path, say: Say) -> None:
        self._run = run
        self._world = world
        self._recorder = recorder
        self._say_it = say
        self._chance = random.Random(f"{run.seed} all")
        self._following: dict[str, asyncio.Task[None]] = {}
        self._workers = [
            Worker(f"client{number}", world, recorder, self._random(f"client{number}"), folder, self._started)
            for number in range(1, run.workers + 1)
        ]
        self._caretaker = Caretaker(world, recorder, self._random("caretaker"))
        self._reader = Reader(world, recorder, self._random("reader"))
        self._damage = Damage(world, recorder)
        kept = folder / "kept"
        kept.mkdir()
        self._housekeeper = Housekeeper(world, recorder, self._random("housekeeper"), kept)

    def _random(self, name: str) -> random.Random:
        """A source of its own for everybody, so that none depends on how fast the others are."""
        return random.Random(f"{self._run.seed} {name}")

    async def play(self) -> None:
        """Let everybody do what they do while faults come, until the time is over."""
        async with _beside(self._supervise()), _beside(Observer(self._world, self._recorder).run()):
            async with asyncio.TaskGroup() as working:
                for worker in self._workers:
                    working.create_task(worker.run())
                working.create_task(self._caretaker.run())
                working.create_task(self._reader.run())
                working.create_task(self._housekeeper.run())
                async with _beside(self._tell()):
                    await self._break_things()
                for worker in self._workers:
                    worker.stop()
                self._caretaker.stop()
                self._reader.stop()
                self._housekeeper.stop()
                await self._mend()
            await self._end()
        for node in self._world.nodes:
            self._recorder.logs[node.name] = node.log.read_text(errors="replace")
            for what in node.own_faults():
                self._recorder.add(TroubleSeen, node=node.name, what=what)

    async def _break_things(self) -> None:
        """Let faults come, several at once, until it is time and every kind has come often enough."""
        faults = Faults(self._world, self._recorder, self._damage)
        schedule = plan(self._run.seed, kinds(self._world))
        lanes = [
            asyncio.create_task(
                faults.run(schedule, pause_s=self._run.pause_s, chance=self._random(f"lane{lane}"))
            )
            for lane in range(self._run.lanes)
        ]
        try:
            while self._recorder.now_s < self._run.lasts_s or not self._has_seen_enough():
                ended, _ = await asyncio.wait(lanes, timeout=_SUPERVISE_EVERY_S)
                for lane in ended:
                    lane.result()
        finally:
            faults.stop()
            await asyncio.gather(*lanes)

    def _has_seen_enough(self) -> bool:
        """Every kind of fault came, and every call succeeded once; or that takes far too long."""
        if self._recorder.now_s > self._run.lasts_s + _ENOUGH_WITHIN_S:
            return True
        faults, outcomes = self._recorder.faults(), self._recorder.outcomes()
        return all(faults[kind.name] for kind in kinds(self._world)) and all(
            call in outcomes and outcomes[call][OK] for call in CALLS
        )

    async def _mend(self) -> None:
        await asyncio.to_thread(self._world.mend)
        for node in self._world.nodes:
            await self._see_to(f"{node.name} listens", node.until_listening(deadline_s=_START_S))

    async def _end(self) -> None:
        """Wait until all is quiet, see that everything works, and record how it is then."""
        settling = Settling(self._world, self._recorder)
        self._say("the faults are over")
        await self._see_to("nodes are as they were", settling.lift())
        await settling.tidy()
        await self._see_to("followers come to the end", self._followed_to_the_end())
        await self._see_to("a rollout fails and keeps its nodes", self._leave_kept())
        # By themselves, before a new deployment would bring the nodes to it.
        kept = await settling.wait()
        self._recorder.history += [one for one in kept if isinstance(one, NodeEnd | LeftBehind)]
        self._say("all is quiet")
        mending = Mending(
            self._world,
            self._recorder,
            self._housekeeper,
            self._workers[0],
            self._damage,
            self._random("mending"),
        )
        await self._see_to("what can heal heals", mending.heal())
        await self._deploy_once_more()
        self._recorder.history += await settling.wait()
        await self._see_to("every node tells every event", self._tell_again())
        await self._see_to("collecting ends", settling.collect())
        await settling.read_releases()
        await self._see_to("what was hurt is put back", mending.put_back())
        await self._housekeeper.look_back()

    async def _see_to(self, what: str, work: Coroutine[None, None, None]) -> None:
        """What cannot be done now, when all is whole again, is a violation like any other."""
        try:
            await work
        except (LongshoreError, StorageError, TimeoutError) as error:
            self._recorder.add(LeftBehind, where="the whole cluster", what=f"trouble ({what}: {error!r})")

    async def _followed_to_the_end(self) -> None:
        async with asyncio.timeout(_END_S):
            await asyncio.gather(*self._following.values())

    async def _leave_kept(self) -> None:
        """Have a rollout fail at a node and keep all of them, so that some are not on what is live."""
        node = self._world.nodes[0]
        terms = Terms(failure_policy=FailurePolicy.KEEP)
        deployed = await self._workers[0].deploy(PROJECTS[0], node.environment, terms, failing_at=node.name)
        if deployed is not None:
            with suppress(DeploymentFailed):
                await self._ends(deployed.deployment_id)

    async def _deploy_once_more(self) -> None:
        """Whatever broke, every place takes a new release now."""
        worker = self._workers[0]
        for environment in ENVIRONMENTS:
            for project in PROJECTS:
                where = f"{project} in {environment}"
                deployed = await worker.deploy(project, environment)
                if deployed is None:
                    self._recorder.add(LeftBehind, where=where, what="a deployment that is refused")
                    continue
                await self._see_to(f"{where} goes live", self._ends(deployed.deployment_id))

    async def _ends(self, deployment_id: str) -> None:
        addresses = ",".join(node.address for node in self._world.nodes)
        async with asyncio.timeout(_END_S), Client(addresses, policy=POLICY) as client:
            await client.wait(deployment_id)

    async def _tell_again(self) -> None:
        """Let every node tell deployments from their first event on."""
        ids = [end.deployment_id for end in only(self._recorder.history, DeploymentEnd)]
        for deployment_id in self._chance.sample(ids, min(len(ids), _TOLD_AGAIN)):
            for node in self._world.nodes:
                follower = Follower(f"last at {node.name}", deployment_id, [node], self._recorder)
                await follower.listen(node, most=-1)

    async def _supervise(self) -> None:
        """Start again what ended by itself, as a machine's service manager does."""
        while True:
            for node in self._world.nodes:
                if node.wanted and not node.running:
                    # Noted before a new process takes its place.
                    if what := node.ended_by_itself():
                        self._recorder.add(TroubleSeen, node=node.name, what=what)
                    await asyncio.to_thread(node.start, wait=False)
            await asyncio.sleep(_SUPERVISE_EVERY_S)

    def _started(self, deployment_id: str) -> None:
        """Somebody will be asked for a deployment: let it be followed, or not."""
        running = [task for task in self._following.values() if not task.done()]
        if len(running) < _MOST_FOLLOWERS and self._chance.random() < _FOLLOWED:
            name = f"follower{len(self._following) + 1}"
            follower = Follower(name, deployment_id, self._world.nodes, self._recorder)
            self._following[name] = asyncio.create_task(follower.hop(self._random(name)))

    def _say(self, line: str) -> None:
        self._say_it(f"{self._recorder.now_s:4.0f} s: {line}")

    async def _tell(self) -> None:
        """Say how it goes, now and then."""
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            left_s = max(0.0, self._run.lasts_s - self._recorder.now_s)
            faults = [one for one in only(self._recorder.history, FaultSeen) if one.phase == "begins"]
            latest = f"{faults[-1].fault} at {faults[-1].target}" if faults else "none yet"
            self._say(
                f"{left_s:.0f} s left; {len(faults)} faults, now {latest}; {self._recorder.calls_told()}"
            )


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Let ``work`` run while the block does; what ends it ends the block."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(work)
        try:
            yield
        finally:
            task.cancel()
