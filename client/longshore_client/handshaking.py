"""Why a server could not be connected to: a look by a handshake of Python's own, after gRPC's has failed.

gRPC tells most of these mistakes by the same few words ("Socket closed"). A look takes seconds at most, is
made on the way to an error only, sends nothing but the handshake, and no token.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import TYPE_CHECKING, Final

from .certificates import can_be_read_again, trusting
from .errors import ConnectionEnded, HandshakeFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .certificates import Certificates
    from .credentials import Credentials

_PATIENCE_S: Final = 3.0
# A server of gRPC speaks as soon as the handshake is done, or ends the connection.
_FIRST_BYTE_WITHIN_S: Final = 1.0
_MOST_NAMES: Final = 5
_ROOTS_VARIABLE: Final = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"
# What OpenSSL's verification ends with (X509_V_ERR_…).
_EXPIRED, _NOT_YET_VALID, _SELF_SIGNED = 10, 9, 18
_OTHER_NAMES: Final = (62, 64)
_UNKNOWN_AUTHORITY: Final = (19, 20, 21)
_NO_TLS: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")


async def mistake_about_tls(
    address: str, credentials: Credentials, certificates: Certificates, *, distrusted: bool
) -> HandshakeFailed | ConnectionEnded | None:
    """What server and client do not agree about; None where it is nothing of that kind, or cannot be told.

    ``distrusted``: gRPC did not trust the server's certificate. It knows other authorities than this system.
    """
    try:
        async with asyncio.timeout(_PATIENCE_S):
            if not credentials.encrypted:
                return await _mistake_in_plain(address)
            mistake = await _mistake_encrypted(address, credentials, certificates)
    except (TimeoutError, OSError, UnicodeError):
        # A name that can be none is among them.
        return None
    return _unknown_authority(address, credentials) if mistake is None and distrusted else mistake


async def _mistake_in_plain(address: str) -> HandshakeFailed | None:
    try:
        await _handshake(address, _trusting_anybody())
    except ssl.SSLError as error:
        if "ALERT" not in (error.reason or ""):
            return None
    return _failed(
        f"the server at {address} takes encrypted connections only",
        "connect with --tls, or with --ca FILE where its certificate is by an authority of your own",
    )


async def _mistake_encrypted(
    address: str, credentials: Credentials, certificates: Certificates
) -> HandshakeFailed | ConnectionEnded | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if certificates.authorities is not None:
        context = trusting(certificates.authorities)
    else:
        context.load_default_certs()
        if roots := os.environ.get(_ROOTS_VARIABLE):
            # What gRPC trusts in place of the authorities that it brings.
            context.load_verify_locations(roots)
    if credentials.cert_file is not None and credentials.key_file is not None:
        if not can_be_read_again(credentials.cert_file, credentials.key_file):
            return None
        context.load_cert_chain(credentials.cert_file, credentials.key_file, password="")
    try:
        ended = await _handshake(address, context)
    except ssl.SSLCertVerificationError as error:
        return await _mistake_of_certificate(address, error, context, credentials)
    except ssl.SSLError as error:
        if error.reason in _NO_TLS:
            return _failed(
                f"the server at {address} does not speak TLS",
                "leave --tls, --ca and --cert out, also of context and variables; or name another port",
            )
        return _refused(address, credentials) if "ALERT" in (error.reason or "") else None
    return ConnectionEnded(f"the server at {address} ends encrypted connections at once") if ended else None


async def _mistake_of_certificate(
    address: str, error: ssl.SSLCertVerificationError, context: ssl.SSLContext, credentials: Credentials
) -> HandshakeFailed:
    what = f"the certificate of the server at {address}"
    match error.verify_code:
        case code if code in _OTHER_NAMES:
            names = await _names_in_certificate(address, context)
            told = f"{what} is for {', '.join(names)}" if names else f"{what} is for another name"
            return _failed(told, "name the server with --server as its certificate does")
        case code if code == _EXPIRED:
            return _failed(f"{what}, or its authority's, has expired", "have the server's renewed")
        case code if code == _NOT_YET_VALID:
            return _failed(f"{what} is not valid yet", "look at the clocks of both machines")
        case code if code == _SELF_SIGNED:
            return _failed(
                f"{what} is signed by itself, and not trusted", "if you do trust it, name it with --ca FILE"
            )
        case code if code in _UNKNOWN_AUTHORITY:
            return _unknown_authority(address, credentials)
        case _:
            return _failed(f"{what} is not trusted: {error.verify_message}", "have the server's renewed")


def _unknown_authority(address: str, credentials: Credentials) -> HandshakeFailed:
    """The server's certificate is by an authority that is not trusted."""
    by = f"the authority in {credentials.ca_file}" if credentials.ca_file else "a public authority"
    advice = "name its own with --ca FILE"
    return _failed(
        f"the certificate of the server at {address} is not by {by}",
        advice if credentials.ca_file else f"{advice}; those that only this system knows do not count",
    )


def _refused(address: str, credentials: Credentials) -> HandshakeFailed:
    if credentials.cert_file is None:
        return _failed(
            f"the server at {address} wants a certificate of its clients", "show one with --cert and --key"
        )
    return _failed(
        f"the server at {address} does not take the certificate {credentials.cert_file}",
        "show one with --cert that is not expired and by an authority that the server trusts",
    )


def _failed(told: str, advice: str) -> HandshakeFailed:
    error = HandshakeFailed(told)
    error.add_note(f"what to do: {advice}")
    return error


async def _handshake(address: str, context: ssl.SSLContext) -> bool:
    """Whether the server ends the connection behind it, without a word.

    Raises ``ssl.SSLError``, and ``OSError`` where nobody answers.
    """
    reader, writer = await _connected(address, context)
    try:
        async with asyncio.timeout(_FIRST_BYTE_WITHIN_S):
            return not await reader.read(1)
    except TimeoutError:
        return False
    finally:
        writer.transport.abort()


async def _names_in_certificate(address: str, context: ssl.SSLContext) -> Sequence[str]:
    """The names that a certificate of a trusted authority is for."""
    context.check_hostname = False
    _, writer = await _connected(address, context)
    certificate = writer.get_extra_info("peercert") or {}
    writer.transport.abort()
    return [str(name) for _, name in certificate.get("subjectAltName", ())][:_MOST_NAMES]


async def _connected(
    address: str, context: ssl.SSLContext
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = address.rpartition(":")
    context.set_alpn_protocols(["h2"])
    host = host.strip("[]")
    return await asyncio.open_connection(host, int(port), ssl=context, server_hostname=host)


def _trusting_anybody() -> ssl.SSLContext:
    """For a look at who would not be trusted either way: it is told nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
