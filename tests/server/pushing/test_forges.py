"""Whether a request is genuine, and what was pushed, forge by forge."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from longshore_server.pushing.forges import NotUnderstood, Push, is_genuine, push_of
from longshore_server.settings import PushHookSettings
from longshore_server.signing import signature

SECRET = b"It's a Secret to Everybody"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
NOW_S = 1_800_000_000


def hook(forge: str) -> PushHookSettings:
    return PushHookSettings.model_validate(
        {
            "name": "web",
            "forge": forge,
            "secret_file": "secret",
            "source": "https://forge.example/web.git",
            "project": "web",
        }
    )


def body_of(**values: Any) -> bytes:
    return json.dumps({"ref": "refs/heads/main", "after": COMMIT, "commit": COMMIT, **values}).encode()


def headers_of(forge: str, body: bytes, secret: bytes = SECRET) -> dict[str, str]:
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return {
        "github": {"x-github-event": "push", "x-hub-signature-256": f"sha256={digest}"},
        "gitea": {"x-gitea-event": "push", "x-gitea-signature": digest},
        "gitlab": {"x-gitlab-event": "Push Hook", "x-gitlab-token": secret.decode()},
        "generic": {"longshore-signature": signature(secret, NOW_S, body)},
    }[forge]


FORGES = pytest.mark.parametrize("forge", ["github", "gitea", "gitlab", "generic"])


def test_githubs_own_example() -> None:
    """From GitHub's documentation of webhooks."""
    digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"x-hub-signature-256": f"sha256={digest}"}
    assert is_genuine(hook("github"), SECRET, headers, b"Hello, World!", now_s=NOW_S)


@FORGES
def test_what_the_forge_signs_is_genuine_and_deploys(forge: str) -> None:
    body = body_of()
    headers = headers_of(forge, body)
    assert is_genuine(hook(forge), SECRET, headers, body, now_s=NOW_S)
    push = push_of(hook(forge), SECRET, headers, body)
    assert isinstance(push, Push)
    assert push.commit == COMMIT


@FORGES
def test_what_another_signs_or_nobody_is_not(forge: str) -> None:
    body = body_of()
    forged = headers_of(forge, body, b"another secret that is long")
    assert not is_genuine(hook(forge), SECRET, forged, body, now_s=NOW_S)
    assert not is_genuine(hook(forge), SECRET, {}, body, now_s=NOW_S)
    for name in headers_of(forge, body):
        nonsense = {**headers_of(forge, body), name: "\xe4\u20ac"}
        assert name.endswith("event") or not is_genuine(hook(forge), SECRET, nonsense, body, now_s=NOW_S)


@pytest.mark.parametrize("forge", ["github", "gitea", "generic"])
def test_a_changed_body_is_not(forge: str) -> None:
    assert not is_genuine(
        hook(forge), SECRET, headers_of(forge, body_of()), body_of(after="f" * 40), now_s=NOW_S
    )


def test_what_was_signed_long_ago_is_not() -> None:
    body = body_of()
    headers = headers_of("generic", body)
    assert is_genuine(hook("generic"), SECRET, headers, body, now_s=NOW_S + 299)
    assert not is_genuine(hook("generic"), SECRET, headers, body, now_s=NOW_S + 301)
    assert not is_genuine(hook("generic"), SECRET, headers, body, now_s=NOW_S - 301)


@FORGES
def test_a_delivery_is_known_again_by_its_body_and_by_nothing_that_is_not_signed(forge: str) -> None:
    body = body_of(before="1" * 40)
    headers = headers_of(forge, body)
    again = {**headers, "x-github-delivery": "another", "x-gitlab-event-uuid": "another"}
    first = push_of(hook(forge), SECRET, headers, body)
    assert push_of(hook(forge), SECRET, again, body) == first
    assert push_of(hook(forge), SECRET, headers, body_of(before="2" * 40)) != first
    # Nobody else can tell its id before it comes.
    assert push_of(hook(forge), b"another", headers, body) != first


@FORGES
@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"ref": "refs/heads/other"}, "it is not to refs/heads/main"),
        ({"ref": "refs/heads/main2"}, "it is not to refs/heads/main"),
        ({"after": "0" * 40, "commit": "0" * 40}, "refs/heads/main was removed"),
    ],
)
def test_other_pushes_deploy_nothing(forge: str, values: dict[str, Any], why: str) -> None:
    body = body_of(**values)
    assert push_of(hook(forge), SECRET, headers_of(forge, body), body) == why


@pytest.mark.parametrize("forge", ["github", "gitea", "gitlab"])
def test_other_events_deploy_nothing(forge: str) -> None:
    headers = dict.fromkeys(headers_of(forge, b""), "ping")
    assert push_of(hook(forge), SECRET, headers, b"{}") == "it is no push"


@FORGES
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        body_of(ref=7),
        body_of(after="main", commit="main"),
        body_of(after="--upload-pack=evil", commit="--upload-pack=evil"),
        body_of(after=COMMIT + "\n", commit=COMMIT + "\n"),
    ],
    ids=["empty", "list", "bytes", "deep", "ref", "branch", "option", "line"],
)
def test_nonsense_is_told(forge: str, body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        push_of(hook(forge), SECRET, headers_of(forge, body), body)


@pytest.mark.parametrize(
    "source",
    [
        "https://user:password@forge.example/web.git",
        "https://token@forge.example/web.git",
        "http://forge.example/web.git",
        "https://forge.example/web.git#main",
        "ext::sh -c evil",
        "--upload-pack=evil",
        "https://forge.example/",
    ],
)
def test_a_source_is_an_address_without_credentials(source: str) -> None:
    with pytest.raises(ValueError, match="source"):
        PushHookSettings(name="web", forge="github", secret_file=Path("s"), source=source, project="web")
