"""Console blocks of a page, run as a person runs them: one shell, command after command, what it prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from .pages import Page

PROMPT: Final = "$ "
MORE: Final = "> "
"""Begins the further lines of a command, as a shell shows them."""
ANYTHING: Final = "…"
"""In what is printed: any lines where it stands alone, any text inside a line."""

_ENDED: Final = re.compile(r"\x1e(\d+)\n")


@dataclass(frozen=True)
class Step:
    """A command of a console block, and what the page says it prints; empty where the page says nothing."""

    command: str
    printed: str


def steps(page: Page) -> Iterator[Step]:
    for block in page.blocks:
        if block.language == "console":
            yield from console_steps(block.text.splitlines())


def console_steps(lines: Sequence[str]) -> Iterator[Step]:
    """The commands of one block, in their order."""
    command: list[str] = []
    printed: list[str] = []
    for line in [*lines, PROMPT]:
        if line.startswith(PROMPT):
            if command:
                yield Step("\n".join(command), "\n".join(printed))
            command, printed = [line.removeprefix(PROMPT)], []
        elif line.startswith(MORE.rstrip()) and not printed:
            command.append(line[len(MORE) :])
        else:
            printed.append(line)


def pattern(printed: str) -> re.Pattern[str]:
    """What matches all that a command prints where the page shows ``printed``."""
    parts = []
    for line in printed.splitlines():
        if line.strip() == ANYTHING:
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*?".join(map(re.escape, line.rstrip().split(ANYTHING))) + r"[ ]*\n")
    return re.compile("".join(parts))


class Shell:
    """A shell in ``folder``, with this environment's programs; nothing that is asked is answered."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LONGSHORE_")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._running = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env={**kept, "PATH": path, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._running.kill()
        self._running.communicate()

    def run(self, command: str) -> tuple[int, str]:
        """A command's exit code, and all that it printed."""
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        self._running.stdin.write(f'{{ {command}\n}} </dev/null\nprintf "\\036%d\\n" $?\n')
        self._running.stdin.flush()
        printed = ""
        for line in self._running.stdout:
            if ended := _ENDED.search(line):
                return int(ended[1]), printed + line[: ended.start()]
            printed += line
        raise AssertionError(f"the shell ended:\n{printed}")
