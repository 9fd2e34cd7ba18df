"""JSON Web Tokens of issuers that the settings name.

Who issued it is only claimed until the signature was verified, by that issuer's keys and with its algorithms
alone: so no token chooses how it is verified.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jwt
from jwt.exceptions import PyJWTError

from longshore_server.refusal import Reason, Refusal
from longshore_server.settings import IssuerSettings
from longshore_storage.errors import Misconfigured

from . import jwks
from .callers import Identity, is_principal

_REQUIRED: Final = ("exp", "iss", "aud")
_KEPT: Final = 4096
# A key that was taken out of its set is good for no longer.
_KEPT_FOR_S: Final = 60.0
_MOST_GROUPS: Final = 200
_LEAST_SECRET_BYTES: Final = 32


class JsonWebTokens:
    """Verifies tokens; what was verified is remembered for a while, so that most calls cost one look-up."""

    def __init__(self, issuers: Sequence[IssuerSettings]) -> None:
        self._issuers = {issuer.issuer: _Issuer(issuer) for issuer in issuers}
        self._verified: OrderedDict[bytes, tuple[float, Identity]] = OrderedDict()

    async def verify(self, token: str) -> Identity:
        """Whose token it is. Raises ``Refusal``."""
        digest = hashlib.sha256(token.encode()).digest()
        now = time.time()
        until, known = self._verified.get(digest, (0.0, None))
        if known is not None and now < until:
            return known
        issuer = self._issuers.get(_claimed_issuer(token))
        if issuer is None:
            raise unknown_token("its issuer (`iss`) is none of this server's")
        identity = await issuer.verify(token)
        self._verified[digest] = (min(now + _KEPT_FOR_S, identity.expires or now), identity)
        if len(self._verified) > _KEPT:
            self._verified.popitem(last=False)
        return identity


class _Issuer:
    def __init__(self, settings: IssuerSettings) -> None:
        self._settings = settings
        self._secret = b""
        self._keys: jwks.KeySet | None = None
        if settings.secret_file is not None:
            self._secret = _secret(settings)
        elif settings.jwks_file is not None:
            jwks.check_readable(settings.jwks_file, "access.issuers.jwks_file")
            read = jwks.from_file(settings.jwks_file)
            self._keys = jwks.KeySet(str(settings.jwks_file), read, fresh_s=1)
        else:
            read = jwks.from_url(settings.jwks_url, settings.ca_file)
            self._keys = jwks.KeySet(settings.issuer, read, fresh_s=settings.keys_fresh_s)

    async def verify(self, token: str) -> Identity:
        settings = self._settings
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                await self._key(token),
                algorithms=list(settings.algorithms),
                audience=settings.audience,
                issuer=settings.issuer,
                leeway=settings.leeway_s,
                options={"require": [*_REQUIRED, settings.principal_claim]},
            )
            return self._identity(claims)
        except PyJWTError as error:
            raise unknown_token(str(error)) from None
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
            # A key of another kind than the token's algorithm, claims of a wrong type.
            raise unknown_token("it is malformed") from None

    async def _key(self, token: str) -> Any:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in self._settings.algorithms:
            raise unknown_token("it is signed with an algorithm that its issuer does not use here")
        if self._keys is None:
            return self._secret
        key_id = header.get("kid", "")
        key = await self._keys.key(key_id if isinstance(key_id, str) else "")
        if key is None:
            raise unknown_token("its key (`kid`) is none of its issuer's")
        return key

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        settings = self._settings
        name = claims[settings.principal_claim]
        if not isinstance(name, str) or not is_principal(settings.prefix + name):
            raise unknown_token(f"its claim {settings.principal_claim!r} is no name for a principal here")
        groups = claims.get(settings.groups_claim, ())
        if isinstance(groups, str):
            groups = groups.split()
        named = [group for group in groups if isinstance(group, str)] if isinstance(groups, list) else []
        return Identity(
            settings.prefix + name,
            tuple(settings.prefix + group for group in named[:_MOST_GROUPS]),
            float(claims["exp"]) + settings.leeway_s,
        )


def unknown_token(why: str) -> Refusal:
    """The refusal of a token; never with any of it."""
    return Refusal(Reason.UNAUTHENTICATED, f"the token is not valid: {why}")


def _claimed_issuer(token: str) -> str:
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (PyJWTError, ValueError, TypeError, RecursionError):
        raise unknown_token("it is neither a JSON Web Token nor one that this server made") from None
    issuer = claims.get("iss", "")
    return issuer if isinstance(issuer, str) else ""


def _secret(settings: IssuerSettings) -> bytes:
    assert settings.secret_file is not None
    jwks.check_readable(settings.secret_file, "access.issuers.secret_file")
    secret = settings.secret_file.read_bytes().strip()
    if len(secret) < _LEAST_SECRET_BYTES:
        raise Misconfigured(
            f"{settings.secret_file} (`access.issuers.secret_file`): a secret has at least "
            f"{_LEAST_SECRET_BYTES} bytes"
        )
    return secret
