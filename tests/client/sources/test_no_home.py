"""A service's user, who has no home and whose number no list of users has."""

from __future__ import annotations

import hashlib
import pwd
from pathlib import Path
from typing import NoReturn

import pytest

from longshore_client.sources import (
    Checksum,
    FetchOptions,
    UrlSource,
    default_cache_folder,
    fetch,
)
from longshore_client.sources.registry_settings import (
    DEFAULT_NPM_REGISTRY,
    DEFAULT_PYPI_INDEX,
    npm_registry,
    pypi_index,
)

from .web_server import WebServer


@pytest.fixture(autouse=True)
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(user: int) -> NoReturn:
        raise KeyError(f"getpwuid(): uid not found: {user}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "PIP_CONFIG_FILE", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "npm_config_registry", "NPM_CONFIG_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("npm_config_globalconfig", "/nowhere/npmrc")
    with pytest.raises(RuntimeError):
        Path.home()


def test_nothing_is_kept(server: WebServer, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_cache_folder() is None
    monkeypatch.chdir(into)
    options = FetchOptions(allow_http=True)
    checksum = Checksum("sha256", hashlib.sha256(b"bytes").hexdigest())
    assert fetch(UrlSource(server.serve("/x", b"bytes"), checksum), into, options).path == into / "x"
    assert [path.name for path in into.iterdir()] == ["x"]


@pytest.mark.parametrize("home", ["", "relative/home"])
def test_a_home_that_is_no_whole_path_holds_nothing(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would lie wherever a command happens to be run."""
    monkeypatch.setenv("HOME", home)
    found = default_cache_folder()
    assert found is None or found.is_absolute()


def test_a_folder_that_is_named_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / "longshore" / "sources"


def test_there_are_no_settings_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    for userconfig in ("", "~/.npmrc", "~nobody-of-this-name/.npmrc"):
        monkeypatch.setenv("npm_config_userconfig", userconfig)
        assert npm_registry("widget") == DEFAULT_NPM_REGISTRY
    monkeypatch.setenv("XDG_CONFIG_HOME", "~nobody-of-this-name")
    if not Path("/etc/pip.conf").exists():
        assert pypi_index() == DEFAULT_PYPI_INDEX
