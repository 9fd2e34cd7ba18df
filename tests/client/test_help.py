"""Help and manual pages: an example for every command, lines that fit, and a start that waits for nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from longshore_client.cli.man_pages import man_page, page_name, pages
from longshore_client.cli.program import program

from .command_line import Run

HEAVY = {
    "grpc",
    "google.protobuf",
    "rich",
    "yaml",
    "asyncio",
    "importlib.metadata",
    "longshore_client.models",
}


def commands() -> Iterator[click.Context]:
    return pages(click.Context(program, info_name="longshore"))


def test_every_command_shows_how_it_is_called() -> None:
    for context in commands():
        text = context.command.get_help(context)
        _, _, examples = text.partition("Example")
        assert re.search(rf"\b{context.command_path}\b", examples), context.command_path


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_help_fits(run: Run, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for context in commands():
        if not isinstance(context.command, click.Group):
            continue
        shown = run(*context.command_path.split()[1:], "--help").out
        # Examples keep their lines.
        told = [line for line in shown.splitlines() if not line.strip().startswith("longshore ")]
        assert all(len(line) <= min(columns, 100) for line in told), told


def imported_by(words: list[str], **variables: str) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """What running the program with these arguments imports."""
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('\\n'.join(sys.modules), file=sys.stderr))\n"
        f"sys.argv = {['longshore', *words]!r}\n"
        "from longshore_client.cli import main\n"
        "main()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False
    )
    return ran, set(ran.stderr.split())


def test_help_waits_for_nothing_heavy() -> None:
    ran, modules = imported_by(["--help"])
    assert (ran.returncode, "Exit codes:" in ran.stdout) == (0, True)
    assert not HEAVY & modules
    _, modules = imported_by(["deploy", "--help"])
    assert not HEAVY & modules
    _, modules = imported_by(["context", "--help"])
    assert not HEAVY & modules


def test_completing_commands_and_options_waits_for_nothing_heavy() -> None:
    for words in ("longshore ro", "longshore deploy --en", "longshore context us"):
        count = str(len(words.split()) - 1)
        ran, modules = imported_by(
            [], _LONGSHORE_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=count, PATH="/usr/bin:/bin"
        )
        assert words.split()[-1] in ran.stdout
        # Click asks bash for its version by asyncio.
        assert not (HEAVY - {"asyncio"}) & modules


def test_lists_wait_for_nothing_that_moves_bytes() -> None:
    _, modules = imported_by(["list", "--server", "127.0.0.1:1"])
    assert "grpc" in modules
    assert not {"rich", "yaml", "blake3", "pathspec", "longshore_bundles", "longshore_chunks"} & modules


def test_manual_pages() -> None:
    for context in commands():
        page = man_page(context, version="1.2.3")
        assert page.isascii()
        title = page_name(context).upper().replace("-", "\\-")
        assert page.startswith(f'.TH "{title}" 1 ')
        macros = re.findall(r"^\.(\w+)", page, re.MULTILINE)
        assert set(macros) <= {"TH", "SH", "PP", "TP", "nf", "fi"}
        assert macros.count("nf") == macros.count("fi")
        titles = re.findall(r"^\.SH (.+)$", page, re.MULTILINE)
        assert titles[:2] == ["NAME", "SYNOPSIS"]
        assert {"DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS", "SEE ALSO"} <= set(titles), title


def test_pages_are_written_and_shown(run: Run, tmp_path: Path) -> None:
    assert run("man", "--to", tmp_path / "man1").code == 0
    names = {path.name for path in (tmp_path / "man1").iterdir()}
    assert {"longshore.1", "longshore-deploy.1", "longshore-context-set.1", "longshore-admin-gc.1"} <= names
    assert len(names) == len(list(commands()))
    assert run("man", "deploy").out == (tmp_path / "man1" / "longshore-deploy.1").read_text()
    assert run("man", "no-such").code == 2
    assert run("man", "deploy", "--to", tmp_path).code == 2
    if shutil.which("groff"):
        shown = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww", "-P-cbou", *sorted((tmp_path / "man1").iterdir())],
            capture_output=True,
            text=True,
            check=True,
        )
        assert shown.stderr == ""
        assert "longshore deploy ./build --project web --bump minor -e staging" in shown.stdout
        assert "HOST:PORT[,…]" in shown.stdout
