"""An identity provider as tests need one: keys, tokens, and the settings by which a node takes them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

ISSUER = "https://identity.example"
AUDIENCE = "longshore"


class Issuer:
    """Signs with one key at a time; ``jwks_file`` has all that are good."""

    def __init__(self, folder: Path) -> None:
        self.jwks_file = folder / "jwks.json"
        self.keys: dict[str, rsa.RSAPrivateKey] = {}
        self.rotate("first")

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "algorithms": ["RS256"],
            "jwks_file": str(self.jwks_file),
            "leeway_s": 0,
        }

    def rotate(self, key_id: str, *, keep: Sequence[str] = ()) -> None:
        """Sign with a new key from now on; of the keys before those in ``keep`` stay good."""
        self.keys = {name: self.keys[name] for name in keep}
        self.keys[key_id] = rsa.generate_private_key(65537, 2048)
        self.current = key_id
        public = [
            {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": name, "use": "sig", "alg": "RS256"}
            for name, key in self.keys.items()
        ]
        self.jwks_file.write_text(json.dumps({"keys": public}))

    def claims(self, subject: str, *, good_for_s: float = 600, **more: Any) -> dict[str, Any]:
        now = time.time()
        return {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + good_for_s, **more}

    def token(self, subject: str, *, good_for_s: float = 600, **more: Any) -> str:
        return jwt.encode(
            self.claims(subject, good_for_s=good_for_s, **more),
            self.keys[self.current],
            algorithm="RS256",
            headers={"kid": self.current},
        )


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a call with a token."""
    return (("authorization", f"Bearer {token}"),)
