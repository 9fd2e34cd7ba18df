"""TLS on the gRPC port: its certificate is renewed without a restart, and clients may have to show theirs."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import cluster_service_pb2 as cluster
from longshore_server.settings import load_settings
from longshore_storage.errors import Misconfigured
from tests.server.calls import refused
from tests.server.running import StartNode, Stubs, embedded
from tests.services.certificates import LOCAL_NAMES, Authority, KeyPair

from .policies import write_policy

INFO = cluster.GetServerInfoRequest()
S = grpc.StatusCode


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def tls(authority: Authority) -> dict[str, Any]:
    pair = authority.issue("server", hosts=LOCAL_NAMES)
    return {"cert_file": pair.cert_file, "key_file": pair.key_file}


@asynccontextmanager
async def secured(address: str, authority: Authority, shown: KeyPair | None = None) -> AsyncIterator[Stubs]:
    credentials = grpc.ssl_channel_credentials(
        authority.ca_file.read_bytes(),
        shown.key_file.read_bytes() if shown else None,
        shown.cert_file.read_bytes() if shown else None,
    )
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.secure_channel(address, credentials, options=options) as channel:
        yield Stubs(channel)


@embedded
async def test_calls_are_encrypted(start_node: StartNode, authority: Authority, tls: dict[str, Any]) -> None:
    async with start_node(tls=tls) as node:
        async with secured(node.address, authority) as stubs:
            assert (await stubs.cluster.GetServerInfo(INFO)).server_version
        # The node's own channel is a plain one.
        with pytest.raises(grpc.aio.AioRpcError):
            await node.cluster.GetServerInfo(INFO, timeout=5)


async def _shown(address: str, authority: Authority) -> int:
    """The serial number of the certificate that a new connection is shown."""
    context = ssl.create_default_context(cafile=authority.ca_file)
    context.set_alpn_protocols(["h2"])
    host, _, port = address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(shown).serial_number


@embedded
async def test_a_renewed_certificate_is_shown(
    start_node: StartNode, authority: Authority, tls: dict[str, Any]
) -> None:
    async with start_node(tls=tls) as node:
        before = await _shown(node.address, authority)
        tls["key_file"].write_text("half of it")
        assert await _shown(node.address, authority) == before
        renewed = authority.issue("renewed", hosts=LOCAL_NAMES)
        shutil.copy(renewed.key_file, tls["key_file"])
        shutil.copy(renewed.cert_file, tls["cert_file"])
        expected = x509.load_pem_x509_certificate(renewed.cert_file.read_bytes()).serial_number
        assert await _shown(node.address, authority) == expected != before


@embedded
async def test_clients_show_their_certificates(
    start_node: StartNode, authority: Authority, tls: dict[str, Any], policy_file: Path, tmp_path: Path
) -> None:
    write_policy(policy_file, {"role": "viewer", "principals": ["cert:dashboard"]})
    settings = {"enabled": True, "policy_file": policy_file}
    async with start_node(tls={**tls, "client_ca_file": authority.ca_file}, access=settings) as node:
        async with secured(node.address, authority, authority.issue("dashboard")) as stubs:
            await stubs.catalog.ListProjects(catalog.ListProjectsRequest())
        async with secured(node.address, authority, authority.issue("stranger")) as stubs:
            with refused(S.PERMISSION_DENIED, "PERMISSION_DENIED") as told:
                await stubs.catalog.ListProjects(catalog.ListProjectsRequest())
            assert "cert:stranger" in told.message
        foreign = Authority(tmp_path / "foreign").issue("dashboard")
        for shown in (None, foreign):
            async with secured(node.address, authority, shown) as stubs:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stubs.cluster.GetServerInfo(INFO, timeout=10)
                assert caught.value.code() is S.UNAVAILABLE


@embedded
async def test_a_common_name_is_no_spiffe_id(
    start_node: StartNode, authority: Authority, tls: dict[str, Any], policy_file: Path
) -> None:
    named = "spiffe://corp/admin"
    write_policy(policy_file, {"role": "admin", "principals": [f"cert:{named}"]})
    settings = {"enabled": True, "policy_file": policy_file}
    # Pairs are files by their names.
    (authority.ca_file.parent / named).parent.mkdir(parents=True)
    async with (
        start_node(tls={**tls, "client_ca_file": authority.ca_file}, access=settings) as node,
        secured(node.address, authority, authority.issue(named)) as stubs,
    ):
        with refused(S.UNAUTHENTICATED, "UNAUTHENTICATED"):
            await stubs.catalog.ListProjects(catalog.ListProjectsRequest())


@embedded
@pytest.mark.parametrize("wrong", ["missing", "no certificate", "another key"])
async def test_what_cannot_be_listened_with(
    start_node: StartNode, authority: Authority, tls: dict[str, Any], wrong: str
) -> None:
    match wrong:
        case "missing":
            tls["cert_file"].unlink()
        case "no certificate":
            tls["cert_file"].write_text("nonsense")
        case _:
            shutil.copy(authority.issue("other").key_file, tls["key_file"])
    with pytest.raises(Misconfigured, match=r"tls\.cert_file"):
        async with start_node(tls=tls):
            pass


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"listen": "0.0.0.0:0"}, "`tls` and `access`"),
        ({"listen": "0.0.0.0:0", "access": {"enabled": True}}, "without `tls`"),
        ({"listen": "0.0.0.0:0", "tls": {"cert_file": "a", "key_file": "b"}}, "without `access`"),
        ({"tls": {"cert_file": "a"}}, "go together"),
        ({"tls": {"client_ca_file": "a"}}, "needs `cert_file`"),
        ({"access": {"policy_file": "a"}}, "enabled"),
    ],
)
def test_settings_that_let_in_too_many(settings: dict[str, Any], match: str) -> None:
    with pytest.raises(Misconfigured, match=match):
        load_settings(None, settings)


def test_others_may_reach_a_node_with_both() -> None:
    load_settings(
        None,
        {
            "listen": "0.0.0.0:0",
            "tls": {"cert_file": "a", "key_file": "b"},
            "access": {"enabled": True},
        },
    )
