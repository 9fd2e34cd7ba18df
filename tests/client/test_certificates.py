"""Mistakes about encryption and certificates: told by what is wrong and what to do, as wrong usage."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from longshore_client import Client, Credentials, errors
from longshore_client.certificates import read_certificates
from tests.services.certificates import LOCAL_NAMES, Authority, KeyPair
from tests.services.processes import ServerProcess, serve

from .command_line import Run


@dataclass(frozen=True)
class Doors:
    """Nodes with certificates, and certificates for those who call."""

    authority: Authority
    other: Authority
    tls: str
    mutual: str
    client: KeyPair
    stranger: KeyPair


@contextmanager
def _node(folder: Path, **tls: Path) -> Iterator[str]:
    """The address of a node whose gRPC port has these settings."""
    folder.mkdir()
    config = folder / "longshore.yaml"
    config.write_text(yaml.safe_dump({"tls": {name: str(path) for name, path in tls.items()}}))
    running = serve(data_dir=folder / "node", args=["--config", str(config)])
    with asyncio.Runner() as runner:
        process = runner.run(running.__aenter__())
        yield f"localhost:{process.port}"
        runner.run(running.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder = tmp_path_factory.mktemp("doors")
    authority, other = Authority(folder / "authority"), Authority(folder / "other", "another")
    pair = authority.issue("server", hosts=LOCAL_NAMES)
    files = {"cert_file": pair.cert_file, "key_file": pair.key_file}
    with (
        _node(folder / "tls", **files) as tls,
        _node(folder / "mutual", **files, client_ca_file=authority.ca_file) as mutual,
    ):
        client, stranger = authority.issue("client"), other.issue("stranger")
        yield Doors(authority, other, tls, mutual, client, stranger)


def _self_signed(folder: Path) -> KeyPair:
    key = ec.generate_private_key(ec.SECP256R1())
    good = Authority(folder / "like").issue("own", hosts=LOCAL_NAMES).cert_file.read_bytes()
    like = x509.load_pem_x509_certificate(good)
    made = (
        x509.CertificateBuilder(like.subject, like.subject, key.public_key(), like.serial_number)
        .not_valid_before(like.not_valid_before_utc)
        .not_valid_after(like.not_valid_after_utc)
        .sign(key, hashes.SHA256())
    )
    return _written(folder, made, key)


def _written(
    folder: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
) -> KeyPair:
    pair = KeyPair(folder / "own.pem", folder / "own.key")
    pair.cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pair.key_file.touch(mode=0o600)
    pair.key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return pair


def _told(run: Run, server: str, *options: str | Path, code: int = 2) -> str:
    ran = run("--server", server, *options, "nodes")
    assert ran.code == code, ran.err
    assert "what to do: " in ran.err
    assert "serve` starts one here" not in ran.err
    return ran.err


def test_an_authority_that_is_not_trusted(doors: Doors, run_alone: Run) -> None:
    told = _told(run_alone, doors.tls, "--ca", doors.other.ca_file)
    assert (
        f"certificate of the server at {doors.tls} is not by the authority in {doors.other.ca_file}" in told
    )
    assert "--ca FILE" in _told(run_alone, doors.tls, "--tls")
    assert run_alone("--server", doors.tls, "--ca", doors.authority.ca_file, "nodes").code == 0


def test_an_authority_that_only_the_system_trusts(
    doors: Doors, run_alone: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(doors.authority.ca_file))
    assert "only this system knows do not count" in _told(run_alone, doors.tls, "--tls")


def test_no_encryption_where_it_is_wanted(doors: Doors, run_alone: Run) -> None:
    for server in (doors.tls, doors.mutual):
        told = _told(run_alone, server)
        assert f"{server} takes encrypted connections only" in told
        assert "--tls" in told


def test_encryption_where_there_is_none(doors: Doors, server: ServerProcess, run_alone: Run) -> None:
    told = _told(run_alone, server.address, "--ca", doors.authority.ca_file)
    assert f"{server.address} does not speak TLS" in told
    assert "leave --tls" in told


def test_a_certificate_that_is_wanted(doors: Doors, run_alone: Run) -> None:
    ca = ("--ca", doors.authority.ca_file)
    # So does whatever has nobody behind it just now: it may pass.
    theirs = ("--cert", doors.stranger.cert_file, "--key", doors.stranger.key_file)
    for shown in ((), theirs):
        told = _told(run_alone, doors.mutual, *ca, *shown, code=6)
        assert f"{doors.mutual} ends encrypted connections at once" in told
        assert "where it wants a certificate of its clients, show one that it takes" in told
        assert "--cert and --key" in told
    ours = ("--cert", doors.client.cert_file, "--key", doors.client.key_file)
    assert run_alone("--server", doors.mutual, *ca, *ours, "nodes").code == 0


def test_a_certificate_of_another_name_or_time_or_signed_by_itself(run_alone: Run, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    ca = ("--ca", authority.ca_file)
    other = authority.issue("other", hosts=["web-1.example", "192.0.2.7"])
    with _node(tmp_path / "named", cert_file=other.cert_file, key_file=other.key_file) as server:
        assert "is for web-1.example, 192.0.2.7" in _told(run_alone, server, *ca)
    old = authority.issue("old", hosts=LOCAL_NAMES, good_for=timedelta(minutes=-5))
    with _node(tmp_path / "old", cert_file=old.cert_file, key_file=old.key_file) as server:
        assert "has expired" in _told(run_alone, server, *ca)
    own = _self_signed(tmp_path)
    with _node(tmp_path / "own", cert_file=own.cert_file, key_file=own.key_file) as server:
        assert "is signed by itself" in _told(run_alone, server, *ca)


def test_the_next_server_is_asked_where_one_is_not_trusted(doors: Doors, run_alone: Run) -> None:
    ca = ("--ca", doors.authority.ca_file)
    assert run_alone("--server", f"{doors.mutual},{doors.tls}", *ca, "nodes").code == 0
    told = _told(run_alone, f"{doors.mutual},{doors.tls}")
    assert "none of the 2 servers" in told


def test_files_that_are_none(doors: Doors, run_alone: Run, tmp_path: Path) -> None:
    """Found before anything is connected: of an empty certificate gRPC would end the whole process."""
    empty, junk, secret = tmp_path / "empty", tmp_path / "junk", tmp_path / "secret.key"
    empty.touch()
    junk.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    key = serialization.load_pem_private_key(doors.client.key_file.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    cert, its_key = doors.client.cert_file, doors.client.key_file
    for options, says in {
        ("--ca", empty): f"{empty} is empty",
        ("--ca", junk): f"{junk} holds no certificate in PEM",
        ("--ca", its_key): f"{its_key} holds no certificate in PEM",
        ("--cert", empty, "--key", its_key): f"{empty} is empty",
        ("--cert", its_key, "--key", cert): f"{its_key} holds no certificate in PEM",
        ("--cert", cert, "--key", cert): f"{cert} holds no key in PEM",
        ("--cert", cert, "--key", doors.stranger.key_file): "is not the key of the certificate",
        ("--cert", cert, "--key", secret): "broken, or encrypted",
    }.items():
        ran = run_alone("--server", "192.0.2.1:7420", *options, "nodes")
        assert (ran.code, says in ran.err) == (2, True), ran.err


def test_files_that_can_be_read_once_only(doors: Doors, run_alone: Run, tmp_path: Path) -> None:
    """What a shell hands over from another program, also with several servers."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[doors.client.key_file.read_bytes()])
    writer.start()
    shown = ("--ca", doors.authority.ca_file, "--cert", doors.client.cert_file, "--key", pipe)
    assert run_alone("--server", f"localhost:1,{doors.mutual}", *shown, "nodes").code == 0
    writer.join()


@pytest.mark.parametrize("encrypted", [True, False])
def test_what_is_no_mistake_about_encryption_may_pass(doors: Doors, run_alone: Run, encrypted: bool) -> None:
    options = ("--ca", doors.authority.ca_file) if encrypted else ()
    nobody = run_alone("--server", "localhost:1", *options, "nodes")
    assert (nobody.code, "cannot reach the server at localhost:1: Connection refused" in nobody.err) == (
        6,
        True,
    )

    def hang_up() -> None:
        with suppress(OSError):
            while True:
                listening.accept()[0].close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        hanging_up = threading.Thread(target=hang_up)
        hanging_up.start()
        gone = run_alone("--server", f"127.0.0.1:{listening.getsockname()[1]}", *options, "nodes")
        listening.shutdown(socket.SHUT_RDWR)
        hanging_up.join()
    assert (gone.code, "cannot reach the server" in gone.err) == (6, True), gone.err


async def test_the_library_tells_it_as_an_error_of_its_own(doors: Doors) -> None:
    async with Client(doors.tls, credentials=Credentials(ca_file=doors.other.ca_file)) as client:
        with pytest.raises(errors.HandshakeFailed, match="is not by the authority"):
            await client.server_info()
        with pytest.raises(errors.HandshakeFailed):
            await anext(client.watch_nodes())


def test_how_strong_a_key_has_to_be_is_for_the_server_to_judge(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 1024)
    name = x509.Name([])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    pair = _written(tmp_path, made.sign(key, hashes.SHA256()), key)
    assert read_certificates(None, pair.cert_file, pair.key_file).key
