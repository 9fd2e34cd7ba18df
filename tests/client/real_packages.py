"""Packages through the registries that this machine is set up for."""

from __future__ import annotations

import zipfile
from pathlib import Path

from longshore_client.sources import FetchOptions, SourceUnavailable, fetch, parse_source
from tests.services.registries import do_without

from .command_line import Ran, Run

_UNREACHED = "cannot be reached"


def fetched(source: str, into: Path) -> Path:
    """A wheel, unpacked."""
    try:
        wheel = fetch(parse_source(source), into, FetchOptions(timeout_s=120, idle_timeout_s=30)).path
    except SourceUnavailable as error:
        do_without(source, error)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(into / "tree")
    return into / "tree"


def deployed(run: Run, source: str, *options: str) -> Ran:
    """What deploying a package left behind."""
    ran = run("deploy", source, *options)
    if ran.code and _UNREACHED in ran.err:
        do_without(source, ran.err)
    assert ran.code == 0, ran.err
    return ran
