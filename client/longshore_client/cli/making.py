"""Making a deployment without bytes and following it: what rollback, undeploy, retry and others share."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from .exit_codes import INTERRUPTED
from .numbers import Seconds
from .rollouts import RolloutChoice
from .session import Session
from .wording import safe

if TYPE_CHECKING:
    from longshore_client.client import Client
    from longshore_client.models import Deployment
    from longshore_client.terms import Terms

_Command = TypeVar("_Command", bound=Callable[..., Any])


def following_options(function: _Command) -> _Command:
    """Add ``--wait``, ``--detach`` and ``--timeout``."""
    wait = click.option(
        "--wait",
        type=click.Choice(["recorded", "ended"]),
        help="When to return: as soon as it is recorded, or when it has ended or waits for a person.  "
        "[default: ended]",
    )
    detach = click.option("-d", "--detach", is_flag=True, help="The same as --wait recorded.")
    timeout = click.option(
        "--timeout",
        type=Seconds(),
        metavar="SECONDS",
        help="How long to follow it at most; it goes on without us.",
    )
    return wait(detach(timeout(function)))


def is_detached(wait: str | None, *, detach: bool) -> bool:
    """What ``--wait`` and ``--detach`` say together. Raises ``click.UsageError``."""
    if detach and wait == "ended":
        raise click.UsageError("--detach and --wait ended exclude each other")
    return detach or wait == "recorded"


def terms_options(function: _Command) -> _Command:
    """Add ``--expect-live``, ``--label`` and ``--skip-dependencies``."""
    expect = click.option(
        "--expect-live",
        metavar="DEPLOYMENT",
        help="Only when this deployment is what is live now, by its whole id; `none`: when nothing ever was.",
    )
    label = click.option(
        "--label",
        "labels",
        multiple=True,
        metavar="KEY=VALUE",
        help="A label to find the deployment by; repeatable.",
    )
    skip = click.option(
        "--skip-dependencies",
        is_flag=True,
        help="Whatever is live beside it, and needs it, though manifests name what must be.",
    )
    return expect(label(skip(function)))


def skip_tests_option(function: _Command) -> _Command:
    """Add ``--skip-tests``."""
    return click.option(
        "--skip-tests",
        is_flag=True,
        help="Deploy it without the tests that it brings along, on nodes that run those.",
    )(function)


def queue_option(function: _Command) -> _Command:
    """Add ``--queue``."""
    return click.option(
        "--queue",
        type=click.Choice(["wait", "supersede", "fail"]),
        default="wait",
        show_default=True,
        help="Beside unfinished deployments of the same project there: wait for its turn, take their place, "
        "or fail.",
    )(function)


def yes_option(function: _Command) -> _Command:
    """Add ``--yes``."""
    return click.option(
        "-y", "--yes", is_flag=True, help="Do not ask; needed where nobody can be asked, in a script say."
    )(function)


def terms_of(
    expect_live: str | None,
    labels: tuple[str, ...],
    rollout: RolloutChoice,
    *,
    skip_dependencies: bool,
    queue: str = "wait",
    stage: bool = False,
    skip_validation: bool = False,
    skip_tests: bool = False,
) -> Terms:
    """The terms that the options tell; raises ``click.UsageError`` for a label that is none."""
    from longshore_client.models import QueuePolicy
    from longshore_client.terms import Terms

    return Terms(
        stage_only=stage,
        expected_live="" if expect_live == "none" else expect_live,
        queue_policy=QueuePolicy(queue),
        labels=labels_of(labels),
        strategy=rollout.strategy,
        failure_policy=rollout.failure_policy,
        skip_validation=skip_validation,
        skip_dependencies=skip_dependencies,
        skip_tests=skip_tests,
    )


def labels_of(labels: tuple[str, ...], *, option: str = "--label") -> dict[str, str]:
    """``KEY=VALUE`` of an option taken apart."""
    for label in labels:
        if "=" not in label:
            raise click.UsageError(f"{option} {label}: write KEY=VALUE")
    return dict(label.split("=", 1) for label in labels)


def make_and_follow(
    session: Session,
    make: Callable[[Client, str], Awaitable[Deployment | None]],
    *,
    what: str,
    nothing: str,
    detach: bool,
    timeout_s: float | None,
) -> None:
    """Let ``make`` record a deployment under an id made here, follow it, and print how it ended.

    ``what`` names it to somebody who stops following; ``nothing`` is said when there was nothing to do.
    """
    from longshore_client.decisions import new_deployment_id

    from .outcome import Followed, how_to_follow
    from .results import NothingToDo

    deployment_id = new_deployment_id()
    followed = Followed(session, detach=detach, timeout_s=timeout_s)

    async def work(client: Client) -> None:
        with session.display() as shown:
            deployment = await make(client, deployment_id)
            if deployment is None:
                return
            shown.accepted(deployment_id)
            await followed.to_end(client, deployment, shown)

    try:
        session.run(work)
    except KeyboardInterrupt:
        if followed.deployment is not None:
            told = f"the {what} goes on; {how_to_follow(deployment_id)}"
        else:
            told = f"the {what} may have been recorded: longshore get {deployment_id}"
        interrupted(told)
    if followed.deployment is not None:
        followed.print_outcome()
    else:
        session.printer.result(NothingToDo(), sentence=nothing)


def interrupted(told: str) -> NoReturn:
    """Tell what goes on without us, and end the command."""
    click.echo(f"interrupted: {safe(told)}", err=True)
    click.get_current_context().exit(INTERRUPTED)


def confirm(question: str, *, yes: bool, otherwise: str) -> None:
    """Go on only when a person says yes; else say that ``otherwise`` is so, and end the command.

    Raises ``click.UsageError`` where nobody can be asked.
    """
    if yes:
        return
    check_askable()
    try:
        if click.confirm(safe(question), err=True):
            return
    except click.Abort:
        click.echo(err=True)
    click.echo(otherwise, err=True)
    click.get_current_context().exit(INTERRUPTED)


def check_askable() -> None:
    """Raises ``click.UsageError`` where nobody can be asked."""
    if not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here: confirm with --yes")
