"""Where npm and pip of this machine look, and what they look at first."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore_client.sources.registry_settings import (
    DEFAULT_NPM_REGISTRY,
    DEFAULT_PYPI_INDEX,
    npm_registry,
    pypi_index,
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which nothing is set; its files are those of the test."""
    home = tmp_path / "home"
    (home / "work").mkdir(parents=True)
    monkeypatch.chdir(home / "work")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    for name in ("REGISTRY", "USERCONFIG"):
        monkeypatch.delenv(f"npm_config_{name.lower()}", raising=False)
        monkeypatch.delenv(f"NPM_CONFIG_{name}", raising=False)
    monkeypatch.setenv("npm_config_globalconfig", str(home / "npmrc"))
    for name in ("PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(home / "pip.conf"))
    return home


def test_the_public_ones_where_nothing_is_set() -> None:
    assert npm_registry("widget") == DEFAULT_NPM_REGISTRY
    assert pypi_index() == DEFAULT_PYPI_INDEX


def test_what_npm_looks_at_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "npmrc").write_text("registry=https://global.test/\n")
    assert npm_registry("widget") == "https://global.test"
    (home / ".npmrc").write_text(
        '; a remark\nregistry = "https://user.test/npm/"\n//user.test/:_authToken=s3cret\n'
    )
    assert npm_registry("widget") == "https://user.test/npm"
    (home / ".npmrc").write_text("registry=https://${NPM_HOST}/\n")
    monkeypatch.setenv("NPM_HOST", "named.test")
    assert npm_registry("widget") == "https://named.test"
    (home / "work" / ".npmrc").write_text("registry=https://strangers.test\n")
    assert npm_registry("widget") == "https://named.test"
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "https://variable.test")
    assert npm_registry("widget") == "https://variable.test"


def test_a_scope_has_its_own_registry(home: Path) -> None:
    (home / ".npmrc").write_text("registry=https://user.test\n@own:registry=https://own.test\n")
    assert npm_registry("@own/widget") == "https://own.test"
    assert npm_registry("@other/widget") == "https://user.test"


def test_what_pip_looks_at_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "pip.conf").write_text("[global]\nindex-url = https://global.test/simple/\n")
    assert pypi_index() == "https://global.test/simple"
    (home / "pip.conf").write_text(
        "[global]\nindex-url=https://global.test\n[install]\nindex-url=https://install.test\n"
    )
    assert pypi_index() == "https://install.test"
    monkeypatch.setenv("UV_INDEX_URL", "https://uv.test/simple")
    assert pypi_index() == "https://uv.test/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.test/simple/")
    assert pypi_index() == "https://pip.test/simple"


def test_pips_own_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_CONFIG_FILE")
    (home / ".config" / "pip").mkdir(parents=True)
    (home / ".config" / "pip" / "pip.conf").write_text("[global]\nindex-url = https://user.test\n")
    assert pypi_index() == "https://user.test"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"registry\n[x\n", b"=\n", b"index-url = x\n"])
def test_files_that_cannot_be_read_count_as_nothing(home: Path, content: bytes) -> None:
    (home / "pip.conf").write_bytes(content)
    (home / ".npmrc").write_bytes(content)
    assert npm_registry("widget") == DEFAULT_NPM_REGISTRY
    assert pypi_index() == DEFAULT_PYPI_INDEX
