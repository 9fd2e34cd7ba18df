"""Every ``longshore …`` that a page shows is a command that there is, with options that it knows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from longshore_client.cli.paths import ExistingPath
from longshore_client.cli.program import program

from .pages import Page, pages

PAGES = list(pages())
# Seeds of test vectors in docs/formats.md, which only look like commands.
SEEDS = {f"longshore vector {number}" for number in (1, 2, 3)}
# The end of a line that goes on in the next, in a console behind a prompt.
CONTINUED = re.compile(r"\\\n(> )?")
# Where one command ends and another begins, and what goes into or out of a file.
SEPARATORS = {"|", "||", "&&", ";", "&", ">", "<", ">>"}


def commands_in(line: str) -> Iterator[list[str]]:
    """The arguments of each call of ``longshore`` in a line of shell."""
    words: list[str] = []
    for word in (*shlex.split(line, comments=True), ";"):
        if word not in SEPARATORS:
            if not words and re.fullmatch(r"[A-Z][A-Z0-9_]*=.*", word):
                continue
            words.append(word)
            continue
        if words[:1] == ["longshore"]:
            yield words[1:]
        words = []


def shown_to_be_run(page: Page) -> Iterator[str]:
    """Lines of shell blocks; in a console, those behind a prompt."""
    for block in page.blocks:
        for line in CONTINUED.sub(" ", block.text).splitlines():
            if block.language == "console" and line.startswith("$ "):
                yield line.removeprefix("$ ")
            elif block.language in ("sh", "bash"):
                yield line


@pytest.fixture(autouse=True)
def no_file_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page names is on its reader's disk, not here."""
    for kind in (click.Path, ExistingPath):
        monkeypatch.setattr(kind, "convert", lambda self, value, parameter, context: value)


def check(arguments: list[str], *, whole: bool = True) -> None:
    """Parse as the program does, without running it. ``whole`` wants every argument that is required."""
    command: click.Command = program
    context, rest = None, arguments
    try:
        while True:
            context = command.make_context(command.name, list(rest), parent=context)
            if not isinstance(command, click.Group):
                return
            _, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            assert found is not None
            command = found
    except click.exceptions.Exit:
        return  # It asked for help, or for the version.
    except (click.MissingParameter, click.exceptions.NoArgsIsHelpError):
        if whole:
            raise


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_parse(page: Page) -> None:
    for line in shown_to_be_run(page):
        for arguments in commands_in(line):
            try:
                check(arguments)
            except click.UsageError as error:
                pytest.fail(f"{line}: {error.format_message()}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_mentioned_exist(page: Page) -> None:
    for code in page.inline_code:
        if re.match(r"longshore [a-z-]", code) and code not in SEEDS:
            try:
                check(shlex.split(code)[1:], whole=False)
            except click.UsageError as error:
                pytest.fail(f"{code}: {error.format_message()}")


@pytest.mark.parametrize(
    "line",
    [
        "longshore deplyo hello",
        "longshore deploy",
        "longshore deploy hello --no-such-option",
        "longshore deploy hello --bump huge",
        "longshore watch one two",
        "longshore admin migrat",
        "longshore admin",
        "tar c hello | longshore deploy - --projct web",
    ],
)
def test_a_wrong_command_is_found(line: str) -> None:
    (arguments,) = commands_in(line)
    with pytest.raises(click.UsageError):
        check(arguments)


def test_right_commands_pass() -> None:
    for line in (
        "longshore --server 127.0.0.1:7421 nodes -o json | jq .",
        "longshore deploy ./no/such/folder -p web --bump minor",
        "longshore admin migrate --config longshore.yaml && longshore serve &",
    ):
        for arguments in commands_in(line):
            check(arguments)


def test_the_readme_walks_through_the_main_commands() -> None:
    shown = {
        next((word for word in arguments if word in program.list_commands(click.Context(program))), "")
        for page in PAGES
        if page.name == "README.md"
        for line in shown_to_be_run(page)
        for arguments in commands_in(line)
    }
    assert {"serve", "deploy", "list", "watch", "rollback", "admin", "nodes"} <= shown
