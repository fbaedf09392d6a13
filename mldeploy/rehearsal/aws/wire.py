"""Error answers as AWS writes them, for what the front door itself refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from mldeploy.rehearsal.aws.calls import Protocol, Request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    Application = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]
    """PEP 3333."""

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


def denied(request: Request, user: str) -> Response:
    """The caller, an ARN, lacks the permission."""
    status, code = _DENIED[request.protocol]
    return _error(
        request.protocol,
        status,
        code,
        f"User: {user} is not authorized to perform: {request.action} on resource: * "
        f"because no identity-based policy allows the {request.action} action",
    )


def unknown_key(request: Request) -> Response:
    """The request is signed with a key that does not exist, or with none."""
    return _error(request.protocol, *_UNKNOWN_KEY[request.protocol])


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
