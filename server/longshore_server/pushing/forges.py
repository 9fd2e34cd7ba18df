"""What forges send: whether it is genuine, and what was pushed. Pure: no network, no clock of its own.

==========  ======================================  =======================  =================
forge       genuine by                              a push is told by        commit
==========  ======================================  =======================  =================
``github``  ``X-Hub-Signature-256: sha256=HEX``     ``X-GitHub-Event``       ``after``
``gitea``   ``X-Gitea-Signature: HEX``              ``X-Gitea-Event``        ``after``
``gitlab``  ``X-Gitlab-Token``, the secret itself   ``X-Gitlab-Event``       ``after``
``generic`` ``Longshore-Signature: t=TIME,v1=HEX``  nothing: it always is    ``commit``
==========  ======================================  =======================  =================

Nothing that is not signed counts: the id of a delivery is a header, and whoever has seen one request could
send it again under another id. So a push is known again by its body.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from longshore_server.settings import PushHookSettings
from longshore_server.signing import signature

_NAMESPACE: Final = uuid.UUID("8f0c2c5e-6f7b-5d0a-8a53-9d3c1f7f0a11")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SIGNED: Final = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")
_SIGNED_FOR_S: Final = 300
_EVENTS: Final = {
    "github": ("x-github-event", ("push",)),
    "gitea": ("x-gitea-event", ("push",)),
    "gitlab": ("x-gitlab-event", ("Push Hook", "Tag Push Hook")),
}


class NotUnderstood(Exception):
    """A genuine request that is no message of its forge."""


@dataclass(frozen=True, slots=True)
class Push:
    """A push that deploys: the commit, and the id that its deployment has however often it is told."""

    commit: str
    deployment_id: str


def is_genuine(
    hook: PushHookSettings, secret: bytes, headers: Mapping[str, str], body: bytes, *, now_s: float
) -> bool:
    """Whether whoever knows the secret has sent it; ``headers`` are named in lower case."""
    if hook.forge == "gitlab":
        return _same(headers.get("x-gitlab-token", ""), secret.decode("latin-1"))
    if hook.forge == "generic":
        given = headers.get("longshore-signature", "")
        match = _SIGNED.fullmatch(given)
        fresh = match is not None and abs(now_s - int(match[1])) <= _SIGNED_FOR_S
        return match is not None and _same(given, signature(secret, int(match[1]), body)) and fresh
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    if hook.forge == "gitea":
        return _same(headers.get("x-gitea-signature", ""), digest)
    return _same(headers.get("x-hub-signature-256", ""), f"sha256={digest}")


def push_of(hook: PushHookSettings, secret: bytes, headers: Mapping[str, str], body: bytes) -> Push | str:
    """The push that a genuine request tells of, or why it deploys nothing. Raises ``NotUnderstood``."""
    if hook.forge in _EVENTS:
        header, pushes = _EVENTS[hook.forge]
        if headers.get(header, "") not in pushes:
            return "it is no push"
    document = _object(body)
    ref = document.get("ref")
    commit = document.get("commit" if hook.forge == "generic" else "after")
    if not isinstance(ref, str) or not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise NotUnderstood("it names no ref, or no commit with all of its digits")
    if ref != hook.ref:
        return f"it is not to {hook.ref}"
    if not commit.strip("0"):
        return f"{hook.ref} was removed"
    # Whoever can guess what is told must not be first to use its id.
    told = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return Push(commit, str(uuid.uuid5(_NAMESPACE, f"{hook.name}\n{told}")))


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotUnderstood("its body is no JSON") from error
    if not isinstance(document, dict):
        raise NotUnderstood("its body is no JSON object")
    return document


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("latin-1", "replace"), expected.encode("latin-1", "replace"))
