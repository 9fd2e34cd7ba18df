"""Bytes from elsewhere on standard output: as they are in a file or a pipe, harmless on a terminal."""

from __future__ import annotations

import sys

import click

from .wording import safe


def write_raw(content: bytes) -> None:
    """Write a text's bytes; on a terminal without what would do something there."""
    if not sys.stdout.isatty():
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    for line in content.decode(errors="replace").expandtabs(4).splitlines():
        indentation = " " * (len(line) - len(line.lstrip(" ")))
        click.echo(f"{indentation}{safe(line)}")
