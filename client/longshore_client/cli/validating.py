"""Examining a payload without recording anything: ``longshore deploy --validate-only``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from .bundle_words import kind_words
from .failing import finding_lines
from .session import Session
from .wording import count, entries, safe, size

if TYPE_CHECKING:
    from longshore_client.client import Client
    from longshore_client.deploying import PayloadSource
    from longshore_client.models import Validation
    from longshore_client.terms import Terms
    from longshore_client.upload_progress import UploadProgress


def refuse_following(given: Mapping[str, object]) -> None:
    """Raises ``click.UsageError`` for options, by name, that tell what becomes of a deployment."""
    if options := [name for name, value in given.items() if value]:
        raise click.UsageError(f"--validate-only records nothing: leave {' and '.join(options)} out")


def validate(
    session: Session,
    source: Callable[[], PayloadSource],
    content: Mapping[str, Any],
    terms: Terms,
    *,
    judged: Callable[[Validation], Validation] | None = None,
) -> None:
    """Let a server examine a payload, and print what it found. Raises ``PayloadRefused``.

    ``judged`` makes of it what it comes to where something else is deployed before.
    """
    from longshore_client.errors import PayloadRefused
    from longshore_client.upload_progress import UploadPhase

    async def work(client: Client) -> Validation:
        with session.display() as shown:

            def on_progress(progress: UploadProgress) -> None:
                # The id of what is not recorded is nothing that could be asked for.
                if progress.phase is not UploadPhase.ACCEPTED:
                    shown.upload(progress)

            told = await client.validate(source(), terms=terms, on_progress=on_progress, **content)
        return judged(told) if judged is not None else told

    try:
        found = session.run(work)
    except KeyboardInterrupt:
        from .making import interrupted

        interrupted("nothing was recorded")
    printer = session.printer
    if printer.for_programs or found.valid:
        kind = f"a {kind_words(found.bundle.kind)}, " if found.bundle else ""
        workflows = f", {count(found.workflow_count, 'workflow')}" if found.workflow_count else ""
        told = (
            f"it would become {safe(found.version) or 'the next version'} in {safe(content['environment'])}: "
            f"{kind}{entries(found.entries)}, {size(found.unpacked_size_bytes)} unpacked{workflows}"
        )
        printer.result(found, sentence=told, name=safe(found.version))
        for line in finding_lines(found.findings, found.total_findings) if printer.for_people else ():
            click.echo(f"  {line}")
    if not found.valid:
        raise PayloadRefused(
            "it would be refused", findings=found.findings, total_findings=found.total_findings
        )
