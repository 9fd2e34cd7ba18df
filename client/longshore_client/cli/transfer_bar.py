"""A bar for one transfer on a terminal, and nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .screen import moves

if TYPE_CHECKING:
    from .printer import Printer


@contextmanager
def transfer_bar(what: str, printer: Printer) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on standard error; call what is given with the bytes done and the bytes in all."""
    if printer.quiet or not moves(sys.stderr, plain=printer.plain):
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
    from rich.table import Column

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None, table_column=Column(ratio=1)),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(file=sys.stderr),
        transient=True,
        expand=True,
    ) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
