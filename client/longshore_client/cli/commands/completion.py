"""``longshore completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_LONGSHORE_COMPLETE"


@click.command(
    "completion",
    short_help="Print what lets a shell complete commands, projects and versions.",
    epilog="""\b
Examples:
  longshore completion bash > ~/.local/share/bash-completion/completions/longshore
  longshore completion zsh > ~/.zfunc/_longshore       # fpath+=~/.zfunc; compinit
  longshore completion fish > ~/.config/fish/completions/longshore.fish""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print a script for SHELL that completes commands, options, projects, versions and deployments.

    Names are asked of the server that the options, LONGSHORE_SERVER or the context name.
    """
    make = get_completion_class(shell)
    assert make is not None, "click knows these three"
    root = click.get_current_context().find_root().command
    click.echo(make(root, {}, "longshore", _VARIABLE).source())
