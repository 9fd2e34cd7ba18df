"""How a client shows who it is, and by what it knows the server: certificates, and a token with each call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from .addresses import is_loopback
from .certificates import Certificates, read_certificates
from .errors import CredentialsUnusable

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a client connects with.

    With ``tls``, or any of the files, the connection is encrypted and the server's certificate verified: by
    ``ca_file`` (PEM), else by the authorities that gRPC trusts. ``cert_file`` and ``key_file`` are what the
    client shows. ``token`` goes with every call, as ``authorization: Bearer``; a function is asked for it
    anew each time, in a thread of gRPC's, so that one that expires can be replaced. It is never sent
    unencrypted but to this machine.
    """

    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    token: str | Callable[[], str] = ""

    def __post_init__(self) -> None:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together")
        if isinstance(self.token, str) and not (self.token.isascii() and self.token.isprintable()):
            raise ValueError("the token has characters that no token has: a line break, perhaps")

    def __repr__(self) -> str:
        token = "…" if self.token else "''"
        return (
            f"Credentials(tls={self.tls}, ca_file={self.ca_file}, cert_file={self.cert_file}, token={token})"
        )

    @property
    def encrypted(self) -> bool:
        """Whether connections are."""
        return self.tls or self.ca_file is not None or self.cert_file is not None


ANONYMOUS = Credentials()
"""Nothing: what a server on this machine takes that lets in everybody."""


def certificates_of(credentials: Credentials) -> Certificates:
    """What its files hold. Raises ``CredentialsUnusable``."""
    return read_certificates(credentials.ca_file, credentials.cert_file, credentials.key_file)


def open_channel(
    address: str, credentials: Credentials, certificates: Certificates, options: Sequence[tuple[str, Any]]
) -> grpc.aio.Channel:
    """A channel to a checked address. Raises ``CredentialsUnusable``."""
    if credentials.encrypted:
        transport = grpc.ssl_channel_credentials(
            certificates.authorities, certificates.key, certificates.certificate
        )
    elif not credentials.token:
        return grpc.aio.insecure_channel(address, options=options)
    elif is_loopback(address):
        transport = grpc.local_channel_credentials()
    else:
        raise CredentialsUnusable(
            f"the token is not sent to {address} unencrypted: connect with TLS (--tls, or --ca FILE where "
            "the server's certificate is by an authority of your own)"
        )
    if callable(credentials.token):
        asking = grpc.metadata_call_credentials(_Asking(credentials.token))
        transport = grpc.composite_channel_credentials(transport, asking)
    return grpc.aio.secure_channel(address, transport, options=options)


def shown_by(credentials: Credentials) -> tuple[tuple[str, str], ...]:
    """The metadata that has to go with each call on ``open_channel``'s channel: a token that stays the same.

    gRPC's own credentials would start a thread for each call to ask for it.
    """
    token = credentials.token
    return (("authorization", f"Bearer {token}"),) if token and isinstance(token, str) else ()


class _Asking(grpc.AuthMetadataPlugin):
    """Asks for the token of each call; what that raises ends the call."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def __call__(self, context: Any, callback: grpc.AuthMetadataPluginCallback) -> None:
        try:
            metadata = (("authorization", f"Bearer {self._token()}"),)
        except Exception as error:  # whatever it raises belongs to the call, not to gRPC's thread
            callback((), error)
        else:
            callback(metadata, None)
