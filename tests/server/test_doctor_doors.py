"""``longshore doctor`` and ``config check`` on who gets in, and on who outside is told and tells."""

from __future__ import annotations

import asyncio
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from longshore_server.commands import admin
from longshore_server.doctor import Finding, State, look_at_everything
from longshore_server.settings import load_settings
from tests.services.certificates import LOCAL_NAMES, Authority, KeyPair
from tests.services.ports import ReservedPort
from tests.services.processes import serve

from .access.issuer import Issuer

SECRET = "hunter2-is-a-secret"
# Of the whole settings, or nothing would be looked at but them.
DOORS = {"certificate", "policy", "issuer", "notifications", "push"}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


async def looked(tmp_path: Path, settings: dict[str, Any]) -> list[Finding]:
    loaded = load_settings(None, {"data_dir": tmp_path / "data", **settings})
    return [finding async for finding in look_at_everything(loaded) if finding.part in DOORS]


async def checked(tmp_path: Path, settings: dict[str, Any]) -> tuple[int, str]:
    """What ``config check`` ends with, and what it says on standard error."""
    path = tmp_path / "longshore.yaml"
    path.touch(0o600)
    path.write_text(yaml.safe_dump({"data_dir": str(tmp_path / "data"), **settings}))
    result = await asyncio.to_thread(CliRunner().invoke, admin, ["config", "check", "--config", str(path)])
    return result.exit_code, result.stderr


def tls(pair: KeyPair, key_file: Path | None = None) -> dict[str, Any]:
    return {"tls": {"cert_file": str(pair.cert_file), "key_file": str(key_file or pair.key_file)}}


class TestCertificate:
    @pytest.mark.parametrize(
        ("good_for", "state", "words"),
        [
            (timedelta(days=60), State.OK, "is good until "),
            (timedelta(days=13), State.WARN, "expires at "),
            (timedelta(minutes=-5), State.BAD, "expired at "),
        ],
        ids=["good", "soon", "expired"],
    )
    async def test_its_dates(
        self, authority: Authority, tmp_path: Path, good_for: timedelta, state: State, words: str
    ) -> None:
        settings = tls(authority.issue("node", hosts=LOCAL_NAMES, good_for=good_for))
        (found,) = await looked(tmp_path, settings)
        assert (found.part, found.state) == ("certificate", state)
        assert words in found.what
        assert found.advice or state is State.OK
        told = {State.OK: "", State.WARN: f"warning: {found.what}", State.BAD: f"error: {found.what}"}
        exit_code, said = await checked(tmp_path, settings)
        assert exit_code == (1 if state is State.BAD else 0)
        assert said.startswith(told[state])
        assert len(said.splitlines()) == (state is not State.OK)

    async def test_the_key_of_another(self, authority: Authority, tmp_path: Path) -> None:
        one, other = (authority.issue(name, hosts=LOCAL_NAMES) for name in ("one", "other"))
        settings = tls(one, other.key_file)
        (found,) = await looked(tmp_path, settings)
        assert found.state is State.BAD
        assert "no certificate with its key" in found.what
        assert "no certificate with its key" in (await checked(tmp_path, settings))[1]

    async def test_authorities_of_clients(self, authority: Authority, tmp_path: Path) -> None:
        pair = authority.issue("node", hosts=LOCAL_NAMES, good_for=timedelta(days=60))
        old, new = (
            authority.issue(name, good_for=good_for).cert_file
            for name, good_for in (("old", timedelta(minutes=-5)), ("new", timedelta(days=60)))
        )
        both = tmp_path / "both.pem"
        both.write_bytes(old.read_bytes() + new.read_bytes())
        for file, states in ((old, [State.OK, State.BAD]), (both, [State.OK])):
            settings = tls(pair)
            settings["tls"]["client_ca_file"] = str(file)
            assert [found.state for found in await looked(tmp_path, settings)] == states

    @pytest.mark.parametrize(
        ("good_for", "event"),
        [(timedelta(minutes=-5), "tls.not_good"), (timedelta(days=13), "tls.expires_soon")],
        ids=["expired", "soon"],
    )
    async def test_a_node_that_starts_warns(
        self, authority: Authority, tmp_path: Path, good_for: timedelta, event: str
    ) -> None:
        pair = authority.issue("node", hosts=LOCAL_NAMES, good_for=good_for)
        env = {
            "LONGSHORE_LOG__FORMAT": "json",
            "LONGSHORE_TLS__CERT_FILE": str(pair.cert_file),
            "LONGSHORE_TLS__KEY_FILE": str(pair.key_file),
        }
        async with serve(data_dir=tmp_path / "node", env=env) as server:
            lines = [json.loads(line) for line in server.stderr.splitlines()]
        (told,) = [line for line in lines if line["event"] == event]
        assert (told["level"], told["cert_file"]) == ("warning", str(pair.cert_file))


class TestPolicy:
    async def test_what_is_in_it(self, tmp_path: Path) -> None:
        file = tmp_path / "policy.yaml"
        settings = {"access": {"enabled": True, "policy_file": str(file)}}
        for content, state, words in (
            ("grants: [{role: viewer, principals: [a]}]", State.OK, "1 grant, 0 roles of its own"),
            ("grants: [{role: nobody, principals: [a]}]", State.BAD, "there is no role 'nobody'"),
        ):
            file.write_text(content)
            (found,) = await looked(tmp_path, settings)
            assert (found.part, found.state) == ("policy", state)
            assert words in found.what


@contextmanager
def answering(
    body: bytes, pair: KeyPair | None = None, *, status: int = 200
) -> Iterator[tuple[str, list[str]]]:
    """A server of this machine that answers every request so: its HOST:PORT, and what it was asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Not here."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if pair is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pair.cert_file, pair.key_file)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


class TestIssuer:
    def issuer(self, url: str, **more: str) -> dict[str, Any]:
        one = {
            "issuer": "https://identity.example",
            "audience": "longshore",
            "algorithms": ["RS256"],
            "jwks_url": url,
            **more,
        }
        return {"access": {"enabled": True, "issuers": [one]}}

    async def told(self, tmp_path: Path, settings: dict[str, Any], state: State) -> str:
        (found,) = await looked(tmp_path, settings)
        assert (found.part, found.state) == ("issuer", state), found
        assert SECRET not in found.what + found.advice
        return found.what

    async def test_keys_that_can_be_read(self, tmp_path: Path, authority: Authority) -> None:
        keys = Issuer(tmp_path).jwks_file.read_bytes()
        pair = authority.issue("issuer", hosts=LOCAL_NAMES)
        with answering(keys, pair) as (address, asked):
            url = f"https://user:{SECRET}@{address}/keys?token={SECRET}"
            settings = self.issuer(url, ca_file=str(authority.ca_file))
            assert await self.told(tmp_path, settings, State.OK) == (
                f"https://identity.example: 1 key at https://{address}/keys"
            )
            assert asked == [f"/keys?token={SECRET}"]
            gone = self.issuer(url, ca_file=str(tmp_path / "gone.pem"))
            assert "gone.pem (`access.issuers.ca_file`) cannot be read" in await self.told(
                tmp_path, gone, State.BAD
            )
            # By whom the machine trusts, this one is nobody's.
            assert "cannot be trusted (" in await self.told(tmp_path, self.issuer(url), State.BAD)

    @pytest.mark.parametrize(
        ("body", "status", "words"),
        [
            (b"<html>", 200, "has no JSON Web Key Set"),
            (json.dumps({"keys": [{"kty": "oct", "k": SECRET}]}).encode(), 200, "has no JSON Web Key Set"),
            (b"gone", 404, "it answered 404"),
        ],
        ids=["no-json", "only-secrets", "not-found"],
    )
    async def test_an_answer_without_keys(self, tmp_path: Path, body: bytes, status: int, words: str) -> None:
        with answering(body, status=status) as (address, _):
            told = await self.told(tmp_path, self.issuer(f"http://{address}/keys"), State.BAD)
        assert words in told

    async def test_a_file_without_keys(self, tmp_path: Path) -> None:
        file = Issuer(tmp_path).jwks_file
        settings = self.issuer("", jwks_file=str(file))
        assert await self.told(tmp_path, settings, State.OK) == f"https://identity.example: 1 key at {file}"
        assert (await checked(tmp_path, settings))[0] == 0
        file.write_text("{}")
        words = f"{file} has no JSON Web Key Set"
        assert words in await self.told(tmp_path, settings, State.BAD)
        assert words in (await checked(tmp_path, settings))[1]

    async def test_nobody_there(self, tmp_path: Path) -> None:
        with ReservedPort() as port:
            url = f"http://user:{SECRET}@127.0.0.1:{port.number}/keys?token={SECRET}"
            told = await self.told(tmp_path, self.issuer(url), State.BAD)
        assert told.endswith(f"http://127.0.0.1:{port.number}/keys cannot be read: Connection refused")
        unknown = self.issuer("https://nobody.invalid/keys")
        assert "nobody knows its host" in await self.told(tmp_path, unknown, State.BAD)


class TestOutside:
    async def test_receivers(self, tmp_path: Path, authority: Authority) -> None:
        secret = tmp_path / "secret"
        secret.write_text(SECRET)
        (tmp_path / "short").write_text("x")
        pair = authority.issue("chat", hosts=LOCAL_NAMES)
        with (
            answering(b"") as (address, asked),
            answering(b"", pair) as (encrypted, _),
            ReservedPort() as nobody,
        ):
            receivers = [
                {"name": "chat", "url": f"http://{address}/{SECRET}", "secret_file": str(secret)},
                {
                    "name": "away",
                    "url": f"http://127.0.0.1:{nobody.number}/{SECRET}",
                    "secret_file": str(secret),
                },
                {"name": "mute", "url": f"http://{address}/{SECRET}", "secret_file": str(tmp_path / "short")},
            ]
            receivers += [
                {"url": f"https://{encrypted}/{SECRET}", "secret_file": str(secret), **more}
                for more in (
                    {"name": "trusted", "ca_file": str(authority.ca_file)},
                    {"name": "strange"},
                    {"name": "empty", "ca_file": str(secret)},
                )
            ]
            found = await looked(tmp_path, {"notifications": receivers})
            said = (await checked(tmp_path, {"notifications": receivers}))[1]
        assert [one.state for one in found[:3]] == [State.OK, State.WARN, State.BAD]
        assert [one.state for one in found[3:]] == [State.OK, State.WARN, State.WARN]
        assert "strange: its certificate cannot be trusted (" in found[4].what
        assert "(`notifications.ca_file`) has no certificates" in found[5].what
        assert found[1].what == "away: cannot be connected to (Connection refused)"
        assert "a secret has at least 16 bytes" in found[2].what
        assert "a secret has at least 16 bytes" in said
        # A connection was opened, and nothing sent.
        assert asked == []
        assert not any(SECRET in one.what for one in found)

    async def test_pushes(self, tmp_path: Path) -> None:
        secret, token = tmp_path / "secret", tmp_path / "token"
        secret.write_text(SECRET)
        token.write_text("a token\n")
        hook = {
            "name": "web",
            "forge": "github",
            "secret_file": str(secret),
            "token_file": str(token),
            "source": "https://git.example/web",
            "project": "web",
        }
        settings = {"push": {"listen": "127.0.0.1:0", "hooks": [hook]}}
        (found,) = await looked(tmp_path, settings)
        assert (found.part, found.state) == ("push", State.OK)
        token.write_text("\n")
        secret.write_text("x")
        found_wrong = await looked(tmp_path, settings)
        assert [one.state for one in found_wrong] == [State.BAD, State.BAD]
        assert "a secret has at least 16 bytes" in found_wrong[0].what
        assert "(`push.hooks.token_file`) is empty" in found_wrong[1].what
        assert "a secret has at least 16 bytes" in (await checked(tmp_path, settings))[1]
