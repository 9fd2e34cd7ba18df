"""The gRPC port's certificate: read again when its files have changed, so that renewing needs no restart."""

from __future__ import annotations

import math
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import grpc
import structlog
from cryptography import x509

from longshore_storage.errors import Misconfigured

from .file_state import file_state
from .settings import TlsSettings

_log = structlog.get_logger(__name__)
_LARGEST_FILE_BYTES: Final = 1 << 20
# Time enough for a person to renew it; the alert of `deploy/monitoring` has the same.
_SOON: Final = timedelta(days=14)


class Dated(NamedTuple):
    """When all of a file's certificates are good together, or any of it where they are authorities."""

    begin: datetime
    end: datetime

    def fault(self, now: datetime) -> str:
        """Why nobody takes it now; empty where it is good."""
        if now < self.begin:
            return f"is good from {_told(self.begin)} on only: nobody takes it until then"
        if now >= self.end:
            return f"expired at {_told(self.end)}: nobody takes it"
        return ""

    def warning(self, now: datetime) -> str:
        """That it is good for less than two weeks; empty where it is for longer."""
        return f"expires at {_told(self.end)}" if now > self.end - _SOON else ""


def server_credentials(tls: TlsSettings) -> grpc.ServerCredentials | None:
    """What the port listens with; None without TLS. Raises ``Misconfigured``."""
    if tls.cert_file is None or tls.key_file is None:
        return None
    certificate = _Certificate(tls.cert_file, tls.key_file, tls.client_ca_file)
    configuration = certificate.read()
    certificate.tell_dates()
    return grpc.dynamic_ssl_server_credentials(
        configuration,
        # None says that nothing has changed, which the stubs do not know.
        certificate.reread,  # type: ignore[arg-type]
        require_client_authentication=tls.client_ca_file is not None,
    )


def check_certificate(tls: TlsSettings) -> None:
    """Look at the certificate as a start would, without its dates. Raises ``Misconfigured``."""
    if tls.cert_file is not None and tls.key_file is not None:
        _Certificate(tls.cert_file, tls.key_file, tls.client_ca_file).read()


def expires_at_s(cert_file: Path) -> float:
    """When the first certificate of a file expires, in seconds since the epoch; NaN if nobody knows."""
    dated = dates_of(cert_file)
    return dated.end.timestamp() if dated is not None else math.nan


def dates_of(path: Path, *, authorities: bool = False) -> Dated | None:
    """From when to when a PEM file's certificates are good; None if nobody knows.

    A chain is as good as its worst certificate, and of several ``authorities`` one is enough.
    """
    try:
        certificates = x509.load_pem_x509_certificates(_content(path, "tls.cert_file"))
    except (Misconfigured, ValueError):
        return None
    begins = [one.not_valid_before_utc for one in certificates]
    ends = [one.not_valid_after_utc for one in certificates]
    return Dated(min(begins), max(ends)) if authorities else Dated(max(begins), min(ends))


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
        self.tell_dates()
        return configuration

    def tell_dates(self) -> None:
        """Log that the certificate has expired, or soon will. Raises nothing."""
        dated, now = dates_of(self._cert_file), datetime.now(UTC)
        if dated is None:
            return
        if fault := dated.fault(now):
            _log.warning("tls.not_good", cert_file=str(self._cert_file), why=fault)
        elif warning := dated.warning(now):
            _log.warning("tls.expires_soon", cert_file=str(self._cert_file), why=warning)

    def _look(self) -> object:
        """What changes when one of the files does."""
        return [file_state(path) for path in (self._cert_file, self._key_file, self._client_ca_file) if path]


def _content(path: Path, setting: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_FILE_BYTES)
    except OSError as error:
        raise Misconfigured(f"{path} (`{setting}`) cannot be read: {error.strerror}") from error


def _told(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _no_password() -> str:
    """An encrypted key would have OpenSSL ask on the terminal."""
    return ""
