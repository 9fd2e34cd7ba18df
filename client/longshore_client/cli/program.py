"""The program ``longshore``: its commands, how they are found, and what it does with whatever they raise.

Commands are imported when they are called, and their short help stands here, so that ``longshore --help``
answers at once. Commands of the server package come through the entry-point group ``longshore.commands``.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Final

import click

from .choosing import CONTEXT_VARIABLE, SERVER_VARIABLE
from .exit_codes import EXIT_CODES, HUNG_UP, INTERRUPTED, OUTPUT_LOST, SERVER_FAULT, TERMINATED, USAGE
from .options import output_options, server_options
from .screen import is_plain
from .showing import TOKEN_VARIABLE
from .streams import OutputLost, discard_output
from .tracing import ENDPOINT_VARIABLE

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_ENTRY_POINT_GROUP: Final = "longshore.commands"
_INSTALL_SERVER: Final = "pip install 'longshore[server]'"
_NEEDED_BY_SERVER: Final = "sqlalchemy"

_ENDED_BY: Final[dict[int, int]] = {signal.SIGTERM: TERMINATED, signal.SIGHUP: HUNG_UP}

_SECTIONS: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "Deploying": {
        "deploy": ("deploy", "Deploy a directory, a file or another source, and follow it to its end."),
        "deploy-release": ("deploy_release", "Make an existing release live in an environment."),
        "rollback": ("rollback", "Go back to the previous release, or to a given one."),
        "undeploy": ("undeploy", "Take a project off an environment's nodes."),
        "watch": ("watch", "Follow a deployment to its end."),
        "promote": ("promote", "Let a deployment that waits for a person go on."),
        "pause": ("pause", "Pause a rollout."),
        "resume": ("pause", "Let a paused rollout go on."),
        "cancel": ("cancel", "Cancel a deployment that has not ended."),
        "retry": ("retry", "Try again what ended without success."),
    },
    "Looking": {
        "list": ("deployments", "List deployments, newest first."),
        "get": ("deployments", "Show one deployment and its nodes."),
        "projects": ("catalog", "List projects, or show what one has live where."),
        "releases": ("catalog", "List a project's releases, or show one."),
        "findings": ("findings", "List what was found in a deployment's payload."),
        "audit": ("cluster", "Show who did what, newest first."),
    },
    "Bundles": {
        "new": ("new", "Write a new skill or pack from a template."),
        "validate": ("validate", "Check a skill, a pack or any payload, without a server."),
        "dev": ("dev", "Deploy a directory at every change, to try it while it is edited."),
        "workflows": ("workflows", "List, show, check and compare the workflows of packs."),
        "search": ("search", "Find packs in indexes by words."),
        "show": ("show", "Show what an index knows of a pack."),
        "index": ("index", "Make, change and check indexes of packs."),
    },
    "Rules of an environment": {
        "strategy": ("strategy", "Show or set how rollouts go over the nodes of an environment."),
        "approval": ("approval", "Show or set whether a second person has to promote what is deployed."),
        "select": ("select", "Show or set which nodes of an environment a project goes to."),
        "freeze": ("freeze", "Let nothing of a project go live in an environment."),
        "unfreeze": ("freeze", "Let a project go live in an environment again."),
        "keep": ("keep", "Show or set how long payloads are kept for an environment."),
    },
    "Nodes": {
        "nodes": ("cluster", "List the nodes."),
        "verify": ("verify", "Compare what nodes have live with its release, and repair it."),
        "cordon": ("cordon", "Let no rollout cover a node."),
        "drain": ("cordon", "Cordon a node, and have it take and drive nothing any more."),
        "uncordon": ("cordon", "Let rollouts cover a node again."),
        "remove-node": ("cordon", "Forget a node that is gone for good."),
        "locks": ("cluster", "List the locks that are held."),
    },
    "Payloads": {
        "download": ("download", "Download a release's payload, verified."),
        "checksum": ("checksum", "Print the content checksum of a directory or a file."),
        "pin": ("pin", "Keep a release's payload whatever retention says."),
        "unpin": ("pin", "Let retention decide about a release's payload again."),
        "delete-payload": ("delete_payload", "Delete a release's payload, to free its space."),
    },
    "This program": {
        "context": ("context", "Name servers, and choose which one commands talk to."),
        "login": ("login", "Keep the token that commands show a server."),
        "logout": ("login", "Forget the token for a server."),
        "completion": ("completion", "Print what lets a shell complete commands, projects and versions."),
        "man": ("man", "Print manual pages."),
        "schema": ("schema", "Print JSON Schemas of files that are written, and of what commands print."),
    },
}
_COMMANDS: Final = {name: found for section in _SECTIONS.values() for name, found in section.items()}

SERVER_COMMANDS: Final = {
    "serve": "Run a node.",
    "admin": "Look after a node's database and stores.",
    "doctor": "Look at every part: what works, what does not, what to do.",
}


VARIABLES: Final = {
    SERVER_VARIABLE: "the server to talk to, HOST:PORT; several with commas",
    CONTEXT_VARIABLE: "the context to work in: see `longshore context`",
    TOKEN_VARIABLE: "the token to show the server; see `longshore login`",
    ENDPOINT_VARIABLE: "a collector to send traces to, as for every program; see docs/operations.md",
    "LONGSHORE_DEBUG": "1 shows the traceback of an error",
    "NO_COLOR": "set to anything for no colours and no bars",
}
"""What the commands of the client look at in the environment."""


class Program(click.Group):
    """The group of all commands; only the one that is called gets imported."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that was called."""
        from longshore_client.errors import LongshoreError

        try:
            return super().invoke(ctx)
        except LongshoreError as error:
            if os.environ.get("LONGSHORE_DEBUG"):
                traceback.print_exc()
            from .failing import exit_code_of, print_error

            print_error(error)
            ctx.exit(exit_code_of(error))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, also of the server's commands that are not installed."""
        return [*_COMMANDS, *SERVER_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name in _COMMANDS:
            module_name, _ = _COMMANDS[cmd_name]
            module = importlib.import_module(f".commands.{module_name}", __package__)
            command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
            assert isinstance(command, click.Command)
            return command
        if cmd_name in SERVER_COMMANDS:
            return _server_command(cmd_name, _entry_point(cmd_name))
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section, without importing them."""
        for title, section in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, short_help) for name, (_, short_help) in section.items()])
        installed = importlib.util.find_spec(_NEEDED_BY_SERVER) is not None
        with formatter.section("Running a server"):
            formatter.write_dl(
                [
                    (name, short_help if installed else f"({_INSTALL_SERVER})")
                    for name, short_help in SERVER_COMMANDS.items()
                ]
            )

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, and what all commands have in common."""
        super().format_epilog(ctx, formatter)
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])
        with formatter.section("Environment"):
            formatter.write_dl(list(VARIABLES.items()))


def _entry_point(name: str) -> EntryPoint | None:
    # Takes as long as everything else that `--help` needs.
    from importlib.metadata import entry_points

    return next(iter(entry_points(group=_ENTRY_POINT_GROUP, name=name)), None)


def _server_command(name: str, entry_point: EntryPoint | None) -> click.Command:
    """A command of the server package, or one that says how to get it."""
    missing = "the server is not installed"
    if entry_point is not None:
        try:
            command = entry_point.load()
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("longshore"):
                raise
            missing = f"the server needs {error.name}, which is not installed"
        else:
            assert isinstance(command, click.Command)
            gc.enable()
            return command

    @click.command(name, context_settings={"ignore_unknown_options": True, "help_option_names": []})
    @click.argument("arguments", nargs=-1)
    def unavailable(arguments: tuple[str, ...]) -> None:
        raise click.ClickException(f"{missing}: {_INSTALL_SERVER}")

    return unavailable


@click.command(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  longshore serve --data-dir /var/lib/longshore
  longshore deploy ./web --project web
  longshore list web
  longshore rollback web
  longshore new pack netops && longshore validate netops && longshore dev netops""",
)
@click.version_option(package_name="longshore", message="%(prog)s %(version)s")
@server_options
@output_options
@click.pass_context
def program(ctx: click.Context, /, **shared: object) -> None:
    """Deploy payloads to fleets, follow what becomes of them, and take them back."""
    ctx.obj = shared
    if shared["plain"] or is_plain():
        ctx.color = False


def run_program() -> int:
    """Run the command that the arguments name and return its exit code; no error ends in a traceback.

    All of its output is written then, or lost.
    """
    try:
        code = _run()
        sys.stdout.flush()
    except OutputLost as error:
        discard_output()
        if error.why:
            from .failing import problem

            problem(f"standard output cannot be written: {error.why}")
        return OUTPUT_LOST
    return code


def _run() -> int:
    if threading.current_thread() is not threading.main_thread():
        return _command()
    told: list[int] = []

    def end(number: int, _frame: object) -> None:
        """End as by Ctrl-C: what is under way cleans up behind itself, and says how to go on."""
        if number == signal.SIGHUP and number in told:
            # A shell repeats what the terminal said already.
            return
        told.append(number)
        if signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, signal.SIG_DFL, None):
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)

    before = {
        number: signal.signal(number, end)
        for number in _ENDED_BY
        # `nohup` wants it to go on.
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        code = _command()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return _ENDED_BY[told[0]] if told else code


def _command() -> int:
    try:
        code = program.main(prog_name="longshore", standalone_mode=False)
    except OutputLost:
        raise
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Exception as error:
        if os.environ.get("LONGSHORE_DEBUG"):
            traceback.print_exc()
        from .failing import problem
        from .given import is_utf8, not_utf8_words

        undecodable = next((each for each in sys.argv if not is_utf8(each)), "")
        if isinstance(error, UnicodeEncodeError) and undecodable:
            problem(not_utf8_words(undecodable))
            return USAGE
        problem(f"a fault of this program's own: {type(error).__name__}: {error}")
        click.echo("  what to do: set LONGSHORE_DEBUG=1 and report the traceback that it shows", err=True)
        return SERVER_FAULT
    return code if isinstance(code, int) else 0
