"""The commands that tell about runtimes: their answers, how long these are kept, and what counts as none."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from longshore_server.hooks import Runtimes


def says(text: str, journal: Path) -> list[str]:
    """A command that answers so and writes down that it was asked."""
    return ["sh", "-c", f'echo asked >> {journal}; echo "{text}"']


def asked(journal: Path) -> int:
    return len(journal.read_text().splitlines()) if journal.exists() else 0


async def test_an_answer_is_kept_and_then_asked_for_again(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    runtimes = Runtimes({"go": says("go version go1.22.3", journal)}, kept_s=0.3)
    together = await asyncio.gather(*(runtimes.answers(["go"]) for _ in range(5)))
    assert together == [{"go": "go version go1.22.3"}] * 5
    assert asked(journal) == 1
    async with asyncio.timeout(20):
        while asked(journal) == 1:
            await runtimes.answers(["go"])
            await asyncio.sleep(0.02)


async def test_what_does_not_answer_well_is_not_there() -> None:
    runtimes = Runtimes(
        {
            "missing": ["longshore-no-such-program"],
            "failing": ["sh", "-c", "echo 1.2.3; exit 1"],
            "hanging": ["sleep", "60"],
            "flooding": ["sh", "-c", "echo 1.2.3; head -c 1000000 /dev/zero | tr '\\0' '9'"],
        },
        timeout_s=0.3,
    )
    names = ["missing", "failing", "hanging", "flooding", "unheard-of"]
    assert await runtimes.answers(names) == dict.fromkeys(names)


async def test_what_is_missing_is_looked_for_again_soon(tmp_path: Path) -> None:
    program = tmp_path / "ruby"
    runtimes = Runtimes({"ruby": [str(program)]}, missing_kept_s=0)
    assert await runtimes.answers(["ruby"]) == {"ruby": None}
    program.write_text("#!/bin/sh\necho ruby 3.3.0\n")
    program.chmod(0o755)
    assert await runtimes.answers(["ruby"]) == {"ruby": "ruby 3.3.0"}


async def test_python_is_built_in_and_settings_win() -> None:
    version = ".".join(map(str, sys.version_info[:2]))
    ours = Runtimes({"python": [sys.executable, "--version"]})
    answer = (await ours.answers(["python"]))["python"]
    assert answer is not None
    assert answer.startswith(f"Python {version}")
    shell = (await Runtimes({}).answers(["shell"]))["shell"]
    assert shell is None or "version" in shell
