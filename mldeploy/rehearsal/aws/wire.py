"""Error answers as AWS writes them, for what the front door itself refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from mldeploy.rehearsal.aws.calls import Protocol, Request, understood
from mldeploy.rehearsal.door.faults import Kind

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from mldeploy.rehearsal.door.frontdoor import Application

USER = "arn:aws:iam::123456789012:user/rehearsal"
"""Who the caller is. The account is the one that moto plays."""

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


def throttled(request: Request) -> Response:
    """Too many requests."""
    status, code = _THROTTLED[request.protocol]
    return _error(request.protocol, status, code, "Rate exceeded")


def failed(request: Request) -> Response:
    """The service's own fault."""
    return _error(request.protocol, 500, _FAILED[request.protocol], "An internal error occurred.")


def denied(request: Request) -> Response:
    """The caller lacks the permission."""
    status, code = _DENIED[request.protocol]
    return _error(
        request.protocol,
        status,
        code,
        f"User: {USER} is not authorized to perform: {request.action} on resource: * "
        f"because no identity-based policy allows the {request.action} action",
    )


def unknown_key(request: Request) -> Response:
    """The request is signed with a key that does not exist, or with none."""
    return _error(request.protocol, *_UNKNOWN_KEY[request.protocol])


REFUSALS: Mapping[Kind, Callable[[Request], Response]] = MappingProxyType(
    {Kind.THROTTLE: throttled, Kind.ERROR: failed, Kind.DENIED: denied}
)


class AwsLanguage:
    """key: the one access key id that exists."""

    def __init__(self, key: str) -> None:
        self._key = key

    def understood(self, environ: WSGIEnvironment, body: bytes) -> Request:
        authorization, target = (str(environ.get(name, "")) for name in ("HTTP_AUTHORIZATION", "HTTP_X_AMZ_TARGET"))
        return understood(authorization, target, body)

    def turned_away(self, asked: Request) -> Application | None:
        return None if asked.key == self._key else unknown_key(asked)

    def refusal(self, kind: Kind, asked: Request) -> Application:
        return REFUSALS[kind](asked)


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
