"""Packages of npm and PyPI as they are, through the registries that this machine is set up for.

Where a registry cannot be reached they are skipped and say so; where services are required they fail.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

import longshore_bundles
from longshore_client.contents import content_of
from longshore_client.models import PayloadFormat
from longshore_client.sources import (
    Fetched,
    FetchOptions,
    SourceNotFound,
    SourceUnavailable,
    fetch,
    parse_source,
)
from tests.services.registries import do_without

Fetch = Callable[[str], Fetched]


@pytest.fixture
def fetched(into: Path) -> Fetch:
    def fetch_text(text: str) -> Fetched:
        try:
            return fetch(parse_source(text), into, FetchOptions(timeout_s=120, idle_timeout_s=30))
        except SourceUnavailable as error:
            do_without(text, error)

    return fetch_text


def test_a_package_of_npm(fetched: Fetch, tmp_path: Path) -> None:
    package = fetched("npm:left-pad@1.3.0")
    assert package.provenance.verified_by == "npm integrity sha512"
    assert package.provenance.ref == "left-pad@1.3.0"
    assert content_of(package.path).payload_format is PayloadFormat.TAR_GZ
    with package.path.open("rb") as archive:
        longshore_bundles.unpack(
            archive,
            tmp_path / "tree",
            longshore_bundles.PayloadFormat.TAR_GZ,
            longshore_bundles.DEFAULT_LIMITS,
        )
    assert (tmp_path / "tree" / "package.json").exists()


def test_a_package_of_npm_with_a_scope_and_a_range(fetched: Fetch) -> None:
    package = fetched("npm:@sindresorhus/is@^4.0.0, <4.7")
    assert (package.name, package.version) == ("@sindresorhus/is", "4.6.0")
    assert package.provenance.verified


def test_a_wheel_of_pypi(fetched: Fetch) -> None:
    wheel = fetched("pypi:iniconfig==2.0.0")
    assert wheel.path.name == "iniconfig-2.0.0-py3-none-any.whl"
    assert wheel.provenance.checksum == f"sha256:{hashlib.sha256(wheel.path.read_bytes()).hexdigest()}"
    assert wheel.provenance.verified_by == "index sha256"
    assert content_of(wheel.path).payload_format is PayloadFormat.FILE


def test_sources_of_pypi(fetched: Fetch) -> None:
    sources = fetched("pypi:docopt==0.6.2")
    assert sources.path.name == "docopt-0.6.2.tar.gz"
    assert content_of(sources.path).payload_format is PayloadFormat.TAR_GZ


def test_versions_that_no_registry_has(fetched: Fetch) -> None:
    for text in ("npm:left-pad@99.0.0", "pypi:iniconfig==99.0.0"):
        with pytest.raises(SourceNotFound):
            fetched(text)
