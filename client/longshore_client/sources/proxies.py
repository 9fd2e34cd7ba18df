"""The proxies that this machine's environment names: ``https_proxy``, ``http_proxy``, ``all_proxy``, "
"``no_proxy``."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from urllib3.util import make_headers

from longshore_client.source_errors import SourceRefused

from .urls import Origin, host_header, shown_url

_DEFAULT_PORT = 80


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy; ``credentials`` are ``USER:PASSWORD`` or empty."""

    host: str
    port: int
    credentials: str

    def headers(self) -> dict[str, str]:
        """What is told to the proxy, and to nobody else."""
        return dict(make_headers(proxy_basic_auth=self.credentials)) if self.credentials else {}


def proxy_for(origin: Origin) -> Proxy | None:
    """The proxy on the way to a server, if there is one. Raises ``SourceRefused`` for one that is not "
    "spoken to."""
    if origin.scheme == "ssh":
        return None
    named = getproxies_environment()
    url = named.get(origin.scheme) or named.get("all", "")
    if not url or proxy_bypass(host_header(origin)):
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port or _DEFAULT_PORT
    except ValueError:
        host = None
    if not host or parts.scheme != "http":
        raise SourceRefused(
            f"the environment names {shown_url(url)} as the proxy for {origin.scheme}: write "
            f"http://HOST:PORT, or put {origin.host} into no_proxy"
        )
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Proxy(host, port, f"{user}:{password}" if user else "")
