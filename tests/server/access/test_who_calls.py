"""Tokens of issuers: good ones let in, and every way of cheating that is known does not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt import api_jws as jws
from jwt.algorithms import RSAAlgorithm
from structlog.testing import capture_logs

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import cluster_service_pb2 as cluster
from longshore_server.access.json_web_tokens import JsonWebTokens
from longshore_server.access.static_tokens import make_token
from longshore_server.refusal import Reason, Refusal
from longshore_server.settings import IssuerSettings
from tests.server.calls import refused
from tests.server.running import RunningNode, embedded

from .issuer import ISSUER, Issuer, bearer
from .policies import write_policy

INFO = cluster.GetServerInfoRequest()
LIST = catalog.ListProjectsRequest()
S = grpc.StatusCode


@embedded
async def test_a_good_token(guarded: RunningNode, issuer: Issuer) -> None:
    answer = await guarded.cluster.GetServerInfo(INFO, metadata=bearer(issuer.token("alice")))
    assert answer.server_version


@embedded
async def test_nothing_without_one(guarded: RunningNode) -> None:
    with refused(S.UNAUTHENTICATED, "UNAUTHENTICATED") as told:
        await guarded.cluster.GetServerInfo(INFO)
    assert "LONGSHORE_TOKEN" in told.message


@embedded
async def test_a_stranger_is_not_told_where_the_database_is(guarded: RunningNode) -> None:
    database = sqlite3.connect(guarded.data_dir / "longshore.db", isolation_level=None)
    try:
        # As though it were gone: what is read of tokens fails.
        database.execute("ALTER TABLE access_token RENAME TO gone")
        with capture_logs() as logged, refused(S.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE") as told:
            await guarded.cluster.GetServerInfo(INFO, metadata=bearer(make_token().text))
    finally:
        database.execute("ALTER TABLE gone RENAME TO access_token")
        database.close()
    assert told.message.startswith("this server cannot verify who calls just now")
    assert told.retry_after_s
    (line,) = [line for line in logged if line["event"] == "access.not_verified"]
    assert "longshore.db" in str(line)
    with refused(S.UNAUTHENTICATED, "UNAUTHENTICATED"):
        await guarded.cluster.GetServerInfo(INFO, metadata=bearer(make_token().text))


def _segment(value: dict[str, Any] | str) -> str:
    raw = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def _unsigned(issuer: Issuer) -> str:
    return f"{_segment({'alg': 'none', 'typ': 'JWT'})}.{_segment(issuer.claims('root'))}."


def _public_key_as_secret(issuer: Issuer) -> str:
    """Algorithm confusion: HS256 by the key that everybody knows."""
    public = issuer.keys[issuer.current].public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()
    body = f"{_segment({'alg': 'HS256', 'kid': issuer.current})}.{_segment(issuer.claims('root'))}"
    signature = hmac.new(pem.encode(), body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _of_another_key(issuer: Issuer) -> str:
    other = Issuer(issuer.jwks_file.parent / "other")
    return other.token("root")


def _with_a_key_inside(issuer: Issuer) -> str:
    """A token that brings the key along by which it is to be verified."""
    key = rsa.generate_private_key(65537, 2048)
    return jwt.encode(
        issuer.claims("root"),
        key,
        algorithm="RS256",
        headers={
            "jwk": RSAAlgorithm.to_jwk(key.public_key(), as_dict=True),
            "jku": "https://evil.example/keys",
        },
    )


def _tampered(issuer: Issuer) -> str:
    header, _, signature = issuer.token("alice").split(".")
    return f"{header}.{_segment(issuer.claims('root'))}.{signature}"


CHEATS: Final[dict[str, Callable[[Issuer], str]]] = {
    "none": _unsigned,
    "none in capitals": lambda issuer: _unsigned(issuer).replace(
        _segment({"alg": "none", "typ": "JWT"}), _segment({"alg": "NONE", "typ": "JWT"})
    ),
    "algorithm confusion": _public_key_as_secret,
    "another key": _of_another_key,
    "a key inside": _with_a_key_inside,
    "tampered": _tampered,
    "no signature": lambda issuer: issuer.token("root").rpartition(".")[0] + ".",
    "expired": lambda issuer: issuer.token("root", good_for_s=-1),
    "not yet valid": lambda issuer: issuer.token("root", nbf=time.time() + 600),
    "another audience": lambda issuer: issuer.token("root", aud="somebody else"),
    "no audience": lambda issuer: issuer.token("root", aud=None),
    "another issuer": lambda issuer: issuer.token("root", iss="https://evil.example"),
    "issuers in a list": lambda issuer: jws.encode(
        json.dumps(issuer.claims("root", iss=[ISSUER])).encode(),
        issuer.keys[issuer.current],
        algorithm="RS256",
    ),
    "no expiry": lambda issuer: issuer.token("root", exp=None),
    "expiry of text": lambda issuer: issuer.token("root", exp="never"),
    "endless expiry": lambda issuer: issuer.token("root", exp=float("inf")),
    "an expiry beyond all numbers": lambda issuer: issuer.token("root", exp=10**400),
    "an unknown key id": lambda issuer: jwt.encode(
        issuer.claims("root"), issuer.keys[issuer.current], algorithm="RS256", headers={"kid": "other"}
    ),
    "a subject that is no text": lambda issuer: issuer.token("root", sub={"name": "root"}),
    "an empty subject": lambda issuer: issuer.token(""),
    "a node's name": lambda issuer: issuer.token("node:one"),
    "a certificate's name": lambda issuer: issuer.token("cert:root"),
    "a static token's name": lambda issuer: issuer.token("TOKEN:root"),
    "anonymous": lambda issuer: issuer.token("anonymous"),
    "whoever is on the node itself": lambda issuer: issuer.token("Admin"),
    "who showed nothing": lambda issuer: issuer.token("unknown"),
    "a line break": lambda issuer: issuer.token("root\nadmin"),
    "a C1 control": lambda issuer: issuer.token("root\x9b1m"),
    "a space without width": lambda issuer: issuer.token("ro\u200bot"),
    "a letter and its accent": lambda issuer: issuer.token("rene\u0301"),
    "a text turned round": lambda issuer: issuer.token("\u202etoor"),
    "a space of another kind": lambda issuer: issuer.token("root\u00a0admin"),
    "a space at the end": lambda issuer: issuer.token("root "),
    "text": lambda issuer: "root",
    "dots": lambda issuer: "..",
    "nested": lambda issuer: f"{_segment('[' * 1000)}.{_segment('{}')}.x",
}


@pytest.mark.parametrize("cheat", CHEATS)
async def test_cheats(issuer: Issuer, cheat: str) -> None:
    """By what a node verifies tokens with: a node lets each address try fewer and fewer of them."""
    (issuer.jwks_file.parent / "other").mkdir()
    token = CHEATS[cheat](issuer)
    verifier = JsonWebTokens([IssuerSettings(**issuer.settings)])
    with pytest.raises(Refusal) as caught:
        await verifier.verify(token)
    assert caught.value.reason is Reason.UNAUTHENTICATED
    assert len(token) < 5 or token not in caught.value.message
    identity = await verifier.verify(issuer.token("root"))
    assert identity.principal == "root"


@embedded
async def test_cheats_meet_a_closed_door(guarded: RunningNode, issuer: Issuer) -> None:
    for token in (_unsigned(issuer), "longshore_0123456789abcdef_" + "A" * 43, "x" * 7000):
        with refused(S.UNAUTHENTICATED, "UNAUTHENTICATED") as told:
            await guarded.catalog.ListProjects(LIST, metadata=bearer(token))
        assert token not in told.message


@embedded
async def test_headers_that_are_no_bearer(guarded: RunningNode) -> None:
    for value in ("Basic cm9vdDpyb290", "Bearer", ""):
        with refused(S.UNAUTHENTICATED, "UNAUTHENTICATED") as told:
            await guarded.catalog.ListProjects(LIST, metadata=(("authorization", value),))
        assert "Bearer TOKEN" in told.message


@embedded
async def test_two_tokens_are_none(guarded: RunningNode, issuer: Issuer) -> None:
    both = bearer(issuer.token("root")) + bearer(issuer.token("alice"))
    with refused(S.UNAUTHENTICATED, "UNAUTHENTICATED") as told:
        await guarded.catalog.ListProjects(LIST, metadata=both)
    assert "more than one" in told.message


@embedded
async def test_keys_are_rotated(guarded: RunningNode, issuer: Issuer) -> None:
    before = issuer.token("root")
    await guarded.catalog.ListProjects(LIST, metadata=bearer(before))
    issuer.rotate("second", keep=["first"])
    # The unknown key has the set read again, once that is old enough.
    await let_in(guarded, issuer.token("root"))
    await guarded.catalog.ListProjects(LIST, metadata=bearer(before))


@embedded
async def test_groups_of_a_token_have_roles(guarded: RunningNode, issuer: Issuer, policy_file: Path) -> None:
    token = issuer.token("bob", groups=["team-a", "release-managers"])
    with refused(S.PERMISSION_DENIED, "PERMISSION_DENIED") as told:
        await guarded.catalog.ListProjects(LIST, metadata=bearer(token))
    assert "bob needs the permission deployment.read" in told.message
    write_policy(policy_file, {"role": "viewer", "groups": ["release-*"]})
    await let_in(guarded, token)


async def let_in(node: RunningNode, token: str) -> None:
    """Return when the token's bearer may list projects."""
    async with asyncio.timeout(20):
        while True:
            with suppress(grpc.aio.AioRpcError):
                await node.catalog.ListProjects(LIST, metadata=bearer(token))
                return
            await asyncio.sleep(0.05)
