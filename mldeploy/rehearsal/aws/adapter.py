"""AWS requests: parsing, authentication, and error responses in the format of each protocol."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from mldeploy.rehearsal.aws.rest import find_operation, parse_record_changes
from mldeploy.rehearsal.gateway.faults import FaultKind

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from mldeploy.rehearsal.gateway.fault_proxy import Application

READING = ("BatchCheck", "BatchGet", "Describe", "Filter", "Get", "Head", "List", "Lookup", "Simulate", "StartQuery")
"""Name prefixes of read-only operations."""

_SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/([^/]*)/([^/]+)/aws4_request")
_PREFIXES = {"monitoring": "cloudwatch", "tagging": "tag"}
"""IAM's service names, where they differ from the signing names."""


class WireProtocol(StrEnum):
    """Protocol of a service. Standard: Smithy, "AWS protocols"."""

    JSON = "json"
    QUERY = "query"
    EC2 = "ec2"


@dataclass(frozen=True)
class AwsRequest:
    """A parsed request. service, operation: IAM's names, `ecs` and `CreateService`.

    key: the access key id of its signature; empty: not signed. region: of its signature. parameters: of the JSON or the
    query, where a list is `Tags.member.1.Key`.
    """

    service: str
    operation: str
    protocol: WireProtocol
    key: str
    region: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)

    @property
    def action(self) -> str:
        """IAM's name of the operation: `ecs:CreateService`."""
        return f"{self.service}:{self.operation}"

    @property
    def is_writing(self) -> bool:
        return not self.operation.startswith(READING)


def parse_request(authorization: str, target: str, body: bytes) -> AwsRequest:
    """Parse a request from its headers Authorization and X-Amz-Target and its body. Raises nothing.

    Standard: AWS Signature Version 4; AWS JSON 1.0 and 1.1, AWS query and EC2 query protocols.
    """
    scope = _SCOPE.search(authorization)
    key, region, signed = scope.groups() if scope else ("", "", "unknown")
    service = _PREFIXES.get(signed, signed)
    if target:
        return AwsRequest(service, target.rpartition(".")[2], WireProtocol.JSON, key, region, _parse_json(body))
    parameters = {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}
    protocol = WireProtocol.EC2 if service == "ec2" else WireProtocol.QUERY
    return AwsRequest(service, parameters.get("Action", "unknown"), protocol, key, region, parameters)


def _parse_json(body: bytes) -> Mapping[str, object]:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


USER = "arn:aws:iam::123456789012:user/rehearsal"
"""The caller. The account is moto's."""

_THROTTLED = {
    WireProtocol.JSON: (400, "ThrottlingException"),
    WireProtocol.QUERY: (400, "Throttling"),
    WireProtocol.EC2: (503, "RequestLimitExceeded"),
}
_FAILED = {
    WireProtocol.JSON: "ServerException",
    WireProtocol.QUERY: "InternalFailure",
    WireProtocol.EC2: "InternalError",
}
_DENIED = {
    WireProtocol.JSON: (400, "AccessDeniedException"),
    WireProtocol.QUERY: (403, "AccessDenied"),
    WireProtocol.EC2: (403, "UnauthorizedOperation"),
}
_UNKNOWN_KEY = {
    WireProtocol.JSON: (400, "UnrecognizedClientException", "The security token included in the request is invalid."),
    WireProtocol.QUERY: (403, "InvalidClientTokenId", "The security token included in the request is invalid."),
    WireProtocol.EC2: (401, "AuthFailure", "AWS was not able to validate the provided access credentials"),
}


def throttling_error(request: AwsRequest) -> Response:
    """Too many requests."""
    status, code = _THROTTLED[request.protocol]
    return _error(request.protocol, status, code, "Rate exceeded")


def internal_error(request: AwsRequest) -> Response:
    """Internal error of the service."""
    return _error(request.protocol, 500, _FAILED[request.protocol], "An internal error occurred.")


@dataclass(frozen=True)
class Decision:
    """What IAM decides on a call of a user. action: the permission that is missing, on `resource`; empty: allowed."""

    user: str
    action: str = ""
    resource: str = ""


def access_denied(request: AwsRequest, decision: Decision | None = None) -> Response:
    """The caller lacks a permission: that of the operation's name, unless `decision` has another one.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    """
    status, code = _DENIED[request.protocol]
    denied = decision or Decision(USER, request.action, "*")
    message = (
        f"User: {denied.user} is not authorized to perform: {denied.action} on resource: {denied.resource} "
        f"because no identity-based policy allows the {denied.action} action"
    )
    if request.protocol is WireProtocol.EC2:
        message = f"You are not authorized to perform this operation. {message}"
    return _error(request.protocol, status, code, message)


def invalid_key_error(request: AwsRequest) -> Response:
    """The request is not signed, or with an unknown key."""
    return _error(request.protocol, *_UNKNOWN_KEY[request.protocol])


FAULT_RESPONSES: Mapping[FaultKind, Callable[[AwsRequest], Response]] = MappingProxyType(
    {FaultKind.THROTTLE: throttling_error, FaultKind.ERROR: internal_error, FaultKind.DENIED: access_denied}
)


class CallAuthorizer(Protocol):
    """Decides on the calls of users who are not the owner of the account."""

    def decide(self, request: AwsRequest) -> Decision | None:
        """Decide on a call. None if nobody has its key."""


class AwsAdapter:
    """`ProtocolAdapter` of AWS. key: the access key id of the owner, who may do everything. users: all others."""

    def __init__(self, key: str, users: CallAuthorizer) -> None:
        self._key = key
        self._users = users

    def parse_request(self, environ: WSGIEnvironment, body: bytes) -> AwsRequest:
        authorization, target = (str(environ.get(name, "")) for name in ("HTTP_AUTHORIZATION", "HTTP_X_AMZ_TARGET"))
        request = parse_request(authorization, target, body)
        if request.service != "route53":
            return request
        method, path = str(environ.get("REQUEST_METHOD", "")), str(environ.get("PATH_INFO", ""))
        return replace(request, operation=find_operation(method, path), parameters=parse_record_changes(path, body))

    def authenticate(self, request: AwsRequest) -> Application | None:
        if request.key == self._key:
            return None
        decision = self._users.decide(request)
        if decision is None:
            return invalid_key_error(request)
        return access_denied(request, decision) if decision.action else None

    def refusal(self, kind: FaultKind, request: AwsRequest) -> Application:
        return FAULT_RESPONSES[kind](request)


def _error(protocol: WireProtocol, status: int, code: str, message: str) -> Response:
    if protocol is WireProtocol.JSON:
        body = json.dumps({"__type": code, "message": message})
        return Response(body, status, content_type="application/x-amz-json-1.1")
    error = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    if protocol is WireProtocol.EC2:
        body = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>rehearsal</RequestID></Response>"
    else:
        body = f"<ErrorResponse><Error>{error}</Error><RequestId>rehearsal</RequestId></ErrorResponse>"
    return Response(body, status, content_type="text/xml")
