"""Manual pages, made of the help that commands print: roff with the macros of man(7).

Input is click's commands only, so that a page never says anything else than ``--help``. Text is ASCII: what
is not goes as groff's named characters, and nothing in it is taken for a macro.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import click

from .exit_codes import EXIT_CODES, SERVER_EXIT_CODES
from .program import SERVER_COMMANDS, VARIABLES

_MANUAL: Final = "Longshore"
_VERBATIM: Final = "\b\n"
_ONE_EXAMPLE: Final = "Example: "


def page_name(context: click.Context) -> str:
    """What a command's page is called: ``longshore admin gc`` is ``longshore-admin-gc``."""
    return context.command_path.replace(" ", "-")


def man_page(context: click.Context, *, version: str) -> str:
    """The page of the command that a context is of, in section 1."""
    command = context.command
    lines = [
        f'.TH "{_text(page_name(context)).upper()}" 1 "" "longshore {_text(version)}" "{_MANUAL}"',
        *_section("Name", [f"{_text(page_name(context))} \\- {_text(_short_help(command))}"]),
        *_section("Synopsis", _synopsis(context)),
        *_section("Description", _paragraphs(command.help or command.short_help or "")),
        *_section("Commands", _definitions(_commands(context))),
        *_section("Options", _definitions(_options(context))),
        *_epilog(command.epilog or ""),
        *_section("Exit status", _definitions(_exit_codes(context))),
        *_section("Environment", _definitions(() if _is_servers(context) else VARIABLES.items())),
        *_section("See also", [_see_also(context)]),
    ]
    return "\n".join(lines) + "\n"


def pages(context: click.Context) -> Iterator[click.Context]:
    """The contexts of a command and of all commands below it."""
    yield context
    for name, command in _subcommands(context):
        yield from pages(click.Context(command, info_name=name, parent=context))


def _subcommands(context: click.Context) -> Iterator[tuple[str, click.Command]]:
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if command is not None and not command.hidden:
                yield name, command


def _section(title: str, lines: Iterable[str]) -> list[str]:
    body = list(lines)
    return [f".SH {title.upper()}", *body] if body else []


def _synopsis(context: click.Context) -> list[str]:
    pieces = " ".join(context.command.collect_usage_pieces(context))
    return [f"\\fB{_text(context.command_path)}\\fR {_text(pieces)}"]


def _commands(context: click.Context) -> Iterator[tuple[str, str]]:
    for name, command in _subcommands(context):
        yield f"{context.command_path} {name}", _short_help(command)


def _options(context: click.Context) -> Iterator[tuple[str, str]]:
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and record[1]:
            yield record


def _definitions(records: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, told in records:
        yield from (".TP", f"\\fB{_text(term)}\\fR", _line(told))


def _exit_codes(context: click.Context) -> Iterator[tuple[str, str]]:
    codes = SERVER_EXIT_CODES if _is_servers(context) else EXIT_CODES
    return ((str(code), told) for code, told in codes.items())


def _is_servers(context: click.Context) -> bool:
    return not SERVER_COMMANDS.keys().isdisjoint(context.command_path.split(" ")[1:2])


def _epilog(epilog: str) -> list[str]:
    """A block with a title is a section of its own."""
    lines: list[str] = []
    for block in _blocks(epilog):
        if block.startswith(_VERBATIM):
            title, _, rest = block.removeprefix(_VERBATIM).partition(":\n")
        elif block.startswith(_ONE_EXAMPLE):
            title, rest = "Examples", block.removeprefix(_ONE_EXAMPLE)
        else:
            lines += _paragraphs(block)
            continue
        lines += _section(title, [".nf", *map(_line, rest.splitlines()), ".fi"])
    return lines


def _paragraphs(text: str) -> list[str]:
    lines: list[str] = []
    for block in _blocks(text):
        lines += [".PP", _line(" ".join(block.removeprefix(_VERBATIM).split()))]
    return lines


def _blocks(text: str) -> list[str]:
    # Click's own mark for a block that keeps its lines stands on a line of its own.
    unindented = re.sub(r"^ +", "", text, flags=re.MULTILINE) if _VERBATIM not in text else text
    return [block.strip("\n") for block in re.split(r"\n[ \t]*\n", unindented.strip("\n")) if block.strip()]


def _see_also(context: click.Context) -> str:
    root = context.find_root()
    others = [root, *([context.parent] if context.parent not in (None, root) else [])]
    named = [f"\\fB{_text(page_name(each))}\\fR(1)" for each in others if each and each is not context]
    return ", ".join(named) or f"\\fB{_text(page_name(root))} \\-\\-help\\fR"


def _short_help(command: click.Command) -> str:
    return command.get_short_help_str(limit=200).removesuffix(".")


def _line(text: str) -> str:
    """Text at the beginning of a line, where a dot or an apostrophe would be a macro."""
    escaped = _text(text)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga")
    return re.sub(r"[^\x00-\x7f]", lambda found: f"\\[u{ord(found[0]):04X}]", escaped)
