"""What ``longshore deploy --with-dependencies`` would deploy before a pack: fetched, and shown."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from longshore_client.models import Finding, Severity, Validation

from .making import interrupted
from .session import Session
from .sourcing import Sourced, fetching_bar, found
from .wording import safe

if TYPE_CHECKING:
    from longshore_bundles import BundleScan
    from longshore_client.planning import Fetch, PlannedPack
    from longshore_client.sources import Deadline, Fetched, IndexSource, Progress

    from .source_choice import SourceChoice

_BROUGHT_ALONG: Final = ("DEPENDENCY_MISSING", "DEPENDENCY_UNSATISFIED")


@dataclass(frozen=True, slots=True)
class Step:
    """One pack of the plan, and what of it is deployed."""

    pack: PlannedPack
    payload: Sourced

    @property
    def name(self) -> str:
        """Its ref and version, safe to be shown."""
        return safe(f"{self.pack.ref} {self.pack.version}")


@dataclass(frozen=True, slots=True)
class DependencyPlan:
    """The packs to be deployed in ``environment`` before a payload, in order.

    ``version`` is what the payload's manifest says, and ``passed`` what is wrong with it and let through.
    """

    environment: str
    steps: Sequence[Step] = ()
    version: str = ""
    passed: Collection[Finding] = field(default_factory=frozenset)

    def after(self, found: Validation) -> Validation:
        """What examining the payload will tell when the packs of the plan are live."""
        return after_dependencies(found, self.version, self.passed)

    def show(self, session: Session) -> None:
        """Tell what would be deployed, in which order and why."""
        if session.printer.quiet or not self.steps:
            return
        click.echo(f"needed in {safe(self.environment)} and not live there, in this order:", err=True)
        for step in self.steps:
            told = step.pack.fetched.provenance
            instead = f" instead of {safe(step.pack.replaced.version)}" if step.pack.replaced.version else ""
            click.echo(
                f"  {step.name}{instead}, for {safe(step.pack.needed.by_whom)}, from {safe(told.url)}",
                err=True,
            )
            for note in step.pack.fetched.notes:
                click.echo(f"    {safe(note)}", err=True)


@contextmanager
def planned(
    session: Session, payload: Sourced, environment: str, choice: SourceChoice, *, skip_validation: bool
) -> Iterator[DependencyPlan]:
    """What must be deployed before a payload, fetched for as long as the block runs; ends with Ctrl-C.

    Raises ``PayloadRefused`` before anything is fetched where the payload itself cannot be deployed, and as
    ``planning.plan_dependencies``.
    """
    from longshore_bundles.packs import PackManifest
    from longshore_client.contents import findings_of, scanned
    from longshore_client.planning import plan_dependencies

    scan = scanned(payload.path, payload.limits)
    _check(scan, skip_validation=skip_validation)
    first = scan.manifest
    if not isinstance(first, PackManifest):
        yield DependencyPlan(environment)
        return
    # Whoever interrupts leaves a thread behind that may still write there.
    with tempfile.TemporaryDirectory(prefix="longshore-needed-", ignore_cleanup_errors=True) as folder:
        try:
            with fetching_bar(session, "what it needs") as moved:
                fetch = _fetcher(choice, Path(folder), moved, from_index=payload.from_index)
                packs = session.run(lambda client: plan_dependencies(client, first, environment, fetch))
        except KeyboardInterrupt:
            interrupted("nothing was deployed")
        steps = [Step(pack, found(pack.fetched)) for pack in packs]
        yield DependencyPlan(
            environment,
            steps,
            first.version,
            frozenset(findings_of(scan.findings)) if skip_validation else (),
        )


def after_dependencies(found: Validation, version: str, passed: Collection[Finding] = ()) -> Validation:
    """What was found in a payload, but for what will be live by the time that it is deployed."""
    if found.valid:
        return found
    left = tuple(each for each in found.findings if each.code not in _BROUGHT_ALONG)
    valid = not any(each.severity is Severity.ERROR and each not in passed for each in left)
    return replace(
        found,
        findings=left,
        total_findings=found.total_findings - len(found.findings) + len(left),
        valid=valid,
        version=version if valid else "",
    )


def _check(scan: BundleScan, *, skip_validation: bool) -> None:
    """Raise ``PayloadRefused`` for what no server would take, whatever is live beside it."""
    from longshore_client.contents import findings_of
    from longshore_client.errors import PayloadRefused

    if not (scan.is_safe if skip_validation else scan.accepted):
        raise PayloadRefused(
            "it would be refused, so nothing was deployed",
            findings=findings_of(scan.findings),
            total_findings=scan.total_findings,
        )


def _fetcher(choice: SourceChoice, folder: Path, moved: Progress | None, *, from_index: bool) -> Fetch:
    """What fetches a pack from the indexes, below ``folder``."""
    from longshore_client.sources import SourceNotFound, fetch

    def fetched(source: IndexSource, deadline: Deadline) -> Fetched:
        if not choice.indexes:
            raise SourceNotFound(
                f"{source.ref} must be live before it, and is not: name an index that has it with --index"
            )
        options = choice.options_of_dependencies(from_index=from_index, timeout_s=deadline.left_s())
        return fetch(source, Path(tempfile.mkdtemp(dir=folder)), options, moved)

    return fetched
