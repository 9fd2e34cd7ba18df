"""Each guide in docs/guides, step by step against a node, and what its commands print against the page.

Where a registry cannot be reached, a guide that fetches packages of it is skipped from there on, and says so;
where services are required it fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.processes import ServerProcess, serve
from tests.services.registries import do_without

from .consoles import Shell, Step, console_steps, pattern, steps
from .pages import ROOT, page

OF_REGISTRIES = ("npm:", "pypi:")
GUIDES = ("skill", "pack", "registry", "component")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ServerProcess]:
    """A node of the guide's own, with its data where the guide's reader has it."""
    running = serve(data_dir=tmp_path / "data")
    with asyncio.Runner() as runner:
        yield runner.run(running.__aenter__())
        runner.run(running.__aexit__(None, None, None))


@pytest.fixture
def shell(node: ServerProcess, tmp_path: Path) -> Iterator[Shell]:
    variables = {
        "LONGSHORE_SERVER": node.address,
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    with Shell(tmp_path, variables) as running:
        yield running


def follow(name: str, shell: Shell) -> None:
    """Run a guide's commands in a shell; each has to print what the page shows."""
    guide = list(steps(page(f"docs/guides/{name}.md")))
    assert guide
    for step in guide:
        code, printed = shell.run(step.command)
        if any(kind in step.command for kind in OF_REGISTRIES) and "cannot be reached" in printed:
            do_without(step.command, printed)
        assert code == 0, f"$ {step.command}\n{printed}"
        if step.printed:
            assert pattern(step.printed).fullmatch(printed), f"$ {step.command}\n{printed}"


def test_every_guide_is_run() -> None:
    assert {path.stem for path in (ROOT / "docs" / "guides").iterdir()} == set(GUIDES)


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide(name: str, shell: Shell) -> None:
    follow(name, shell)


def test_one_guide_after_the_other(shell: Shell) -> None:
    for name in GUIDES:
        follow(name, shell)


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        ("one", "one\n", True),
        ("one", "one\ntwo\n", False),
        ("…\ntwo", "two\n", True),
        ("…\ntwo", "zero\none\ntwo\n", True),
        ("…\ntwo", "one\ntwo\nthree\n", False),
        ("a … c", "a b c  \n", True),
        ("a … c", "a b\nc\n", False),
        ("a.c", "abc\n", False),
    ],
)
def test_what_is_printed_is_compared(shown: str, printed: str, fits: bool) -> None:
    assert (pattern(shown).fullmatch(printed) is not None) is fits


def test_a_console_is_taken_apart() -> None:
    """A command over several lines, one that prints, and one that prints what looks like a further line."""
    text = "$ cat <<'END'\n> a\n>\n> END\n$ one\n…\n> two\n$ three"
    guide = list(console_steps(text.splitlines()))
    assert guide == [Step("cat <<'END'\na\n\nEND", ""), Step("one", "…\n> two"), Step("three", "")]


def test_a_shell_goes_on_where_it_was(tmp_path: Path) -> None:
    with Shell(tmp_path, {"NAME": "x"}) as shell:
        assert shell.run("mkdir sub && cd sub && A=$NAME") == (0, "")
        assert shell.run("echo $A; basename $PWD; cat; printf no-newline") == (0, "x\nsub\nno-newline")
        assert shell.run("false") == (1, "")
        assert shell.run("cat <<'END'\n$A\nEND") == (0, "$A\n")
