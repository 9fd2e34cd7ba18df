"""What nodes found when they verified, for people: while it comes, and when it is there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import click

from longshore_client.verification_models import NodeVerification, Verification, VerificationStatus

from .display import Display
from .printer import Printer
from .tables import Column
from .wording import count, safe, words

_MOST_NAMED: Final = 5
_COLORS: Final = {
    VerificationStatus.INTACT: "green",
    VerificationStatus.REPAIRED: "yellow",
    VerificationStatus.DIFFERS: "red",
    VerificationStatus.FAILED: "red",
    VerificationStatus.PENDING: "cyan",
}

VERIFICATION_COLUMNS: Final[list[Column[NodeVerification]]] = [
    Column("NODE", lambda n: n.node_name, flexible=True),
    Column("STATUS", lambda n: words(n.status), color=lambda n: _COLORS.get(n.status)),
    Column("VERSION", lambda n: n.version or "-", flexible=True),
    Column("COMPARED", lambda n: str(n.compared_entries), importance=2, right=True),
    Column("DIFFERENT", lambda n: str(n.total_differences), importance=1, right=True),
    Column("MESSAGE", lambda n: n.message, importance=3, flexible=True, remark=True),
]


class Waiting:
    """Says, while a verification goes on, what each node has found, and who is still waited for."""

    shown: Display | None = None

    def __init__(self) -> None:
        self._said: set[str] = set()
        self._waited_for: list[str] = []

    def told(self, now: Verification) -> None:
        """Say what is new."""
        assert self.shown is not None
        for node in now.nodes:
            if node.has_ended and node.node_name not in self._said:
                self._said.add(node.node_name)
                self.shown.say(safe(f"{node.node_name}: {_found_words(node)}"))
        left = [node.node_name for node in now.nodes if not node.has_ended]
        if left and left != self._waited_for:
            self._waited_for = left
            self.shown.say(safe(f"waiting for {_names(left)}"))


def print_verification(printer: Printer, verification: Verification) -> None:
    """Print what was found: a table and every path, an object, or the names of the nodes that differ."""
    if printer.for_programs:
        printer.print_object(verification)
        return
    bad = [node for node in verification.nodes if not node.status.is_good]
    if printer.quiet:
        for node in bad:
            click.echo(safe(node.node_name))
        return
    if not verification.nodes:
        click.echo(f"no node installs in {safe(verification.environment)}", err=True)
        return
    printer.table(VERIFICATION_COLUMNS, verification.nodes)
    for node in verification.nodes:
        for line in _difference_lines(node):
            click.echo(line)


def _difference_lines(node: NodeVerification) -> Iterable[str]:
    if not node.differences and not node.total_differences:
        return
    was = "was" if node.status is VerificationStatus.REPAIRED else "is"
    yield f"\nwhat {was} different on {safe(node.node_name)}:"
    for difference in node.differences:
        yield f"  {words(difference.kind):<8} {safe(difference.path)}"
    if more := node.total_differences - len(node.differences):
        yield f"  and {more} more"


def _found_words(node: NodeVerification) -> str:
    differs = f", {count(node.total_differences, 'difference')}" if node.total_differences else ""
    why = f": {node.message}" if node.message else ""
    return f"{words(node.status)}{differs}{why}"


def _names(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
