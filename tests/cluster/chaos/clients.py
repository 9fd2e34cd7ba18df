"""Clients that deploy, take back, cancel, stage, promote and undeploy through random nodes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Final

from longshore_client import (
    CanaryStep,
    Client,
    Deployment,
    DeploymentStatus,
    Event,
    FailurePolicy,
    LongshoreError,
    RolloutStrategy,
    StatusChanged,
    Terms,
    new_deployment_id,
)

from .asking import POLICY
from .bundles import content_of, make_bundle
from .calling import Caller, Started
from .recording import Recorder
from .world import DOMAIN, ENVIRONMENTS, PROJECTS, World

_PAUSE_S: Final = 0.3
_REMEMBERED: Final = 12
_WATCHED_S: Final = 10.0
_CONTENT: Final = 0.7

CALLS: Final = (
    *("deploy", "deploy release", "rollback", "retry", "undeploy"),
    *("promote", "pause", "resume", "cancel"),
)
_CANARY: Final = RolloutStrategy(canary_steps=(CanaryStep(nodes=1),))
_STRATEGIES: Final = (
    None,
    RolloutStrategy(max_nodes_at_once=1),
    RolloutStrategy(max_percent_at_once=50, max_failed_nodes=1),
    RolloutStrategy(canary_steps=(CanaryStep(percent=50, wait_time=timedelta(seconds=1)),)),
    RolloutStrategy(failure_domain_label=DOMAIN),
)
# Who fails at marked content does so by its own hook: a rollout that may go on without it never gets there.
_STRICT: Final = (None, RolloutStrategy(max_nodes_at_once=1), RolloutStrategy(failure_domain_label=DOMAIN))
_POLICIES: Final = (None, FailurePolicy.KEEP)
_SLOWLY: Final = RolloutStrategy(canary_steps=(CanaryStep(nodes=1, wait_time=timedelta(seconds=4)),))


class Worker:
    """One client; ``on_start`` is told each deployment's id before anybody is asked for it."""

    def __init__(
        self,
        name: str,
        world: World,
        recorder: Recorder,
        chance: random.Random,
        folder: Path,
        on_start: Started,
    ) -> None:
        self._name = name
        self._world = world
        self._chance = chance
        self._folder = folder
        self._caller = Caller(name, world, recorder, chance, on_start)
        # Its own latest deployments: project, environment, id, version.
        self._recent: list[tuple[str, str, str, str]] = []
        self._stopping = False
        self._kinds: dict[Callable[[str, str], Awaitable[None]], int] = {
            self._deploy_and_go: 40,
            self._deploy_in_haste: 8,
            self._deploy_what_fails: 10,
            self._stage: 12,
            self._canary: 12,
            self._pause: 6,
            self._promote_elsewhere: 12,
            self._roll_back: 16,
            self._roll_back_to: 10,
            self._send_again: 8,
            self._cancel_latest: 4,
            self._retry: 6,
            self._undeploy: 6,
        }

    async def run(self) -> None:
        """Do one thing after the other until told to stop: first each of them once, in some order."""
        kinds, weights = list(self._kinds), list(self._kinds.values())
        every = self._chance.sample(kinds, len(kinds))
        while not self._stopping:
            kind = every.pop() if every else self._chance.choices(kinds, weights)[0]
            await kind(self._chance.choice(PROJECTS), self._chance.choice(ENVIRONMENTS))
            await asyncio.sleep(self._chance.uniform(0, 2 * _PAUSE_S))

    def stop(self) -> None:
        """End after what is under way."""
        self._stopping = True

    async def deploy(
        self, project: str, environment: str, terms: Terms | None = None, *, failing_at: str = ""
    ) -> Deployment | None:
        """Deploy something new, of which the hook of a node says that it fails there, or of none.

        None where it was refused, or nobody said for long what came of it.
        """
        bundle = make_bundle(self._chance, project, failing_at)
        deployment_id = new_deployment_id()
        source = await asyncio.to_thread(bundle.write, self._folder / deployment_id)
        self._recent = [*self._recent[-_REMEMBERED:], (project, environment, deployment_id, "")]

        def call(client: Client, deployment_id: str) -> Awaitable[Deployment]:
            return client.deploy(
                source,
                project=project,
                environment=environment,
                deployment_id=deployment_id,
                terms=terms or Terms(labels={"client": self._name}),
            )

        deployed = await self._caller.ask("deploy", call, project, environment, deployment_id, bundle.content)
        if deployed is not None:
            self._recent[-1] = (project, environment, deployment_id, deployed.version)
        return deployed

    async def send_again(
        self, project: str, environment: str, version: str, deployment_id: str, terms: Terms
    ) -> Deployment | None:
        """Send what was released by a deployment once more."""
        source = self._folder / deployment_id

        def call(client: Client, deployment_id: str) -> Awaitable[Deployment]:
            return client.deploy(
                source,
                project=project,
                environment=environment,
                version=version,
                deployment_id=deployment_id,
                terms=terms,
            )

        content = await asyncio.to_thread(content_of, source)
        return await self._caller.ask("deploy", call, project, environment, content=content, version=version)

    async def send_for_bytes(self, project: str, environment: str, version: str, deployment_id: str) -> None:
        """Send it once more and let nothing of it go live."""
        staged = await self.send_again(project, environment, version, deployment_id, Terms(stage_only=True))
        if staged is not None:
            await self._cancel(project, environment, staged.deployment_id)

    async def _send_again(self, project: str, environment: str) -> None:
        """What is stored still, was reclaimed, or is damaged: nobody who has it needs to know."""
        known = [
            (other, deployment_id, version) for other, _, deployment_id, version in self._recent if version
        ]
        if known:
            project, deployment_id, version = self._chance.choice(known)
            terms = self._terms(_STRATEGIES)
            await self.send_again(project, environment, version, deployment_id, terms)

    async def _deploy_and_go(self, project: str, environment: str) -> None:
        await self.deploy(project, environment, self._terms(_STRATEGIES))

    async def _deploy_what_fails(self, project: str, environment: str) -> None:
        """A node does not get through; others may, and are taken back or kept."""
        nodes = [node.name for node in self._world.nodes if node.environment == environment]
        terms = self._terms(_STRICT)
        await self.deploy(project, environment, terms, failing_at=self._chance.choice(nodes))

    def _terms(self, strategies: Sequence[RolloutStrategy | None]) -> Terms:
        return Terms(strategy=self._chance.choice(strategies), failure_policy=self._chance.choice(_POLICIES))

    async def _deploy_in_haste(self, project: str, environment: str) -> None:
        """Somebody regrets it while it is still on its way."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.deploy(project, environment, self._terms(_STRATEGIES)))
            await asyncio.sleep(self._chance.uniform(0, 1))
            tasks.create_task(self._cancel_latest(project, environment))

    async def _stage(self, project: str, environment: str) -> None:
        staged = await self.deploy(project, environment, Terms(stage_only=True))
        if staged is not None:
            await self._promote(staged)

    async def _canary(self, project: str, environment: str) -> None:
        """The first nodes are looked at; somebody is content with them, or not."""
        deployed = await self.deploy(project, environment, Terms(strategy=_CANARY))
        if deployed is None:
            return
        waiting = await self._followed(deployed, lambda status: False)
        if waiting.waiting_gate_id and self._chance.random() < _CONTENT:
            await self._promote(waiting)
        elif not waiting.status.terminal:
            await self._cancel(project, environment, deployed.deployment_id)

    async def _promote(self, waiting: Deployment) -> None:
        if gate_id := waiting.waiting_gate_id:
            await self._caller.ask(
                "promote",
                lambda client, deployment_id: client.promote(deployment_id, gate_id),
                waiting.project,
                waiting.environment,
                waiting.deployment_id,
            )

    async def _pause(self, project: str, environment: str) -> None:
        """Pause a rollout in its middle, and let it go on."""
        deployed = await self.deploy(project, environment, Terms(strategy=_SLOWLY))
        if deployed is None:
            return
        await self._followed(deployed, lambda status: status is DeploymentStatus.ROLLING_OUT)
        where = (project, environment, deployed.deployment_id)
        if await self._caller.ask("pause", lambda client, each: client.pause(each, reason="a look"), *where):
            await asyncio.sleep(self._chance.uniform(0, 2))
            await self._caller.ask("resume", lambda client, each: client.resume(each), *where)

    async def _followed(
        self, deployed: Deployment, is_there: Callable[[DeploymentStatus], bool]
    ) -> Deployment:
        """Follow for a while: until it is there, waits for a person, or has ended; how it stands then."""
        try:
            async with asyncio.timeout(_WATCHED_S), Client(self._caller.servers(), policy=POLICY) as client:
                updates = client.follow(deployed.deployment_id, until_waiting=True)
                async with aclosing(updates):
                    async for update in updates:
                        told = update.detail if isinstance(update, Event) else None
                        if isinstance(told, StatusChanged) and is_there(told.to_status):
                            break
                return await client.get(deployed.deployment_id)
        except (LongshoreError, TimeoutError):
            return deployed

    async def _promote_elsewhere(self, project: str, environment: str) -> None:
        known = [(other, version) for other, _, _, version in self._recent if version]
        if known:
            project, version = self._chance.choice(known)
            await self._caller.ask(
                "deploy release",
                lambda client, deployment_id: client.deploy_release(
                    project, version, environment=environment, deployment_id=deployment_id
                ),
                project,
                environment,
                version=version,
            )

    async def _roll_back_to(self, project: str, environment: str) -> None:
        """To a release that was live there or never was, and may be reclaimed by now."""
        known = [(other, place, version) for other, place, _, version in self._recent if version]
        if known:
            project, environment, version = self._chance.choice(known)
            await self._caller.ask(
                "rollback",
                lambda client, deployment_id: client.rollback(
                    project, environment=environment, version=version, deployment_id=deployment_id
                ),
                project,
                environment,
                version=version,
            )

    async def _roll_back(self, project: str, environment: str) -> None:
        await self._caller.ask(
            "rollback",
            lambda client, deployment_id: client.rollback(
                project, environment=environment, deployment_id=deployment_id
            ),
            project,
            environment,
        )

    async def _undeploy(self, project: str, environment: str) -> None:
        await self._caller.ask(
            "undeploy",
            lambda client, deployment_id: client.undeploy(
                project, environment=environment, deployment_id=deployment_id
            ),
            project,
            environment,
        )

    async def _cancel_latest(self, project: str, environment: str) -> None:
        if self._recent:
            project, environment, deployment_id, _ = self._recent[-1]
            await self._cancel(project, environment, deployment_id)

    async def _cancel(self, project: str, environment: str, deployment_id: str) -> None:
        await self._caller.ask(
            "cancel",
            lambda client, deployment_id: client.cancel(deployment_id, reason="a mistake"),
            project,
            environment,
            deployment_id,
        )

    async def _retry(self, project: str, environment: str) -> None:
        """What was cancelled was no mistake."""
        staged = await self.deploy(project, environment, Terms(stage_only=True))
        if staged is not None:
            await self._cancel(project, environment, staged.deployment_id)
            await self._caller.ask(
                "retry",
                lambda client, deployment_id: client.retry(staged.deployment_id, deployment_id=deployment_id),
                project,
                environment,
            )
