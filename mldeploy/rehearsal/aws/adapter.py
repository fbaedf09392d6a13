"""AWS requests: parsing, authentication, and error responses in the format of each protocol."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from mldeploy.rehearsal.gateway.faults import FaultKind

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from mldeploy.rehearsal.gateway.fault_proxy import Application

READING = ("BatchCheck", "BatchGet", "Describe", "Filter", "Get", "Head", "List", "Lookup", "Simulate", "StartQuery")
"""Name prefixes of read-only operations."""

_SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/([^/]*)/([^/]+)/aws4_request")
_PREFIXES = {"monitoring": "cloudwatch", "tagging": "tag"}
"""IAM's service names, where they differ from the signing names."""


class Protocol(StrEnum):
    """Protocol of a service. Standard: Smithy, "AWS protocols"."""

    JSON = "json"
    QUERY = "query"
    EC2 = "ec2"


@dataclass(frozen=True)
class AwsRequest:
    """A parsed request. service, operation: IAM's names, `ecs` and `CreateService`.

    key: the access key id of its signature; empty: not signed.
    """

    service: str
    operation: str
    protocol: Protocol
    key: str

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
    key, _, signed = scope.groups() if scope else ("", "", "unknown")
    service = _PREFIXES.get(signed, signed)
    if target:
        return AwsRequest(service, target.rpartition(".")[2], Protocol.JSON, key)
    action = parse_qs(body.decode("latin-1")).get("Action", ["unknown"])[0]
    return AwsRequest(service, action, Protocol.EC2 if service == "ec2" else Protocol.QUERY, key)


USER = "arn:aws:iam::123456789012:user/rehearsal"
"""The caller. The account is moto's."""

_THROTTLED = {
    Protocol.JSON: (400, "ThrottlingException"),
    Protocol.QUERY: (400, "Throttling"),
    Protocol.EC2: (503, "RequestLimitExceeded"),
}
_FAILED = {Protocol.JSON: "ServerException", Protocol.QUERY: "InternalFailure", Protocol.EC2: "InternalError"}
_DENIED = {
    Protocol.JSON: (400, "AccessDeniedException"),
    Protocol.QUERY: (403, "AccessDenied"),
    Protocol.EC2: (403, "UnauthorizedOperation"),
}
_UNKNOWN_KEY = {
    Protocol.JSON: (400, "UnrecognizedClientException", "The security token included in the request is invalid."),
    Protocol.QUERY: (403, "InvalidClientTokenId", "The security token included in the request is invalid."),
    Protocol.EC2: (401, "AuthFailure", "AWS was not able to validate the provided access credentials"),
}


def throttling_error(request: AwsRequest) -> Response:
    """Too many requests."""
    status, code = _THROTTLED[request.protocol]
    return _error(request.protocol, status, code, "Rate exceeded")


def internal_error(request: AwsRequest) -> Response:
    """Internal error of the service."""
    return _error(request.protocol, 500, _FAILED[request.protocol], "An internal error occurred.")


def access_denied(request: AwsRequest) -> Response:
    """The caller lacks the permission."""
    status, code = _DENIED[request.protocol]
    return _error(
        request.protocol,
        status,
        code,
        f"User: {USER} is not authorized to perform: {request.action} on resource: * "
        f"because no identity-based policy allows the {request.action} action",
    )


def invalid_key_error(request: AwsRequest) -> Response:
    """The request is not signed, or with an unknown key."""
    return _error(request.protocol, *_UNKNOWN_KEY[request.protocol])


FAULT_RESPONSES: Mapping[FaultKind, Callable[[AwsRequest], Response]] = MappingProxyType(
    {FaultKind.THROTTLE: throttling_error, FaultKind.ERROR: internal_error, FaultKind.DENIED: access_denied}
)


class AwsAdapter:
    """`ProtocolAdapter` of AWS. key: the only valid access key id."""

    def __init__(self, key: str) -> None:
        self._key = key

    def parse_request(self, environ: WSGIEnvironment, body: bytes) -> AwsRequest:
        authorization, target = (str(environ.get(name, "")) for name in ("HTTP_AUTHORIZATION", "HTTP_X_AMZ_TARGET"))
        return parse_request(authorization, target, body)

    def authenticate(self, request: AwsRequest) -> Application | None:
        return None if request.key == self._key else invalid_key_error(request)

    def refusal(self, kind: FaultKind, request: AwsRequest) -> Application:
        return FAULT_RESPONSES[kind](request)


def _error(protocol: Protocol, status: int, code: str, message: str) -> Response:
    if protocol is Protocol.JSON:
        body = json.dumps({"__type": code, "message": message})
        return Response(body, status, content_type="application/x-amz-json-1.1")
    error = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    if protocol is Protocol.EC2:
        body = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>rehearsal</RequestID></Response>"
    else:
        body = f"<ErrorResponse><Error>{error}</Error><RequestId>rehearsal</RequestId></ErrorResponse>"
    return Response(body, status, content_type="text/xml")
