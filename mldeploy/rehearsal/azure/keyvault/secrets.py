"""The data plane of a vault: secrets and their versions. Standard: Key Vault REST API, "Secrets"."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.azure.arm.schema import ArmError
from mldeploy.rehearsal.azure.arm.state import TENANT
from mldeploy.rehearsal.gateway.faults import FaultKind
from mldeploy.rehearsal.tokens import TokenSigner

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from mldeploy.rehearsal.gateway.fault_proxy import Application

AUDIENCE = "https://vault.azure.net"
_SECRETS = "Microsoft.KeyVault/vaults/secrets"
GET_SECRET = f"{_SECRETS}/getSecret/action"
_ROUTE = re.compile(r"/(?P<kind>secrets|deletedsecrets)(?:/(?P<name>[0-9A-Za-z-]{1,127})(?:/(?P<version>\w*))?)?/?")
_ACTIONS: Mapping[tuple[str, str, bool], str] = {
    ("GET", "secrets", False): f"{_SECRETS}/readMetadata/action",
    ("GET", "secrets", True): GET_SECRET,
    ("PUT", "secrets", True): f"{_SECRETS}/setSecret/action",
    ("DELETE", "secrets", True): f"{_SECRETS}/delete",
    ("GET", "deletedsecrets", False): f"{_SECRETS}/readMetadata/action",
    ("GET", "deletedsecrets", True): f"{_SECRETS}/readMetadata/action",
    ("DELETE", "deletedsecrets", True): f"{_SECRETS}/purge/action",
}
"""By method, kind, and whether a name is given. Standard: Azure RBAC, "Azure permissions for Security"."""
_DELETED = (
    "is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can "
    "only be recovered or purged."
)
_HELP = (
    "If you recently deleted this secret you may be able to recover it using the correct recovery command. For help "
    "resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
)


_VERSIONS = "versions"


def _needed_action(method: str, match: re.Match[str]) -> str:
    """Return the needed permission; empty: there is no such operation."""
    names_one = bool(match["name"]) and not (method == "GET" and match["version"] == _VERSIONS)
    return _ACTIONS.get((method, match["kind"], names_one), "")


@dataclass(frozen=True)
class VaultRequest:
    """action: the needed permission; empty: there is no such operation."""

    action: str
    is_writing: bool


class VaultError(ArmError):
    """An error response of a vault. inner: the code of its inner error."""

    def __init__(self, status: int, code: str, message: str, inner: str = "") -> None:
        super().__init__(status, code, message)
        self.inner = inner

    @property
    def body(self) -> Mapping[str, object]:
        inner = {"innererror": {"code": self.inner}} if self.inner else {}
        return {"error": {"code": self.code, "message": self.message, **inner}}


class VaultAdapter:
    """A ProtocolAdapter: the requests and error responses of a vault. base: the URL of Entra."""

    def __init__(self, tokens: TokenSigner, base: str) -> None:
        self._tokens = tokens
        self._base = base

    def parse_request(self, environ: WSGIEnvironment, body: bytes) -> VaultRequest:
        method, match = str(environ["REQUEST_METHOD"]), _ROUTE.fullmatch(str(environ.get("PATH_INFO", "")))
        action = _needed_action(method, match) if match else ""
        request = VaultRequest(action, method not in ("GET", "HEAD"))
        token = str(environ.get("HTTP_AUTHORIZATION", "")).removeprefix("Bearer ")
        environ["mldeploy.claims"] = self._tokens.read(token, AUDIENCE)
        return request if environ["mldeploy.claims"] else VaultRequest("", is_writing=False)

    def authenticate(self, request: VaultRequest) -> Application | None:
        """Challenge whoever has no token. Source: azure-keyvault-secrets, `HttpChallenge`."""
        if request.action:
            return None
        answer = VaultError(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.").response()
        answer.headers["WWW-Authenticate"] = f'Bearer authorization="{self._base}/{TENANT}", resource="{AUDIENCE}"'
        return answer

    def refusal(self, kind: FaultKind, request: VaultRequest) -> Application:
        answers = {
            FaultKind.THROTTLE: VaultError(429, "Throttled", "Request was not processed because too many requests."),
            FaultKind.ERROR: VaultError(500, "InternalServerError", "An internal server error has occurred."),
            FaultKind.DENIED: forbidden_error(request.action),
        }
        answer = answers[kind].response()
        if kind is FaultKind.THROTTLE:
            answer.headers["Retry-After"] = "0"
        return answer


def forbidden_error(action: str) -> VaultError:
    """Source: Key Vault, "Common error codes", `ForbiddenByRbac`."""
    what = "Caller is not authorized to perform action on resource."
    more = "If role assignments, deny assignments or role definitions were changed recently, please observe"
    return VaultError(403, "Forbidden", f"{what}\r\n{more} propagation time.\r\nAction: '{action}'", "ForbiddenByRbac")


@dataclass
class SecretVersion:
    """value: returned to whoever may read it. attributes: `created` and `updated`, `enabled`."""

    value: str
    attributes: dict[str, Any]
    tags: Mapping[str, str]
    content_type: str | None
    name: str = field(default_factory=lambda: uuid.uuid4().hex)


class VaultSecrets:
    """A WSGI application: the secrets of a vault. allows: whether a principal may perform an action now."""

    def __init__(self, host: str, allows: Callable[[str, str], bool]) -> None:
        self._host = host
        self._allows = allows
        self._secrets: dict[str, list[SecretVersion]] = {}
        self._deleted: dict[str, list[SecretVersion]] = {}

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            body = self._answer(request, environ["mldeploy.claims"]["sub"])
        except ArmError as refusal:
            return refusal.response()(environ, start)
        status = 204 if body is None else 200
        text = "" if body is None else json.dumps(body)
        return Response(text, status, content_type="application/json; charset=utf-8")(environ, start)

    def read(self, name: str, version: str) -> str | None:
        """Return the value of a secret; None if there is none."""
        found = [each for each in self._secrets.get(name.lower(), ()) if version in ("", each.name)]
        return found[-1].value if found else None

    def _answer(self, request: Request, principal: str) -> object:
        match = _ROUTE.fullmatch(request.path)
        if match is None:
            raise VaultError(404, "NotFound", f"There is nothing at {request.path}.")
        kind, name = match["kind"], (match["name"] or "").lower()
        action = _needed_action(request.method, match)
        if not self._allows(principal, action):
            raise forbidden_error(action)
        if not name:
            held = self._secrets if kind == "secrets" else self._deleted
            listed = [self._describe(each, versions[-1], value=False) for each, versions in sorted(held.items())]
            return {"value": [{**each, "id": each["id"].rpartition("/")[0]} for each in listed], "nextLink": None}
        if kind == "deletedsecrets":
            return self._look_at_deleted(request.method, name)
        if request.method == "GET" and match["version"] == _VERSIONS:
            return self._list_versions(name)
        change = {"GET": self._get, "PUT": self._set, "DELETE": self._delete}[request.method]
        return change(request, name, match["version"] or "")

    def _get(self, _request: Request, name: str, version: str) -> object:
        found = [each for each in self._secrets.get(name, ()) if version in ("", each.name)]
        if not found:
            raise _missing_error(name)
        return self._describe(name, found[-1])

    def _list_versions(self, name: str) -> object:
        listed = [self._describe(name, each, value=False) for each in self._secrets.get(name, ())]
        return {"value": listed, "nextLink": None}

    def _set(self, request: Request, name: str, _version: str) -> object:
        content = request.get_json()
        if not isinstance(content.get("value"), str) or not content["value"]:
            raise VaultError(400, "BadParameter", "Property value is required and must not be empty.")
        if name in self._deleted:
            raise VaultError(409, "Conflict", f"Secret {name} {_DELETED}", "ObjectIsDeletedButRecoverable")
        now = int(time.time())
        attributes = {"enabled": True, **(content.get("attributes") or {}), "created": now, "updated": now}
        made = SecretVersion(content["value"], attributes, content.get("tags") or {}, content.get("contentType"))
        self._secrets.setdefault(name, []).append(made)
        return self._describe(name, made)

    def _delete(self, _request: Request, name: str, _version: str) -> object:
        if name not in self._secrets:
            raise _missing_error(name)
        self._deleted[name] = self._secrets.pop(name)
        return self._describe_deleted(name)

    def _look_at_deleted(self, method: str, name: str) -> object:
        if name not in self._deleted:
            raise _missing_error(name)
        if method == "DELETE":
            del self._deleted[name]
            return None
        return self._describe_deleted(name)

    def _describe(self, name: str, version: SecretVersion, *, value: bool = True) -> dict[str, Any]:
        attributes = {"recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90, **version.attributes}
        body = {"id": f"https://{self._host}/secrets/{name}/{version.name}", "attributes": attributes}
        more = {"value": version.value} if value else {}
        kind = {"contentType": version.content_type} if version.content_type else {}
        return {**more, **kind, **body, "tags": dict(version.tags)}

    def _describe_deleted(self, name: str) -> object:
        now = int(time.time())
        dates = {"deletedDate": now, "scheduledPurgeDate": now + 90 * 86400}
        recovery = f"https://{self._host}/deletedsecrets/{name}"
        return {"recoveryId": recovery, **dates, **self._describe(name, self._deleted[name][-1], value=False)}


def _missing_error(name: str) -> VaultError:
    """Source: Key Vault, answers for a secret that does not exist."""
    what = f"A secret with (name/id) {name} was not found in this key vault."
    return VaultError(404, "SecretNotFound", f"{what} {_HELP}")
