"""Service accounts of the project. https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from google.iam.v1 import policy_pb2
from google.protobuf import json_format
from werkzeug.wrappers import Request

from mldeploy.rehearsal.gateway.proxy import StandInObject
from mldeploy.rehearsal.gcp.compute.api import json_response
from mldeploy.rehearsal.gcp.conditions import ProjectConditions
from mldeploy.rehearsal.gcp.errors import ApiError, Code, permission_denied
from mldeploy.rehearsal.gcp.policies import PolicyWriter, ResourcePolicy
from mldeploy.rehearsal.gcp.project import StandInProject
from mldeploy.rehearsal.gcp.tokens import GoogleAuthenticator

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SERVICE = "iam.googleapis.com"
PATH = re.compile(
    r"/v1/projects/(?P<project>[^/]+)/serviceAccounts(?:/(?P<account>[^/:]+)(?::(?P<verb>getIamPolicy|setIamPolicy))?)?"
)
_ID = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_VERBS: Mapping[tuple[str, bool], str] = MappingProxyType(
    {
        ("POST", False): "create",
        ("GET", False): "list",
        ("GET", True): "get",
        ("DELETE", True): "delete",
        ("PATCH", True): "update",
    }
)
"""By method, and whether an account is named."""
_MOST_TEXT = 256


def required_permission(method: str, path: str) -> str:
    """Return the IAM permission that a request needs: `iam.serviceAccounts.create`."""
    parts = PATH.fullmatch(path)
    verb = (parts["verb"] if parts else "") or _VERBS.get((method, bool(parts and parts["account"])), "unknown")
    return f"iam.serviceAccounts.{verb}"


@dataclass
class ServiceAccount:
    """A service account that a caller made."""

    email: str
    display_name: str
    description: str
    uid: str
    policy: ResourcePolicy = field(default_factory=ResourcePolicy)


class ServiceAccountsApi:
    """A WSGI application. The project's own accounts are known besides those that callers make."""

    def __init__(
        self,
        project: StandInProject,
        authenticator: GoogleAuthenticator,
        conditions: ProjectConditions,
        policies: PolicyWriter,
    ) -> None:
        self._project = project
        self._authenticator = authenticator
        self._conditions = conditions
        self._policies = policies
        self._accounts: dict[str, ServiceAccount] = {}

    def reset(self) -> None:
        self._accounts.clear()

    def contents(self) -> Iterator[StandInObject]:
        """List the accounts that callers made."""
        for email, each in sorted(self._accounts.items()):
            words = (word.partition("=") for word in each.description.split() if "=" in word)
            yield StandInObject("iam:serviceAccount", email.partition("@")[0], {key: value for key, _, value in words})

    def is_known(self, email: str) -> bool:
        """Whether there is such an account. In a harsh project, other services miss a new one at first."""
        if email in (self._project.nodes, self._project.account):
            return True
        return email in self._accounts and not self._conditions.is_missing(f"{email} elsewhere")

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            answer = json_response(self._answer(request))
        except ApiError as error:
            answer = json_response(error.body, error.http_status)
        return answer(environ, start)

    def _answer(self, request: Request) -> Mapping[str, object]:
        parts, permission = PATH.fullmatch(request.path), required_permission(request.method, request.path)
        if parts is None or permission.endswith(".unknown"):
            raise ApiError(Code.UNIMPLEMENTED, f"{request.method} {request.path} is not rehearsed")
        if not self._project.is_called(parts["project"]) and parts["project"] != "-":
            raise permission_denied(permission, f"projects/{parts['project']}")
        self._authenticator.require(SERVICE, permission)
        if parts["account"]:
            return self._answer_one(request, self._find(parts["account"]), parts["verb"] or request.method)
        if request.method == "POST":
            return self._create(request.get_json())
        return {"accounts": [self._describe(each) for _, each in sorted(self._accounts.items())]}

    def _answer_one(self, request: Request, account: ServiceAccount, verb: str) -> Mapping[str, object]:
        if verb == "getIamPolicy":
            return _policy_document(account.policy.policy)
        if verb == "setIamPolicy":
            wanted = json_format.ParseDict(request.get_json().get("policy", {}), policy_pb2.Policy())
            return _policy_document(self._policies.write(account.policy, wanted))
        if verb == "DELETE":
            del self._accounts[account.email]
            return {}
        if verb == "PATCH":
            changed = request.get_json().get("serviceAccount", {})
            account.display_name = str(changed.get("displayName", account.display_name))
            account.description = str(changed.get("description", account.description))
        elif self._conditions.is_missing(account.email):
            raise self._unknown(account.email)
        return self._describe(account)

    def _create(self, body: Mapping[str, object]) -> Mapping[str, object]:
        account_id, given = str(body.get("accountId", "")), body.get("serviceAccount") or {}
        texts = given if isinstance(given, dict) else {}
        if not _ID.fullmatch(account_id):
            what = f'Invalid service account ID: "{account_id}".'
            raise ApiError(Code.INVALID_ARGUMENT, f"{what} It must be 6 to 30 lowercase letters, digits, and hyphens.")
        display_name, description = str(texts.get("displayName", "")), str(texts.get("description", ""))
        if len(description.encode()) > _MOST_TEXT:
            raise ApiError(Code.INVALID_ARGUMENT, f"The description must not exceed {_MOST_TEXT} bytes.")
        email = f"{account_id}@{self._project.id}.iam.gserviceaccount.com"
        if email in self._accounts or email == self._project.account:
            what = f"Service account {account_id} already exists within project projects/{self._project.id}."
            raise ApiError(Code.ALREADY_EXISTS, what)
        made = self._accounts[email] = ServiceAccount(email, display_name, description, uuid.uuid4().hex)
        self._conditions.add(email)
        self._conditions.add(f"{email} elsewhere")
        return self._describe(made)

    def _find(self, email: str) -> ServiceAccount:
        if email not in self._accounts:
            raise self._unknown(email)
        return self._accounts[email]

    def _unknown(self, email: str) -> ApiError:
        return ApiError(Code.NOT_FOUND, f"Unknown service account: {email}")

    def _describe(self, account: ServiceAccount) -> Mapping[str, object]:
        return {
            "name": f"projects/{self._project.id}/serviceAccounts/{account.email}",
            "projectId": self._project.id,
            "uniqueId": str(int(account.uid, 16))[:21],
            "email": account.email,
            "displayName": account.display_name,
            "description": account.description,
            "etag": base64.b64encode(account.uid[:8].encode()).decode(),
            "oauth2ClientId": str(int(account.uid, 16))[:21],
        }


def _policy_document(policy: policy_pb2.Policy) -> Mapping[str, object]:
    document: Mapping[str, object] = json_format.MessageToDict(policy)
    return document
