"""Signed tokens, valid in one rehearsal only. Standard: RFC 7519, HS256."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import Any

SECONDS = 3600
"""Default validity."""


class TokenSigner:
    """Signs and verifies tokens with a random key. seconds: validity of each token."""

    def __init__(self, seconds: int = SECONDS) -> None:
        self._key = secrets.token_bytes(32)
        self._seconds = seconds

    def issue(self, audience: str, **claims: object) -> str:
        """Issue a token for an audience. claims: additional claims."""
        now = int(time.time())
        content = {"aud": audience, "iat": now, "nbf": now, "exp": now + self._seconds, **claims}
        text = f"{_packed({'alg': 'HS256', 'typ': 'JWT'})}.{_packed(content)}"
        return f"{text}.{self._signature(text)}"

    def read(self, token: str, *audiences: str) -> dict[str, Any] | None:
        """Return the claims of a token, or None if it is invalid, expired, or for another audience."""
        text, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(text).encode()):
            return None
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text.partition(".")[2] + "==="))
        return claims if claims["aud"].rstrip("/") in audiences and claims["exp"] > time.time() else None

    def expire(self) -> None:
        """Invalidate all issued tokens."""
        self._key = secrets.token_bytes(32)

    def _signature(self, text: str) -> str:
        return base64.urlsafe_b64encode(hmac.digest(self._key, text.encode(), hashlib.sha256)).decode().rstrip("=")


def _packed(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
