"""``longshore deploy --with-dependencies``: a plan is looked at by a server, then deployed in its order."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from longshore_client.errors import LongshoreError, NotFound, PayloadRefused, PreconditionFailed
from longshore_client.models import DeploymentKind, DeploymentStatus

from .dependency_plan import DependencyPlan, Step, after_dependencies, planned
from .facts import outcome_words
from .failing import warn
from .making import check_askable, confirm, interrupted
from .outcome import failure, follow_to_end, how_to_follow, partly_live, standing_words
from .session import Session
from .wording import count, safe

if TYPE_CHECKING:
    from longshore_client.bundle_models import InstallMethod
    from longshore_client.client import Client
    from longshore_client.models import Deployment
    from longshore_client.planning import PlannedPack
    from longshore_client.terms import Terms
    from longshore_client.upload_progress import Way

    from .source_choice import SourceChoice
    from .sourcing import Sourced


def refuse_beside_dependencies(source: str, *, stage: bool, skip_dependencies: bool) -> None:
    """Raise ``click.UsageError`` for what goes ill with ``--with-dependencies``."""
    if source == "-":
        raise click.UsageError("--with-dependencies needs a source that can be looked at before: not `-`")
    if skip_dependencies:
        raise click.UsageError("--with-dependencies and --skip-dependencies exclude each other")
    if stage:
        raise click.UsageError(
            "--stage makes nothing live, and what it needs would be: leave --with-dependencies out, and "
            "deploy what it needs before `longshore promote`"
        )


def dependencies_of(
    session: Session,
    payload: Sourced,
    sourcing: SourceChoice,
    content: Mapping[str, Any],
    terms: Terms,
    *,
    install_method: InstallMethod,
    timeout_s: float | None,
) -> DependencyRun:
    """What a payload needs, fetched and shown, and kept until the command ends. Raises as ``planned``."""
    from longshore_client.models import PayloadFormat

    plan = DependencyPlan(content["environment"])
    # What is not unpacked has no manifest that counts.
    if content["payload_format"] is not PayloadFormat.FILE:
        plan = click.get_current_context().with_resource(
            planned(session, payload, plan.environment, sourcing, skip_validation=terms.skip_validation)
        )
    plan.show(session)
    return DependencyRun(
        session, plan, terms, install_method=install_method, way=content["way"], timeout_s=timeout_s
    )


class DependencyRun:
    """The packs of a plan on their way.

    ``terms`` are those of the payload that they are for: what a rollout is like, its labels and its place in
    the queue are the same for all. ``timeout_s`` is the time to follow all of them, and that payload.
    """

    def __init__(
        self,
        session: Session,
        plan: DependencyPlan,
        terms: Terms,
        *,
        install_method: InstallMethod,
        way: Way,
        timeout_s: float | None,
    ) -> None:
        from longshore_client.terms import Terms

        self._session = session
        self.plan = plan
        self._terms = Terms(
            queue_policy=terms.queue_policy,
            labels=terms.labels,
            strategy=terms.strategy,
            failure_policy=terms.failure_policy,
        )
        self._install_method = install_method
        self._way = way
        self._timeout_s = timeout_s
        self._began_s = time.monotonic()
        self._live: list[str] = []
        self._under_way = ""

    @property
    def left_s(self) -> float | None:
        """The seconds that are left to follow deployments; None for as long as it takes."""
        if self._timeout_s is None:
            return None
        return round(max(self._timeout_s - (time.monotonic() - self._began_s), 0), 1)

    def check(self) -> None:
        """Let a server examine the packs, so that none goes live where one would be refused.

        Raises ``PayloadRefused``, and whatever deploying them now would raise.
        """
        if not self.plan.steps:
            return
        try:
            self._session.run(self._check)
        except KeyboardInterrupt:
            interrupted("nothing was deployed")

    def deploy(self, last: Sourced, content: Mapping[str, Any], terms: Terms, *, yes: bool) -> None:
        """Deploy the packs, each until it is live; ends the command where a person says no, or with Ctrl-C.

        Before the first, a server examines them and the payload ``last`` that they are for. Raises
        ``PayloadRefused``, ``DeploymentFailed``, and whatever a deployment raises.
        """
        if not self.plan.steps:
            return
        if not yes:
            check_askable()
        packs = count(len(self.plan.steps), "pack")
        self._say(f"examining it and {packs} before anything is deployed")
        try:
            self._session.run(lambda client: self._check_last(client, last, content, terms))
            self.check()
        except KeyboardInterrupt:
            interrupted("nothing was deployed")
        confirm(f"Deploy {packs} before it?", yes=yes, otherwise="nothing was deployed")
        self._began_s = time.monotonic()
        try:
            self._session.run(self._deploy_all)
        except KeyboardInterrupt:
            interrupted(self._how_far())
        except LongshoreError as error:
            if self._live:
                error.add_note(f"live by now: {', '.join(self._live)}")
            error.add_note("run the same command again to go on: what is live stays as it is")
            raise

    async def _check_last(
        self, client: Client, last: Sourced, content: Mapping[str, Any], terms: Terms
    ) -> None:
        found = self.plan.after(await client.validate(last.path, terms=terms, **content))
        if not found.valid:
            raise PayloadRefused(
                "it would be refused, so nothing was deployed",
                findings=found.findings,
                total_findings=found.total_findings,
            )

    async def _check(self, client: Client) -> None:
        for step in self.plan.steps:
            terms = self._terms_of(step.pack)
            examined = await client.validate(step.payload.path, terms=terms, **self._content(step))
            found = after_dependencies(examined, step.pack.version)
            if not found.valid:
                raise PayloadRefused(
                    f"{step.name}, which it needs, would be refused: nothing was deployed",
                    findings=found.findings,
                    total_findings=found.total_findings,
                )

    async def _deploy_all(self, client: Client) -> None:
        for step in self.plan.steps:
            await self._deploy(client, step)

    async def _deploy(self, client: Client, step: Step) -> None:
        from longshore_client.planning import standing

        pack = step.pack
        environment = self.plan.environment
        now = await standing(client, pack.ref, environment)
        if now.suffices(pack.needed):
            name = safe(f"{pack.ref} {now.version}")
            self._say(f"{name} is live in {safe(environment)} by now, and stays")
            self._live.append(name)
            return
        self._under_way = f"the upload of {step.name} is not complete"
        with self._session.display() as shown:
            deployment = await self._coming(client, pack)
            if deployment is not None:
                ident = safe(deployment.deployment_id)
                shown.say(f"{step.name} is on its way already, as deployment {ident}")
            else:
                deployment = await client.deploy(
                    step.payload.path,
                    taken_from=step.payload.taken_from,
                    install_method=self._install_method,
                    terms=self._terms_of(pack),
                    on_progress=shown.upload,
                    **self._content(step),
                )
            told = how_to_follow(deployment.deployment_id)
            self._under_way = f"the deployment of {step.name} goes on; {told}"
            ended = await follow_to_end(
                client, deployment.deployment_id, shown, after=0, timeout_s=self.left_s
            )
        await self._check_live(client, ended)
        self._under_way = ""
        self._live.append(step.name)
        self._say(outcome_words(ended))

    async def _check_live(self, client: Client, ended: Deployment) -> None:
        """Raise what forbids to go on: the deployment failed, or waits for a person."""
        if error := await failure(client, ended):
            raise error
        if not ended.status.successful:
            raise PreconditionFailed(standing_words(ended))
        if (warning := await partly_live(client, ended)) is not None:
            warn(warning.message, warning.notes)

    async def _coming(self, client: Client, pack: PlannedPack) -> Deployment | None:
        """The newest deployment of a pack that is not finished, where it makes live what is needed."""
        statuses = (DeploymentStatus.QUEUED, DeploymentStatus.ROLLING_OUT, DeploymentStatus.PAUSED)
        listed = client.list(project=pack.ref, environment=self.plan.environment, statuses=statuses, limit=1)
        with suppress(NotFound):
            async with aclosing(listed):
                async for each in listed:
                    is_release = each.kind is not DeploymentKind.UNDEPLOY and bool(each.version)
                    return each if is_release and pack.needed.allows(each.version) else None
        return None

    def _terms_of(self, pack: PlannedPack) -> Terms:
        """The plan counts on what was live: where that changed meanwhile, somebody else was faster."""
        return replace(self._terms, expected_live=pack.replaced.deployment_id)

    def _content(self, step: Step) -> dict[str, Any]:
        from longshore_client.models import PayloadFormat

        return {
            "project": step.pack.ref,
            "environment": self.plan.environment,
            "version": step.payload.version,
            "payload_format": step.payload.payload_format or PayloadFormat.UNKNOWN,
            "sha256": step.payload.sha256,
            "way": self._way,
        }

    def _how_far(self) -> str:
        """What stands and what goes on without us."""
        parts = (
            [f"{', '.join(self._live)} {'is' if len(self._live) == 1 else 'are'} live"] if self._live else []
        )
        parts += [self._under_way] if self._under_way else []
        return "; ".join([*parts, "run the same command again to go on with the rest"])

    def _say(self, line: str) -> None:
        if not self._session.printer.quiet:
            click.echo(line, err=True)
