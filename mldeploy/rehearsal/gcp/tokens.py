"""Service account keys and access tokens.

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
from google.auth import crypt, exceptions, jwt

from mldeploy.rehearsal.gateway.faults import FaultKind
from mldeploy.rehearsal.gcp.errors import ApiError, internal_error, permission_denied, rate_limited, unauthenticated
from mldeploy.rehearsal.gcp.iam import ProjectIam
from mldeploy.rehearsal.gcp.project import StandInProject
from mldeploy.rehearsal.gcp.services import Services

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCE = "https://oauth2.googleapis.com/token"
"""Audience of the assertions that Google's library signs."""
ISSUER = "https://accounts.google.com"
"""Issuer of ID tokens."""
SECONDS = 3600
"""Validity of a token."""
_REUSED_SECONDS = 1800


class GrantError(Exception):
    """A token request was rejected. error: OAuth's error code (RFC 6749, 5.2)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


@dataclass(frozen=True)
class Token:
    """An access token. until: expiry, by the monotonic clock."""

    text: str
    account: str
    until: float

    @property
    def seconds(self) -> int:
        return int(self.until - time.monotonic())


class GoogleTokens:
    """Issues and verifies tokens. Thread-safe. uri: of the token endpoint."""

    def __init__(self, project: StandInProject, uri: str) -> None:
        self._project = project
        self._uri = uri
        self._key = rsa.generate_private_key(65537, 2048)
        self._key_id, self._issuer_key_id = secrets.token_hex(20), secrets.token_hex(20)
        self._mutex = threading.Lock()
        self._tokens: dict[str, Token] = {}

    @property
    def key_file(self) -> str:
        """The service account key file, in JSON. Like the file of gcloud for a user, it names a project for quotas."""
        private = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        content = {
            "type": "service_account",
            "project_id": self._project.id,
            "quota_project_id": self._project.id,
            "private_key_id": self._key_id,
            "private_key": private.decode(),
            "client_email": self._project.account,
            "client_id": "100000000000000000001",
            "token_uri": self._uri,
            "universe_domain": "googleapis.com",
        }
        return json.dumps(content)

    def exchange(self, form: Mapping[str, str]) -> Token:
        """Exchange an assertion signed by the account's key for a token. Raises GrantError."""
        if form.get("grant_type") != GRANT:
            raise GrantError("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type', '')}")
        claims = self._claims(form.get("assertion", ""), [AUDIENCE, self._uri])
        if not claims.get("scope"):
            raise GrantError("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        return self.of(self._project.account)

    def exchange_for_identity(self, form: Mapping[str, str]) -> str:
        """Exchange an assertion with `target_audience` for an ID token of the account. Raises GrantError.

        https://developers.google.com/identity/protocols/oauth2/service-account
        """
        claims = self._claims(form.get("assertion", ""), [AUDIENCE, self._uri])
        now = int(time.time())
        content = {
            "iss": ISSUER,
            "aud": claims["target_audience"],
            "email": self._project.account,
            "email_verified": True,
            "sub": "100000000000000000001",
            "iat": now,
            "exp": now + SECONDS,
        }
        signer = crypt.RSASigner.from_string(json.loads(self.key_file)["private_key"], self._issuer_key_id)
        return bytes(jwt.encode(signer, content)).decode()

    def wants_identity(self, form: Mapping[str, str]) -> bool:
        """Whether a token request is one for an ID token."""
        if form.get("grant_type") != GRANT:
            return False
        try:
            return bool(jwt.decode(form.get("assertion", ""), verify=False).get("target_audience"))
        except (ValueError, exceptions.GoogleAuthError):
            return False

    def identity(self, text: str, audience: str) -> str:
        """Return the account of an ID token for an audience; empty if it is invalid."""
        try:
            claims: Mapping[str, str] = jwt.decode(text, {self._issuer_key_id: self._public}, audience=[audience])
        except (ValueError, exceptions.GoogleAuthError):
            return ""
        return claims.get("email", "") if claims.get("iss") == ISSUER else ""

    def of(self, account: str) -> Token:
        """Return a token for an account. Reuses a valid one: after a change the engine pushes everything again."""
        with self._mutex:
            for token in self._tokens.values():
                if token.account == account and token.seconds > _REUSED_SECONDS:
                    return token
            made = Token(f"ya29.{secrets.token_urlsafe(48)}", account, time.monotonic() + SECONDS)
            self._tokens[made.text] = made
            return made

    def account(self, text: str) -> str:
        """Return the account of a token; empty if invalid. Also accepts tokens signed by the account's key."""
        with self._mutex:
            token = self._tokens.get(text)
        if token is not None:
            return token.account if token.seconds > 0 else ""
        try:
            return self._project.account if text.count(".") == 2 and self._claims(text, None) else ""
        except GrantError:
            return ""

    def expire(self) -> None:
        """Invalidate all issued tokens."""
        with self._mutex:
            self._tokens.clear()

    @property
    def _public(self) -> bytes:
        return self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def _claims(self, assertion: str, audience: list[str] | None) -> Mapping[str, str]:
        try:
            claims: Mapping[str, str] = jwt.decode(assertion, {self._key_id: self._public}, audience=audience)
        except (ValueError, exceptions.GoogleAuthError) as error:
            raise GrantError("invalid_grant", f"Invalid JWT: {error}") from error
        if claims.get("iss") != self._project.account:
            raise GrantError("invalid_grant", "Invalid grant: account not found")
        return claims


class GoogleAuthenticator:
    """Authenticates calls, and checks that their API is enabled."""

    def __init__(self, project: StandInProject, tokens: GoogleTokens, services: Services, iam: ProjectIam) -> None:
        self._project = project
        self._tokens = tokens
        self._services = services
        self._iam = iam

    def authenticate(self, authorization: str, quota_project: str) -> None:
        """Check the Authorization header, and the project of x-goog-user-project.

        Raises ApiError for any account other than the rehearsal's.
        """
        scheme, _, token = authorization.partition(" ")
        if self._tokens.account(token if scheme.lower() == "bearer" else "") != self._project.account:
            raise unauthenticated(has_token=bool(token))
        self._iam.require_quota_project(quota_project)

    def require(self, service: str, permission: str = "") -> None:
        """Raise ApiError if an API is not enabled, or a permission is missing. Empty: none is needed."""
        if service:
            self._services.require(service)
        if service and permission:
            self._iam.require(permission)

    def refusal(self, kind: FaultKind, service: str, permission: str) -> ApiError | None:
        """Return the error for a fault; None if the fault is not an error response."""
        if kind is FaultKind.THROTTLE:
            return rate_limited(service, self._project.number)
        if kind is FaultKind.ERROR:
            return internal_error()
        if kind is FaultKind.DENIED:
            return permission_denied(permission, f"projects/{self._project.id}")
        return None
