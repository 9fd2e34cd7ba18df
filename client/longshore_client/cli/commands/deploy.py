"""``longshore deploy``."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from longshore_client.cli import completing
from longshore_client.cli.making import (
    following_options,
    interrupted,
    is_detached,
    queue_option,
    skip_tests_option,
    terms_of,
    terms_options,
    yes_option,
)
from longshore_client.cli.options import environment_option
from longshore_client.cli.rollouts import RolloutChoice, rollout_options
from longshore_client.cli.session import Session, client_command
from longshore_client.cli.source_choice import SourceChoice, source_options
from longshore_client.cli.sourcing import Sourced, sourced

if TYPE_CHECKING:
    from longshore_client.client import Client
    from longshore_client.models import PayloadFormat

_FORMATS: Final = ("auto", "tar", "tar.gz", "tar.zst", "tar.xz", "zip", "file")
_KINDS: Final = ("skill", "pack", "component")
_METHODS: Final = ("cli", "manual", "auto", "api")
_WHAT_MAKES_AN_UPLOAD: Final = (
    *("version", "bump", "format_name", "file_name", "sha256", "send_all"),
    *("stage", "queue", "expect_live", "labels"),
    *("kind", "install_method", "skip_validation", "skip_dependencies", "skip_tests"),
)


@click.command(
    "deploy",
    short_help="Deploy a directory, a file or another source, and follow it to its end.",
    epilog="""\b
Examples:
  longshore deploy .
  longshore deploy ./build --project web --bump minor -e staging
  longshore deploy app-2.1.0.whl --project app --version 2.1.0
  longshore deploy . --canary 1 --canary 10%:5m --at-once 25% --failure-domain zone
  longshore deploy . --at-once 2 --max-failed 1 --on-failure keep
  tar c build | longshore deploy - --project web --format tar
  longshore deploy . --validate-only
  longshore deploy ./netops --kind pack --install-method auto
  longshore deploy https://example.org/web-1.4.tar.gz --checksum sha256:9f86…
  longshore deploy git+https://example.org/netops.git@v1.4.0
  longshore deploy npm:left-pad@1.3.0 --project left-pad
  longshore deploy netops@^1.4 --index packs.json --with-dependencies
  longshore deploy . --detach --quiet          # prints the deployment's id
  longshore deploy . -o json | jq -r .version""",
)
@click.argument("source", type=click.Path(allow_dash=True))
@click.option(
    "-p",
    "--project",
    shell_complete=completing.projects,
    help="The project.  [default: the name in its manifest, else the context's]",
)
@environment_option("Where it goes live.")
@click.option(
    "--version", help="The version.  [default: the manifest's, else the highest, its patch number raised]"
)
@click.option(
    "--bump",
    type=click.Choice(["patch", "minor", "major"]),
    help="Which number of the highest version to raise.",
)
@click.option("--stage", is_flag=True, help="Record it and wait for `longshore promote`.")
@click.option("--validate-only", is_flag=True, help="Only examine it, and tell what was found.")
@click.option(
    "--skip-validation",
    is_flag=True,
    help="Deploy it although errors are found in its manifest, workflows or scripts; they are recorded.",
)
@skip_tests_option
@queue_option
@terms_options
@rollout_options
@following_options
@click.option(
    "--kind", type=click.Choice(_KINDS), help="What it must be.  [default: what its manifest makes it]"
)
@click.option(
    "--install-method",
    type=click.Choice(_METHODS),
    default="cli",
    show_default=True,
    help="Who or what deploys it, for the release's record: `auto` in a pipeline.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(_FORMATS),
    default="auto",
    show_default=True,
    help="How a file is unpacked; `file` installs it as it is.",
)
@click.option("--file-name", help="The file's name on the nodes.  [default: its own]")
@click.option("--sha256", help="The payload's sha256, where it is known; the server verifies it.")
@click.option(
    "--deployment-id",
    metavar="UUID",
    help="The deployment's id; the same again goes on with a broken upload.",
)
@click.option("--new", "anew", is_flag=True, help="Start anew, also where an unfinished upload could go on.")
@click.option(
    "--with-dependencies",
    is_flag=True,
    help="First deploy what the pack needs and is not live, from the indexes, under the same terms; the "
    "plan is shown before.",
)
@yes_option
@source_options
@click.option("--send-all", is_flag=True, help="Send all bytes as they are, without looking what is there.")
@client_command
def deploy_command(
    session: Session,
    source: str,
    project: str | None,
    environment: str | None,
    version: str | None,
    bump: str | None,
    stage: bool,
    validate_only: bool,
    skip_validation: bool,
    skip_tests: bool,
    queue: str,
    expect_live: str | None,
    labels: tuple[str, ...],
    skip_dependencies: bool,
    rollout: RolloutChoice,
    wait: str | None,
    detach: bool,
    timeout: float | None,
    kind: str | None,
    install_method: str,
    format_name: str,
    file_name: str | None,
    sha256: str | None,
    deployment_id: str | None,
    anew: bool,
    with_dependencies: bool,
    yes: bool,
    sourcing: SourceChoice,
    send_all: bool,
) -> None:
    """Deploy SOURCE and follow it to its end.

    SOURCE is a directory or a file, `-` for standard input, the URL of an archive, a git URL with @REF,
    npm:NAME@VERSION, pypi:NAME==VERSION, or REF[@VERSION] of a pack in an --index. What is not on this
    machine is fetched by it, and verified, before anything is sent.

    Only what the server does not have is sent, compressed. A directory goes without .git and without what
    its .longshoreignore names. An upload of something on this machine that was broken off, by Ctrl-C say,
    goes on when the same command is run again within 24 hours and it has not changed.
    """
    from longshore_client.addresses import checked_addresses
    from longshore_client.bundle_models import BundleKind, InstallMethod
    from longshore_client.cli.outcome import Followed, how_to_follow
    from longshore_client.cli.printing import plain
    from longshore_client.cli.resuming import UploadRun, upload_run
    from longshore_client.cli.standard_input import standard_input
    from longshore_client.cli.validating import refuse_following, validate
    from longshore_client.cli.with_dependencies import dependencies_of, refuse_beside_dependencies
    from longshore_client.errors import PayloadMismatch, ServerFault, StorageFull, TimedOut, Unavailable
    from longshore_client.models import VersionBump
    from longshore_client.upload_progress import Way

    if version and bump:
        raise click.UsageError("--version and --bump exclude each other")
    if deployment_id and anew:
        raise click.UsageError("--deployment-id and --new exclude each other")
    if with_dependencies:
        refuse_beside_dependencies(source, stage=stage, skip_dependencies=skip_dependencies)
    if validate_only:
        refuse_following(
            {"--stage": stage, "--deployment-id": deployment_id, "--new": anew, "--wait": wait}
            | {"--detach": detach, "--timeout": timeout is not None}
        )
    terms = terms_of(
        *(expect_live, labels, rollout),
        queue=queue,
        stage=stage,
        skip_validation=skip_validation,
        skip_dependencies=skip_dependencies,
        skip_tests=skip_tests,
    )
    payload = None
    if source != "-":
        found = sourced(session, source, sourcing, with_dependencies=with_dependencies)
        payload = click.get_current_context().with_resource(found)
    else:
        sourcing.check_for(None, with_dependencies=False)
    named = _project(session, payload, project)
    where = session.environment(environment)
    followed = Followed(session, detach=is_detached(wait, detach=detach), timeout_s=timeout)

    content: dict[str, Any] = {
        "project": named,
        "environment": where,
        "version": version or (payload.version if payload is not None and not bump else None),
        "bump": VersionBump(bump) if bump else None,
        "kind": BundleKind(kind) if kind else None,
        "payload_format": _format(format_name, payload),
        "file_name": file_name,
        "sha256": _sha256(payload, sha256),
        "way": Way.PLAIN if send_all else Way.THRIFTY,
    }
    dependencies = None
    if with_dependencies and payload is not None:
        dependencies = dependencies_of(
            *(session, payload, sourcing, content, terms),
            install_method=InstallMethod(install_method),
            timeout_s=timeout,
        )
    if validate_only:
        judged = None
        if dependencies is not None:
            dependencies.check()
            judged = dependencies.plan.after
        whole = payload.path if payload is not None else None
        validate(session, lambda: whole or standard_input(), content, terms, judged=judged)
        return
    if dependencies is not None and payload is not None:
        dependencies.deploy(payload, content, terms, yes=yes)
        followed.timeout_s = dependencies.left_s

    async def work(client: Client, run: UploadRun) -> None:
        with session.display() as shown:
            await run.choose(client, shown.say)
            deployment = await run.upload(
                lambda known_id: client.deploy(
                    payload.path if payload is not None else standard_input(),
                    deployment_id=known_id,
                    taken_from=payload.taken_from if payload is not None else None,
                    install_method=InstallMethod(install_method),
                    terms=terms,
                    on_progress=shown.upload,
                    **content,
                ),
                shown.say,
            )
            await followed.to_end(client, deployment, shown)

    # What was fetched is gone when this ends; what lies here can be gone on with.
    here = None
    if payload is not None and payload.stays:
        here = Path(os.path.abspath(payload.path))  # noqa: PTH100 (its own name counts)
    given = click.get_current_context().params
    upload = {
        "source": str(here),
        "servers": sorted(checked_addresses(session.server)),
        "project": named,
        "environment": where,
        **{name: given[name] for name in _WHAT_MAKES_AN_UPLOAD},
        "checksum": sourcing.checksum,
        "strategy": plain(rollout.strategy),
        "failure_policy": rollout.failure_policy,
    }
    say = functools.partial(click.echo, err=True) if not session.printer.quiet else _say_nothing
    with upload_run(here, upload, say, deployment_id=deployment_id, anew=anew) as run:
        try:
            session.run(lambda client: work(client, run))
        except PayloadMismatch as error:
            if payload is not None and payload.stays and payload.sha256:
                error.add_note(f"{source} has changed since it was held against --checksum")
            raise
        except (ServerFault, StorageFull, TimedOut, Unavailable) as error:
            if not run.recorded:
                error.add_note(run.how_to_go_on())
            raise
        except KeyboardInterrupt:
            goes_on = f"the deployment goes on; {how_to_follow(run.deployment_id)}"
            interrupted(goes_on if run.recorded else run.how_to_go_on())
    followed.print_outcome()


def _format(name: str, payload: Sourced | None) -> PayloadFormat:
    """The format that is given, else the one that the source tells, else the payload's own bytes."""
    from longshore_client.models import PayloadFormat

    if name != "auto":
        return PayloadFormat(name)
    told = payload.payload_format if payload is not None else None
    return told or PayloadFormat.UNKNOWN


def _sha256(payload: Sourced | None, given: str | None) -> str | None:
    """What the payload must have: what was given, and what was found when its source was looked at."""
    from longshore_client.errors import PayloadMismatch

    found = payload.sha256 if payload is not None else None
    if found and given and found != given.lower():
        raise PayloadMismatch(f"the source has the sha256 {found}, not {given}, as --sha256 says")
    return found or given


def _project(session: Session, payload: Sourced | None, given: str | None) -> str | None:
    """The project that is given, else the payload's own, else the context's; None lets the library look.

    That takes every payload as this machine's own, so what was fetched is looked at here.
    """
    own = payload.project if payload is not None else None
    chosen = session.chosen.project
    if given or own or payload is None:
        return given or own or chosen
    if payload.stays and not chosen:
        return None
    from longshore_client.contents import project_named_in
    from longshore_client.errors import ProjectUnknown

    try:
        return project_named_in(payload.path, payload.limits)
    except ProjectUnknown:
        if not chosen:
            raise
        return chosen


def _say_nothing(_line: str) -> None:
    pass
