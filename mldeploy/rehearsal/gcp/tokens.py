"""Who a caller is: keys of service accounts, the access tokens that are given for them, and how long those are good.

https://developers.google.com/identity/protocols/oauth2/service-account; RFC 7523
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import exceptions, jwt

from mldeploy.rehearsal.gcp.project import Project

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCE = "https://oauth2.googleapis.com/token"
"""For whom Google's library signs an assertion, wherever it is sent."""
SECONDS = 3600
"""How long a token is good."""
_REUSED_SECONDS = 1800


class GrantError(Exception):
    """No token for this. error: OAuth's own word (RFC 6749, 5.2)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


@dataclass(frozen=True)
class Token:
    """text: what its bearer shows. account: whose it is. until: when it ends, by the monotonic clock."""

    text: str
    account: str
    until: float

    @property
    def seconds(self) -> int:
        return int(self.until - time.monotonic())


class Tokens:
    """May be used from several threads. uri: where tokens are given out."""

    def __init__(self, project: Project, uri: str) -> None:
        self._project = project
        self._uri = uri
        self._key = rsa.generate_private_key(65537, 2048)
        self._key_id = secrets.token_hex(20)
        self._mutex = threading.Lock()
        self._tokens: dict[str, Token] = {}

    @property
    def key_file(self) -> str:
        """What Google gives out as a service account's key: JSON."""
        private = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        content = {
            "type": "service_account",
            "project_id": self._project.id,
            "private_key_id": self._key_id,
            "private_key": private.decode(),
            "client_email": self._project.account,
            "client_id": "100000000000000000001",
            "token_uri": self._uri,
            "universe_domain": "googleapis.com",
        }
        return json.dumps(content)

    def exchanged(self, form: Mapping[str, str]) -> Token:
        """The token for an assertion that the account's key has signed. Raises GrantError."""
        if form.get("grant_type") != GRANT:
            raise GrantError("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type', '')}")
        claims = self._claims(form.get("assertion", ""), [AUDIENCE, self._uri])
        if not claims.get("scope"):
            raise GrantError("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        return self.of(self._project.account)

    def of(self, account: str) -> Token:
        """A token for an account. It is the same again while it is good for long: another one makes every push anew."""
        with self._mutex:
            for token in self._tokens.values():
                if token.account == account and token.seconds > _REUSED_SECONDS:
                    return token
            made = Token(f"ya29.{secrets.token_urlsafe(48)}", account, time.monotonic() + SECONDS)
            self._tokens[made.text] = made
            return made

    def account(self, text: str) -> str:
        """Whose token this is; empty if nobody's. A token that the account's key has signed is good, too."""
        with self._mutex:
            found = self._tokens.get(text)
        if found is not None:
            return found.account if found.seconds > 0 else ""
        try:
            return self._project.account if text.count(".") == 2 and self._claims(text, None) else ""
        except GrantError:
            return ""

    def expire(self) -> None:
        """No token that has been given out is good any more."""
        with self._mutex:
            self._tokens.clear()

    def _claims(self, assertion: str, audience: list[str] | None) -> Mapping[str, str]:
        public = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        try:
            claims: Mapping[str, str] = jwt.decode(assertion, {self._key_id: public}, audience=audience)
        except (ValueError, exceptions.GoogleAuthError) as error:
            raise GrantError("invalid_grant", f"Invalid JWT: {error}") from error
        if claims.get("iss") != self._project.account:
            raise GrantError("invalid_grant", "Invalid grant: account not found")
        return claims
