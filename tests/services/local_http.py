"""HTTP to services on this machine: never through a proxy, never for long, and OSError for all that fails."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from typing import Any


class RefusedError(OSError):
    """The service answered with a status of 400 or above; ``text`` is what it said."""

    def __init__(self, url: str, status: int, text: str) -> None:
        super().__init__(f"{url} answers {status}: {text}")
        self.status = status
        self.text = text


def ask(
    url: str,
    body: dict[str, Any] | None = None,
    *,
    method: str | None = None,
    headers: dict[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    timeout_s: float = 5,
) -> Any:
    """The JSON answer to a GET, or to a POST of ``body`` as JSON; None when the answer is empty.

    A status of 400 or above is a RefusedError.
    """
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers or {}, method=method)
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if tls is not None:
        handlers.append(urllib.request.HTTPSHandler(context=tls))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout_s) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            raise RefusedError(url, error.code, error.read().decode(errors="replace")) from None
    except http.client.HTTPException as error:
        raise ConnectionError(f"{url}: {error!r}") from error
    return json.loads(text) if text else None
