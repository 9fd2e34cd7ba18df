"""From a URL and settings to a coordination client.

Owns what ``coordination.*`` settings may look like. Refuses settings that would be ignored. Opens no
connection: a service that is away now is no reason not to start.
"""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import grpc

from longshore_storage.errors import Misconfigured
from longshore_storage.ports import Coordination

from .etcd import EtcdCoordination
from .etcd_channel import EtcdConnection, User
from .local import LocalCoordination

_FORM = "local://, etcd://HOST:PORT[,HOST:PORT…]/PREFIX or etcds://… (TLS)"
_URL = re.compile(r"(?P<scheme>etcds?)://(?P<hosts>[^/]+)(?P<path>/.*)?")
_HOST = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._-]+)+")

_DEFAULT_PORT = 2379
_DEFAULT_PREFIX = "longshore"


def open_coordination(
    url: str,
    *,
    ca_file: str | Path | None = None,
    cert_file: str | Path | None = None,
    key_file: str | Path | None = None,
    user: str | None = None,
    password: str | None = None,
    lease_ttl_s: int = 15,
    holder: str = "",
) -> Coordination:
    """The client that ``url`` names: ``local://``, ``etcd://H:P,H:P/PREFIX`` or ``etcds://…`` (TLS).

    Args:
        url: the port is 2379 and the prefix ``longshore`` where they are left out.
        ca_file: PEM file of the CAs that signed the members' certificates; those that come with gRPC
            when None.
        cert_file: PEM file of a client certificate, where the members ask for one, with ``key_file``.
        key_file: PEM file of its private key.
        user: etcd's user, with ``password``.
        password: of that user.
        lease_ttl_s: how long, in seconds, a lock or a member outlives its owner; at least 2.
        holder: what stands in the locks that the client holds.

    Raises ``Misconfigured`` for what can be seen without asking the service. Needs a running event loop.
    """
    tls_files = {"ca_file": ca_file, "cert_file": cert_file, "key_file": key_file}
    if url == "local://":
        _refuse_unused({**tls_files, "user": user, "password": password}, url)
        return LocalCoordination(holder=holder)
    match = _URL.fullmatch(url)
    if match is None:
        raise Misconfigured(f"coordination.url: {_without_secret(url)!r} is not {_FORM}")
    if (user is None) != (password is None):
        raise Misconfigured("coordination.user and coordination.password: set both or neither")
    if lease_ttl_s < 2:
        raise Misconfigured(f"coordination.lease_s: {lease_ttl_s} is too short, the least is 2")
    addresses = [_address(host) for host in match["hosts"].split(",")]
    credentials = None
    if match["scheme"] == "etcds":
        credentials = _credentials(_file(ca_file), _file(cert_file), _file(key_file))
    else:
        _refuse_unused(tls_files, "etcd://")
    login = User(user, password) if user is not None and password is not None else None
    connection = EtcdConnection(addresses, credentials=credentials, user=login)
    return EtcdCoordination(connection, _prefix(match["path"]), lease_ttl_s=lease_ttl_s, holder=holder)


def _address(host: str) -> str:
    match = _HOST.fullmatch(host)
    if match is None or not 0 < int(match["port"] or _DEFAULT_PORT) < 65536:
        advice = "; give user and password as settings of their own" if "@" in host else ""
        raise Misconfigured(f"coordination.url: {_without_secret(host)!r} is not HOST:PORT{advice}")
    return f"{match['host']}:{match['port'] or _DEFAULT_PORT}"


def _prefix(path: str | None) -> str:
    path = (path or "").rstrip("/")
    if path and _PATH.fullmatch(path) is None:
        raise Misconfigured(f"coordination.url: the prefix {path!r} may hold only A-Z a-z 0-9 . _ - and /")
    return path.removeprefix("/") or _DEFAULT_PREFIX


def _without_secret(text: str) -> str:
    return re.sub(r"[^/,@]*@", "…@", text)


def _refuse_unused(settings: dict[str, str | Path | None], url: str) -> None:
    unused = [f"coordination.{name}" for name, value in settings.items() if value is not None]
    if unused:
        raise Misconfigured(f"{', '.join(unused)}: not used with {url}; remove it, or use etcds://…")


def _file(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)


def _credentials(ca: Path | None, cert: Path | None, key: Path | None) -> grpc.ChannelCredentials:
    """Read and try the files: gRPC itself would only fail to connect, and say little."""
    if (cert is None) != (key is None):
        raise Misconfigured("coordination.cert_file and coordination.key_file: set both or neither")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if ca is not None:
            context.load_verify_locations(ca)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(f"coordination.ca_file: {ca} holds no usable PEM certificate: {error}") from error
    try:
        if cert is not None:
            context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(
            f"coordination.cert_file and coordination.key_file: {cert} and {key} are not a PEM certificate "
            f"and its unencrypted key: {error}"
        ) from error
    roots, private_key, chain = (path.read_bytes() if path else None for path in (ca, key, cert))
    return grpc.ssl_channel_credentials(roots, private_key, chain)
