"""Everything that callers, controllers and nodes may do, and how examples of it are made."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from uuid import uuid4

from hypothesis import strategies as st

from longshore_server.deploying.requests import (
    CancelRequest,
    PauseRequest,
    PromoteRequest,
    ReleaseRequest,
    RetryRequest,
    RollbackRequest,
    UndeployRequest,
)
from longshore_server.deploying.terms import Terms
from longshore_storage.catalogue import Transaction, deployments
from longshore_storage.catalogue.lifecycle import ActivationStatus, FailurePolicy, QueuePolicy
from longshore_storage.catalogue.strategy import CanaryStep, Strategy
from tests.server.rollouts import ACTOR, ENVIRONMENT, PROJECT, Place
from tests.storage.machine.faults import Call, Fault, Way
from tests.storage.machine.telling import ToldEnum

from .world import NODES, VERSIONS, Step, World, chosen


@dataclass(frozen=True, repr=False)
class Deploy(Step):
    """DeployRelease; ``again`` with the id of an earlier call."""

    version: int
    stage_only: bool = False
    queue_policy: QueuePolicy = QueuePolicy.WAIT
    expects_live: int | None = None
    again: bool = False
    fault: Fault | None = None
    strategy: Strategy | None = None
    failure_policy: FailurePolicy | None = None

    async def take(self, world: World) -> None:
        expected = None
        if self.expects_live is not None:
            expected = chosen(["", *world.ids], self.expects_live)
        terms = Terms(self.stage_only, expected, self.queue_policy, self.strategy, self.failure_policy)
        request = ReleaseRequest(
            _new_id(world, again=self.again), PROJECT, ENVIRONMENT, chosen(VERSIONS, self.version), terms
        )
        await world.attempt(self.fault, lambda place: place.releases.deploy_release(request, ACTOR))


@dataclass(frozen=True, repr=False)
class RollBack(Step):
    """Rollback: to what was before, or to a version, or to what a deployment brought."""

    to: int | None = None
    by_deployment: bool = False
    fault: Fault | None = None

    async def take(self, world: World) -> None:
        version = target = ""
        if self.to is not None and self.by_deployment and world.ids:
            target = chosen(world.ids, self.to)
        elif self.to is not None:
            version = chosen(VERSIONS, self.to)
        request = RollbackRequest(_new_id(world), PROJECT, ENVIRONMENT, version, target)
        await world.attempt(self.fault, lambda place: place.rollbacks.roll_back(request, ACTOR))


@dataclass(frozen=True, repr=False)
class Undeploy(Step):
    """Undeploy."""

    queue_policy: QueuePolicy = QueuePolicy.WAIT
    fault: Fault | None = None

    async def take(self, world: World) -> None:
        request = UndeployRequest(_new_id(world), PROJECT, ENVIRONMENT, Terms(queue_policy=self.queue_policy))
        await world.attempt(self.fault, lambda place: place.undeploys.undeploy(request, ACTOR))


class Decision(ToldEnum):
    """What is decided about a deployment that there is."""

    CANCEL = "cancel"
    PROMOTE = "promote"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"


@dataclass(frozen=True, repr=False)
class Decide(Step):
    """A decision about one of the deployments."""

    decision: Decision
    which: int
    fault: Fault | None = None

    async def take(self, world: World) -> None:
        if not world.ids:
            return
        deployment_id = chosen(world.ids, self.which)

        async def work(place: Place) -> None:
            match self.decision:
                case Decision.CANCEL:
                    await place.cancellation.cancel(CancelRequest(deployment_id, "a whim"), ACTOR)
                case Decision.PROMOTE:
                    async with world.hand.reading() as transaction:
                        gate_id = await gate_of(transaction, deployment_id)
                    await place.gates.promote(PromoteRequest(deployment_id, gate_id), ACTOR)
                case Decision.PAUSE:
                    await place.pausing.pause(PauseRequest(deployment_id, ""), ACTOR)
                case Decision.RESUME:
                    await place.pausing.resume(deployment_id, ACTOR)
                case Decision.RETRY:
                    await place.releases.retry(RetryRequest(_new_id(world), deployment_id), ACTOR)

        await world.attempt(self.fault, work)


@dataclass(frozen=True, repr=False)
class Control(Step):
    """A controller takes some steps; ``takes_over`` as one that was just chosen, else as it was left."""

    on: int = 0
    takes_over: bool = False
    steps: int = 1
    fault: Fault | None = None

    async def take(self, world: World) -> None:
        for number in range(self.steps):
            await world.control(self.on, self.fault, takes_over=self.takes_over and number == 0)


@dataclass(frozen=True, repr=False)
class Report(Step):
    """A node does what it is assigned, or fails to."""

    node: int
    works: bool = True

    async def take(self, world: World) -> None:
        name = chosen(NODES, self.node)
        for due in await world.place.due(name):
            done = ActivationStatus.REMOVED if due.release_id is None else ActivationStatus.LIVE
            await world.place.report(name, done if self.works else ActivationStatus.FAILED, "a fault")


@dataclass(frozen=True, repr=False)
class GoOn(Step):
    """Nodes do what they are assigned, and a controller what is due, some times over."""

    times: int

    async def take(self, world: World) -> None:
        for _ in range(self.times):
            await world.control(0, None, takes_over=False)
            for node in range(len(NODES)):
                await Report(node).take(world)


@dataclass(frozen=True, repr=False)
class Boot(Step):
    """A node starts, with the role install or without."""

    node: int
    installs: bool = True

    async def take(self, world: World) -> None:
        roles = ("install",) if self.installs else ("receive",)
        await world.place.node(chosen(NODES, self.node), roles=roles)


async def gate_of(transaction: Transaction, deployment_id: str) -> str:
    """The gate of a deployment, or an id that is none."""
    deployment = await deployments.get_deployment(transaction, deployment_id)
    gate_id = (deployment.waiting_gate_id or deployment.gate_id) if deployment is not None else ""
    return gate_id or str(uuid4())


def _new_id(world: World, *, again: bool = False) -> str:
    if again and world.ids:
        return world.ids[-1]
    world.ids.append(str(uuid4()))
    return world.ids[-1]


# From lists: of integers hypothesis tries those that stand in the code, which differ from run to run.
_numbers = st.sampled_from(range(8))
_policies = st.sampled_from([QueuePolicy.WAIT, QueuePolicy.WAIT, QueuePolicy.SUPERSEDE, QueuePolicy.FAIL])
_faults = st.one_of(
    st.none(),
    st.none(),
    st.builds(
        Fault,
        st.sampled_from([Way.DIES_BEFORE, Way.DIES_AFTER, Way.FAILS_BEFORE, Way.FAILS_AFTER]),
        st.sampled_from(range(1, 26)),
        st.sampled_from([None, Call.SQL]),
    ),
    st.builds(
        Fault,
        st.sampled_from([Way.DIES_BEFORE, Way.DIES_AFTER, Way.FAILS_AFTER]),
        st.just(1),
        st.just(Call.COMMIT),
    ),
)
_strategies = st.builds(
    Strategy,
    canary_steps=st.sampled_from(
        [(), (), (CanaryStep(nodes=1),), (CanaryStep(nodes=1, wait_s=0.001), CanaryStep(percent=60))]
    ),
    max_nodes_at_once=st.sampled_from([0, 1, 2]),
    max_failed_nodes=st.sampled_from([0, 1]),
)
_deploys = st.builds(
    Deploy,
    _numbers,
    st.sampled_from([False, False, True]),
    _policies,
    st.one_of(st.none(), st.none(), st.none(), _numbers),
    st.sampled_from([False, False, False, True]),
    _faults,
    st.one_of(st.none(), _strategies),
    st.sampled_from([None, None, FailurePolicy.KEEP]),
)
_steps: st.SearchStrategy[Step] = st.one_of(
    _deploys,
    _deploys,
    st.builds(RollBack, st.one_of(st.none(), _numbers), st.booleans(), _faults),
    st.builds(Undeploy, _policies, _faults),
    st.builds(Decide, st.sampled_from(Decision), _numbers, _faults),
    st.builds(Decide, st.sampled_from(Decision), _numbers, st.none()),
    st.builds(Control, st.sampled_from(range(2)), st.booleans(), st.sampled_from(range(1, 4)), _faults),
    st.builds(Report, _numbers, st.sampled_from([True, False])),
    st.builds(GoOn, st.sampled_from(range(1, 4))),
    st.builds(GoOn, st.sampled_from(range(4, 7))),
    st.builds(Boot, _numbers, st.booleans()),
)


@st.composite
def step_lists(draw: st.DrawFn) -> list[Step]:
    """Some tens of steps. Lists in a list, for hypothesis makes long lists rarely."""
    bursts = draw(st.lists(st.lists(_steps, min_size=4, max_size=12), min_size=4, max_size=8))
    return list(chain.from_iterable(bursts))
