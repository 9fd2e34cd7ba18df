"""A server that has to know who calls: what commands and the library show it, and what they never send."""

from __future__ import annotations

import asyncio
import io
import json
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keyring
import keyring.backend
import pytest
import yaml
from click.testing import CliRunner
from keyring.backend import KeyringBackend
from keyring.backends import chainer

from longshore_client import Client, Credentials, SyncClient, errors
from longshore_client.addresses import is_loopback
from longshore_client.cli import kept_tokens
from longshore_server.commands import admin
from tests.services.certificates import LOCAL_NAMES, Authority
from tests.services.processes import ServerProcess, serve

from .command_line import Run


@dataclass(frozen=True)
class Guarded:
    """A node with TLS that lets in the bearers of two tokens."""

    server: ServerProcess
    ca_file: Path
    deployer: str
    viewer: str

    @property
    def address(self) -> str:
        return f"localhost:{self.server.port}"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    authority = Authority(folder / "authority")
    pair = authority.issue("server", hosts=LOCAL_NAMES)
    config = folder / "longshore.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "data_dir": str(folder / "node"),
                "tls": {"cert_file": str(pair.cert_file), "key_file": str(pair.key_file)},
                "access": {"enabled": True},
            }
        )
    )

    def token(*words: str) -> str:
        made = CliRunner().invoke(admin, [*words, "--config", str(config)])
        assert made.exit_code == 0, made.output
        return made.stdout.strip()

    token("migrate")
    deployer = token("token", "create", "ci", "--role", "deployer")
    viewer = token("token", "create", "dashboard", "--role", "viewer")
    running = serve(data_dir=folder / "node", args=["--config", str(config)])
    with asyncio.Runner() as runner:
        process = runner.run(running.__aenter__())
        yield Guarded(process, authority.ca_file, deployer, viewer)
        runner.run(running.__aexit__(None, None, None))


@pytest.fixture
def anybody(guarded: Guarded, run_alone: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Commands with the guarded server, without a token."""
    monkeypatch.setenv("LONGSHORE_SERVER", guarded.address)
    monkeypatch.setenv("LONGSHORE_CA", str(guarded.ca_file))
    for name in ("LONGSHORE_TOKEN", "LONGSHORE_TOKEN_FILE", "LONGSHORE_TLS"):
        monkeypatch.delenv(name, raising=False)
    return run_alone


def test_a_token_in_a_variable(
    guarded: Guarded, anybody: Run, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = anybody("list")
    assert refused.code == 7
    assert "longshore login" in refused.err
    monkeypatch.setenv("LONGSHORE_TOKEN", guarded.deployer)
    assert anybody("deploy", tree, "--project", "web").code == 0
    shown = json.loads(anybody("list", "web", "-o", "json").out)
    assert shown["deployed_by"] == "token:ci"
    monkeypatch.setenv("LONGSHORE_TOKEN", guarded.viewer)
    refused = anybody("rollback", "web")
    assert refused.code == 7
    assert "token:dashboard needs the permission deployment.rollback for web in default" in refused.err


def test_a_token_in_a_file(
    guarded: Guarded, anybody: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    monkeypatch.setenv("LONGSHORE_TOKEN_FILE", str(file))
    assert anybody("list").code == 2
    file.write_text(f"{guarded.viewer}\n")
    assert anybody("list").code == 0


def test_logging_in_and_out(
    guarded: Guarded, anybody: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("longshore_wrong\n"))
    assert anybody("login").code == 7
    assert anybody("list").code == 7
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{guarded.viewer}\n"))
    assert anybody("login").code == 0
    assert anybody("list").code == 0
    kept = tmp_path / "config" / "longshore" / "tokens.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    kept.chmod(0o644)
    assert "chmod 600" in anybody("list").err
    kept.chmod(0o600)
    assert anybody("logout").code == 0
    assert anybody("list").code == 7
    assert guarded.viewer not in kept.read_text()


def test_a_token_is_kept_for_each_server_of_a_list_and_for_no_other(
    guarded: Guarded, anybody: Run, server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, same = guarded.address, guarded.address.replace("localhost", "127.0.0.1")
    other = f"localhost:{server.port}"
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{guarded.viewer}\n"))
    assert anybody("--server", f"{one},{same}", "login").code == 0
    for named in (one, same, f"{one},{same}", f"{same},{one}"):
        assert anybody("--server", named, "list").code == 0
    assert kept_tokens.kept_token(other) == ""
    for named in (f"{one},{other}", f"{other},{one}"):
        assert kept_tokens.kept_token(named) == ""
    kept_tokens.keep_token(other, "another")
    assert kept_tokens.kept_token(f"{one},{other}") == ""
    assert anybody("--server", one, "logout").code == 0
    assert anybody("--server", one, "list").code == 7
    assert anybody("--server", same, "list").code == 0


@pytest.mark.parametrize(
    "variable",
    ["LONGSHORE_TOKEN", "LONGSHORE_TOKEN_FILE", "LONGSHORE_TLS", "LONGSHORE_CERT", "LONGSHORE_CONTEXT"],
)
def test_a_variable_that_is_empty_is_no_variable_that_is_not_set(
    anybody: Run, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """An empty secret of a CI would let a command run as whoever is logged in."""
    kept_tokens.keep_token("localhost:1", "of somebody else")
    monkeypatch.setenv(variable, "")
    ran = anybody("list")
    assert ran.code == 2
    assert f"{variable} is set, and empty: give it a value, or unset it" in ran.err


def test_a_file_without_a_token(anybody: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("\n")
    monkeypatch.setenv("LONGSHORE_TOKEN_FILE", str(tmp_path / "token"))
    ran = anybody("list")
    assert (ran.code, "is empty: it has to hold a token" in ran.err) == (2, True)


def test_a_variable_that_is_neither_yes_nor_no(anybody: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHORE_TLS", "on")
    ran = anybody("list")
    assert (ran.code, "LONGSHORE_TLS is 'on': write 1, true, yes, or 0, false, no" in ran.err) == (2, True)
    monkeypatch.setenv("LONGSHORE_TLS", "No")
    assert anybody("list").code == 7


@pytest.mark.parametrize(
    "arguments",
    [
        ["--server", "", "list"],
        ["list", "--context", ""],
        ["nodes", "--ca", ""],
        ["rollback", ""],
        ["undeploy", "web", "-e", "", "--yes"],
        ["deploy", ".", "--project", ""],
        ["deploy", ".", "--label", ""],
    ],
    ids=" ".join,
)
def test_what_is_given_and_empty_is_refused(anybody: Run, arguments: list[str]) -> None:
    """What would be taken in its place is the context's, or the default."""
    ran = anybody(*arguments)
    assert ran.code == 2
    assert "it is empty: give it a value, or leave it out" in ran.err


def test_a_context_keeps_the_files_and_no_token(
    guarded: Guarded, run_alone: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LONGSHORE_SERVER", raising=False)
    monkeypatch.setenv("LONGSHORE_TOKEN", guarded.viewer)
    made = run_alone("context", "set", "live", "--server", guarded.address, "--ca", guarded.ca_file)
    assert made.code == 0
    assert run_alone("--context", "live", "list").code == 0
    assert str(guarded.ca_file) in run_alone("context", "show", "live").out
    assert guarded.viewer not in (tmp_path / "config" / "longshore" / "contexts.yaml").read_text()
    # Another server that is named does not get what belongs to the context's.
    assert run_alone("--server", guarded.address, "list").code == 2


def test_a_token_is_not_sent_unencrypted(run_alone: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHORE_TOKEN", "secret-of-mine")
    refused = run_alone("--server", "192.0.2.1:7420", "list")
    assert refused.code == 2
    assert "--tls" in refused.err
    assert "secret-of-mine" not in refused.err + refused.out


def test_a_server_of_another_authority_is_not_called(
    guarded: Guarded, anybody: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGSHORE_TOKEN", guarded.viewer)
    other = Authority(tmp_path / "other").ca_file
    assert anybody("--ca", other, "list").code == 2
    assert anybody("--ca", tmp_path / "none", "list").code == 2
    assert anybody("--cert", guarded.ca_file, "list").code == 2


async def test_the_library_asks_for_the_token_of_each_call(guarded: Guarded) -> None:
    tokens = iter([guarded.viewer, "no longer good", guarded.viewer])
    credentials = Credentials(ca_file=guarded.ca_file, token=lambda: next(tokens))
    async with Client(guarded.address, credentials=credentials) as client:
        await client.server_info()
        with pytest.raises(errors.Unauthenticated):
            await client.server_info()
        await client.server_info()
    assert guarded.viewer not in repr(Credentials(token=guarded.viewer))


async def test_a_token_that_stays_costs_no_thread(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    """As gRPC's own credentials would for each call: half of what a call takes."""
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        started.append(thread)
        start(thread)

    kept = Credentials(ca_file=guarded.ca_file, token=guarded.viewer)
    asked = Credentials(ca_file=guarded.ca_file, token=lambda: guarded.viewer)
    counts = []
    for credentials in (kept, asked):
        async with Client(guarded.address, credentials=credentials) as client:
            await client.server_info()
            with monkeypatch.context() as noting:
                noting.setattr(threading.Thread, "start", noted)
                for _ in range(3):
                    await client.server_info()
            counts.append(len(started))
    assert counts == [0, 3]


def test_the_library_without_an_event_loop(guarded: Guarded) -> None:
    credentials = Credentials(ca_file=guarded.ca_file, token=guarded.viewer)
    with SyncClient(guarded.address, credentials=credentials) as client:
        assert client.server_info().server_version


@pytest.mark.parametrize("wrong", [{"cert_file": Path("a")}, {"token": "two\nlines"}, {"token": "größe"}])
def test_credentials_that_are_none(wrong: dict[str, Path | str]) -> None:
    with pytest.raises(ValueError, match=r"together|token"):
        Credentials(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "is_here"),
    [
        ("127.0.0.1:7420", True),
        ("127.8.9.10:7420", True),
        ("[::1]:7420", True),
        ("localhost:7420", True),
        ("127.0.0.1.evil.example:7420", False),
        ("127.evil.example:7420", False),
        ("localhost.evil.example:7420", False),
        ("[::2]:7420", False),
    ],
)
def test_what_this_machine_is(address: str, is_here: bool) -> None:
    assert is_loopback(address) is is_here


class _InPlainText(KeyringBackend):
    """As those that are tried where a system has no keyring."""

    priority = 0.5

    def get_password(self, service: str, username: str) -> str | None:
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise AssertionError("a token in plain text")

    def delete_password(self, service: str, username: str) -> None:
        return None


class _Encrypted(_InPlainText):
    priority = 5


@pytest.mark.parametrize(
    ("chained", "usable"), [((_InPlainText, _InPlainText), False), ((_Encrypted, _InPlainText), True)]
)
def test_a_chain_of_keyrings_is_as_safe_as_its_first(
    monkeypatch: pytest.MonkeyPatch, chained: tuple[type[KeyringBackend], ...], usable: bool
) -> None:
    monkeypatch.setattr(keyring.backend, "get_all_keyring", lambda: [one() for one in chained])
    monkeypatch.setattr(keyring, "get_keyring", chainer.ChainerBackend)
    assert (kept_tokens._keyring() is not None) is usable
