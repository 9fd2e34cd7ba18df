"""Making a deployment without bytes and following it: what rollback, undeploy, retry and others share."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .failing import INTERRUPTED
from .session import Session

if TYPE_CHECKING:
    from longshore_client.client import Client
    from longshore_client.models import Deployment
    from longshore_client.terms import Terms

_Command = TypeVar("_Command", bound=Callable[..., Any])


def following_options(function: _Command) -> _Command:
    """Add ``--detach`` and ``--timeout``."""
    detach = click.option(
        "-d", "--detach", is_flag=True, help="Return when it is recorded; do not follow it."
    )
    timeout = click.option(
        "--timeout", type=click.FloatRange(0), metavar="SECONDS", help="How long to follow at most."
    )
    return detach(timeout(function))


def terms_options(function: _Command) -> _Command:
    """Add ``--expect-live`` and ``--label``."""
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
    return expect(label(function))


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


def terms_of(
    expect_live: str | None, labels: tuple[str, ...], *, queue: str = "wait", stage: bool = False
) -> Terms:
    """The terms that the options tell; raises ``click.UsageError`` for a label that is none."""
    from longshore_client.models import QueuePolicy
    from longshore_client.terms import Terms

    return Terms(
        stage_only=stage,
        expected_live="" if expect_live == "none" else expect_live,
        queue_policy=QueuePolicy(queue),
        labels=labels_of(labels),
    )


def labels_of(labels: tuple[str, ...]) -> dict[str, str]:
    """``KEY=VALUE`` taken apart."""
    for label in labels:
        if "=" not in label:
            raise click.UsageError(f"--label {label}: write KEY=VALUE")
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

    from .display import display
    from .outcome import follow_to_end, how_to_follow, print_outcome
    from .printing import print_object

    deployment_id = new_deployment_id()

    async def work(client: Client) -> Deployment | None:
        with display(sys.stderr) as shown:
            deployment = await make(client, deployment_id)
            if deployment is None:
                return None
            shown.accepted(deployment_id)
            if detach:
                return deployment
            return await follow_to_end(client, deployment_id, shown, timeout_s=timeout_s)

    try:
        deployment = session.run(work)
    except KeyboardInterrupt:
        click.echo(f"interrupted: the {what} goes on; {how_to_follow(deployment_id)}", err=True)
        click.get_current_context().exit(INTERRUPTED)
    if deployment is not None:
        print_outcome(session, deployment)
    elif session.for_people:
        click.echo(nothing)
    else:
        print_object({"nothing_to_do": True}, session.output)


def confirmed(question: str, *, yes: bool) -> bool:
    """Whether a person says yes; raises ``click.UsageError`` where nobody can be asked."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here: confirm with --yes")
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        return False
