"""Who calls: shown by a bearer token, else by the certificate of the connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from longshore_server.refusal import Reason, Refusal

from .callers import CERTIFICATE_PREFIX, Identity, is_principal
from .json_web_tokens import JsonWebTokens, unknown_token
from .static_tokens import StaticTokens, is_static

_HEADER: Final = "authorization"
_SCHEME: Final = "bearer"
_LONGEST_TOKEN: Final = 8192
_COMMON_NAME: Final = "x509_common_name"


class Authenticator:
    """Tells who calls, by what comes along with the call."""

    def __init__(self, tokens: StaticTokens, issued: JsonWebTokens) -> None:
        self._tokens = tokens
        self._issued = issued

    async def identify(
        self, metadata: Sequence[tuple[str, str | bytes]], connection: Mapping[str, Sequence[bytes]]
    ) -> Identity:
        """Who it is. Raises ``Refusal``, with ``UNAUTHENTICATED`` where that is not shown.

        ``connection`` is what gRPC tells of a TLS connection. A token goes before the certificate: a gateway
        shows its own certificate and its callers' tokens.
        """
        given = [value for key, value in metadata if key == _HEADER]
        if len(given) > 1:
            raise Refusal(Reason.UNAUTHENTICATED, "the call has more than one `authorization`: send one")
        if given:
            token = _bearer(given[0])
            return await (self._tokens.verify(token) if is_static(token) else self._issued.verify(token))
        if (name := _certified(connection)) is not None:
            return Identity(name)
        raise Refusal(
            Reason.UNAUTHENTICATED,
            "this server has to know who calls: send a token as `authorization: Bearer TOKEN` (with "
            "`longshore`: LONGSHORE_TOKEN, or `longshore login`)",
        )


def _bearer(value: str | bytes) -> str:
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    scheme, _, token = text.partition(" ")
    token = token.strip()
    if scheme.casefold() != _SCHEME or not token:
        raise unknown_token("`authorization` must be `Bearer TOKEN`")
    if len(token) > _LONGEST_TOKEN or not token.isascii():
        raise unknown_token(f"it is longer than {_LONGEST_TOKEN} characters, or has others than ASCII")
    return token


def _certified(connection: Mapping[str, Sequence[Any]]) -> str | None:
    """The name in a client's certificate, which the TLS library has verified: its SPIFFE id, else its CN."""
    for key in ("peer_spiffe_id", _COMMON_NAME):
        for value in connection.get(key, ()):
            name = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
            # An authority that looks at ids may let anybody choose what else he is called.
            if is_principal(name) and not (key == _COMMON_NAME and "://" in name):
                return CERTIFICATE_PREFIX + name
    return None
