"""Where forges tell of pushes: HTTP, with everything bounded before anything is believed.

``POST /hooks/NAME``, of at most 4 MiB; ``bounded_http`` sees to the rest. Nothing of a body is parsed before
it is found genuine, and only what is genuine and new counts against how many are taken.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

import structlog

from longshore_server.bounded_http import REQUEST_S, open_http
from longshore_server.settings import PushHookSettings, PushSettings, TlsSettings
from longshore_server.signing import read_secret
from longshore_storage.errors import Misconfigured, StorageError

from .deploying import PushDeployments, TooManyPushes, TooOftenPushed
from .forges import NotUnderstood, is_genuine, push_of
from .minute import Minute

_log = structlog.get_logger(__name__)

_PATH: Final = "/hooks/"
_LARGEST_BODY_BYTES: Final = 4 << 20
_LOGGED_A_MINUTE: Final = 30


class _Answered(Exception):
    """What is answered to a request that goes no further."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class PushDoor:
    """What is answered to a request, whatever brought it here."""

    def __init__(
        self, settings: PushSettings, deployments: PushDeployments, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._hooks = {hook.name: hook for hook in settings.hooks}
        for hook in settings.hooks:
            read_secret(hook.secret_file, "push.hooks.secret_file")
        self._deployments = deployments
        self._loop = loop
        self._refused = Minute(_LOGGED_A_MINUTE)

    def hook(self, path: str) -> PushHookSettings:
        """The hook that a request is for. Raises ``_Answered``."""
        hook = self._hooks.get(path.removeprefix(_PATH)) if path.startswith(_PATH) else None
        if hook is None:
            raise _Answered(HTTPStatus.NOT_FOUND, "there is no such hook")
        return hook

    def answer(
        self, hook: PushHookSettings, headers: Mapping[str, str], body: bytes, peer: str
    ) -> tuple[HTTPStatus, dict[str, Any]]:
        """Deploy what was pushed. Raises ``_Answered``; blocks while the node's event loop is at it."""
        try:
            secret = read_secret(hook.secret_file, "push.hooks.secret_file")
        except Misconfigured as error:
            _log.error("push.no_secret", hook=hook.name, error=str(error))
            raise _Answered(HTTPStatus.SERVICE_UNAVAILABLE, "its secret cannot be read here") from error
        if not is_genuine(hook, secret, headers, body, now_s=time.time()):
            if self._refused.count():
                _log.warning("push.refused", hook=hook.name, peer=peer)
            raise _Answered(HTTPStatus.UNAUTHORIZED, "it is not signed with the hook's secret")
        try:
            push = push_of(hook, secret, headers, body)
        except NotUnderstood as error:
            raise _Answered(HTTPStatus.BAD_REQUEST, str(error)) from error
        if isinstance(push, str):
            return HTTPStatus.OK, {"ignored": push}
        started = asyncio.run_coroutine_threadsafe(self._deployments.start(hook, push, peer), self._loop)
        try:
            new = started.result(REQUEST_S)
        except TooOftenPushed as error:
            raise _Answered(
                HTTPStatus.TOO_MANY_REQUESTS, "too many pushes: come again in a minute"
            ) from error
        except (TooManyPushes, StorageError, TimeoutError) as error:
            started.cancel()
            raise _Answered(HTTPStatus.SERVICE_UNAVAILABLE, "not just now: come again later") from error
        return HTTPStatus.ACCEPTED, {"deployment_id": push.deployment_id, "new": new}


def open_push_endpoint(
    settings: PushSettings, tls: TlsSettings, deployments: PushDeployments
) -> AbstractContextManager[str]:
    """Listen while the block runs; gives the address. Raises ``Misconfigured`` where nobody can."""
    door = PushDoor(settings, deployments, asyncio.get_running_loop())
    return open_http(settings.listen, partial(_Handler, door), setting="push.listen", tls=tls)


class _Handler(BaseHTTPRequestHandler):
    server_version = "longshore"
    sys_version = ""

    def __init__(self, door: PushDoor, *connection: Any) -> None:
        self._door = door
        super().__init__(*connection)

    def do_POST(self) -> None:
        """Take a push."""
        try:
            hook = self._door.hook(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, told = self._door.answer(hook, headers, self._body(headers), self._peer())
        except _Answered as answered:
            status, told = answered.status, {"error": str(answered)}
        self._tell(status, told)

    def _body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise _Answered(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send application/json")
        length = headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()) or "transfer-encoding" in headers:
            raise _Answered(HTTPStatus.LENGTH_REQUIRED, "send Content-Length")
        if len(length) > 9 or int(length) > _LARGEST_BODY_BYTES:
            raise _Answered(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {_LARGEST_BODY_BYTES} bytes"
            )
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            raise _Answered(HTTPStatus.BAD_REQUEST, "the body ended early")
        return body

    def _peer(self) -> str:
        host, port = self.client_address[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def _tell(self, status: HTTPStatus, told: Mapping[str, Any]) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """What matters is logged elsewhere."""
