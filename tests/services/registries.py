"""What tests do where a package registry that this machine is set up for cannot be reached."""

from __future__ import annotations

from typing import NoReturn

from . import missing


def do_without(source: str, told: object) -> NoReturn:
    """Say why the rest of the test cannot be: see ``missing.do_without``."""
    missing.do_without(f"the registry for {source} cannot be reached from here: {str(told).strip()}")
