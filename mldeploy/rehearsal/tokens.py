"""Tokens that only this rehearsal gives out, and that it knows again. Standard: RFC 7519, HS256."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import Any

SECONDS = 3600
"""How long one is good, unless its giver says otherwise."""


class Tokens:
    """Signs with a key of its own."""

    def __init__(self, seconds: int = SECONDS) -> None:
        self._key = secrets.token_bytes(32)
        self._seconds = seconds

    def issue(self, audience: str, **claims: object) -> str:
        """A token for an audience. claims: what it says besides."""
        now = int(time.time())
        content = {"aud": audience, "iat": now, "nbf": now, "exp": now + self._seconds, **claims}
        text = f"{_packed({'alg': 'HS256', 'typ': 'JWT'})}.{_packed(content)}"
        return f"{text}.{self._signature(text)}"

    def read(self, token: str, *audiences: str) -> dict[str, Any] | None:
        """Its claims; None if it is not one of ours, is for none of these, or is not good any more."""
        text, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(text).encode()):
            return None
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text.partition(".")[2] + "==="))
        return claims if claims["aud"].rstrip("/") in audiences and claims["exp"] > time.time() else None

    def expire(self) -> None:
        """No token that has been given out is good any more."""
        self._key = secrets.token_bytes(32)

    def _signature(self, text: str) -> str:
        return base64.urlsafe_b64encode(hmac.digest(self._key, text.encode(), hashlib.sha256)).decode().rstrip("=")


def _packed(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
