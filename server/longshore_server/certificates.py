"""The gRPC port's certificate: read again when its files have changed, so that renewing needs no restart."""

from __future__ import annotations

import math
import ssl
from pathlib import Path
from typing import Final

import grpc
import structlog
from cryptography import x509

from longshore_storage.errors import Misconfigured

from .file_state import file_state
from .settings import TlsSettings

_log = structlog.get_logger(__name__)
_LARGEST_FILE_BYTES: Final = 1 << 20


def server_credentials(tls: TlsSettings) -> grpc.ServerCredentials | None:
    """What the port listens with; None without TLS. Raises ``Misconfigured``."""
    if tls.cert_file is None or tls.key_file is None:
        return None
    certificate = _Certificate(tls.cert_file, tls.key_file, tls.client_ca_file)
    return grpc.dynamic_ssl_server_credentials(
        certificate.read(),
        # None says that nothing has changed, which the stubs do not know.
        certificate.reread,  # type: ignore[arg-type]
        require_client_authentication=tls.client_ca_file is not None,
    )


def expires_at_s(cert_file: Path) -> float:
    """When the first certificate of a file expires, in seconds since the epoch; NaN if nobody knows."""
    try:
        certificates = x509.load_pem_x509_certificates(_content(cert_file, "tls.cert_file"))
    except (Misconfigured, ValueError):
        return math.nan
    return min(one.not_valid_after_utc.timestamp() for one in certificates)


class _Certificate:
    def __init__(self, cert_file: Path, key_file: Path, client_ca_file: Path | None) -> None:
        self._cert_file = cert_file
        self._key_file = key_file
        self._client_ca_file = client_ca_file
        self._states: object = None

    def read(self) -> grpc.ServerCertificateConfiguration:
        """The certificate as it is on disk. Raises ``Misconfigured`` for what cannot be listened with."""
        self._states = self._look()
        certificate = _content(self._cert_file, "tls.cert_file")
        key = _content(self._key_file, "tls.key_file")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self._cert_file, self._key_file, password=_no_password)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise Misconfigured(
                f"{self._cert_file} and {self._key_file} (`tls.cert_file`, `tls.key_file`) are no "
                f"certificate with its key, in PEM and without a password: {error}"
            ) from error
        authorities = None
        if self._client_ca_file is not None:
            authorities = _content(self._client_ca_file, "tls.client_ca_file")
            try:
                context.load_verify_locations(cadata=authorities.decode())
            except (ssl.SSLError, UnicodeDecodeError) as error:
                raise Misconfigured(
                    f"{self._client_ca_file} (`tls.client_ca_file`) has no certificates in PEM: {error}"
                ) from error
        return grpc.ssl_server_certificate_configuration([(key, certificate)], authorities)

    def reread(self) -> grpc.ServerCertificateConfiguration | None:
        """For a new connection: the certificate if its files have changed, else None. Raises nothing."""
        if self._look() == self._states:
            return None
        try:
            configuration = self.read()
        except Misconfigured as error:
            # Half of it was written, perhaps: the next connection looks again.
            self._states = None
            _log.error("tls.not_read", error=str(error), goes_on_with="the certificate before")
            return None
        _log.info("tls.read", cert_file=str(self._cert_file))
        return configuration

    def _look(self) -> object:
        """What changes when one of the files does."""
        return [file_state(path) for path in (self._cert_file, self._key_file, self._client_ca_file) if path]


def _content(path: Path, setting: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_FILE_BYTES)
    except OSError as error:
        raise Misconfigured(f"{path} (`{setting}`) cannot be read: {error.strerror}") from error


def _no_password() -> str:
    """An encrypted key would have OpenSSL ask on the terminal."""
    return ""
