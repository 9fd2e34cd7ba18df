"""``longshore serve``."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

import click

from longshore_server.log import change_level
from longshore_server.memory import keep_freed_memory, keep_giving_back, spare_what_stays
from longshore_server.open_files import allow_more_files, tell_allowed_files
from longshore_server.settings import Settings

from .running import run_with_settings, where


@click.command(epilog="Example: longshore serve --data-dir /var/lib/longshore --listen 127.0.0.1:7420")
@where
@click.option("--listen", metavar="HOST:PORT", help="Where to listen; port 0 picks a free one.")
def serve(config: Path | None, data_dir: Path | None, listen: str | None) -> None:
    """Run a node. Its first line says where it listens."""

    async def run(settings: Settings) -> None:
        from longshore_server.node import running_node

        keep_freed_memory()
        files_before = allow_more_files()
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        # `nohup` wants it to go on.
        hung_up = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
        for number in (signal.SIGTERM, signal.SIGINT, *hung_up):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGUSR1, change_level, "debug")
        loop.add_signal_handler(signal.SIGUSR2, change_level, settings.log.level)
        async with running_node(settings) as node:
            spare_what_stays()
            # Whoever started it may not listen, or have closed what it would be written to.
            with contextlib.suppress(Exception):
                click.echo(f"listening on {node.address}")
                sys.stdout.flush()
            tell_allowed_files(files_before)
            giving_back = asyncio.create_task(keep_giving_back())
            await stop.wait()
            stop.clear()
            draining = asyncio.create_task(node.drain(settings.drain_timeout_s))
            giving_back.cancel()
            # Whoever asks a second time does not want to wait.
            again = asyncio.create_task(stop.wait())
            await asyncio.wait([draining, again], return_when=asyncio.FIRST_COMPLETED)
            again.cancel()
            if not draining.cancel():
                draining.result()

    run_with_settings(config, {"data_dir": data_dir, "listen": listen}, run)
