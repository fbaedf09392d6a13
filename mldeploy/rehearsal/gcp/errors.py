"""Google's API errors, for gRPC and REST.

https://cloud.google.com/apis/design/errors
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

Code = grpc.StatusCode

_STATUS: Mapping[grpc.StatusCode, int] = {
    Code.INVALID_ARGUMENT: 400,
    Code.FAILED_PRECONDITION: 400,
    Code.UNAUTHENTICATED: 401,
    Code.PERMISSION_DENIED: 403,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.ABORTED: 409,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.INTERNAL: 500,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
}
"""https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto names them."""
_REASONS: Mapping[int, str] = {
    400: "badRequest",
    401: "authError",
    403: "forbidden",
    404: "notFound",
    409: "alreadyExists",
    429: "rateLimitExceeded",
    500: "backendError",
    503: "backendError",
}
"""Legacy reasons of REST services."""


@dataclass
class ApiError(Exception):
    """An API error. reason, domain, metadata: of its ErrorInfo; without a reason there is no ErrorInfo."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    domain: str = "googleapis.com"
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def number(self) -> int:
        number: int = self.code.value[0]
        return number

    @property
    def http_status(self) -> int:
        return _STATUS[self.code]

    @property
    def status(self) -> status_pb2.Status:
        """The status for gRPC's trailer `grpc-status-details-bin`, and for operations."""
        status = status_pb2.Status(code=self.number, message=self.message)
        if self.reason:
            packed = any_pb2.Any()
            packed.Pack(
                error_details_pb2.ErrorInfo(reason=self.reason, domain=self.domain, metadata=dict(self.metadata))
            )
            status.details.append(packed)
        return status

    @property
    def body(self) -> Mapping[str, object]:
        """The JSON body for REST."""
        legacy = "accessNotConfigured" if self.reason == "SERVICE_DISABLED" else _REASONS.get(self.http_status, "")
        error: dict[str, object] = {
            "code": self.http_status,
            "message": self.message,
            "errors": [{"message": self.message, "domain": "global", "reason": legacy}],
            "status": self.code.name,
        }
        if self.reason:
            info = {"reason": self.reason, "domain": self.domain, "metadata": dict(self.metadata)}
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", **info}]
        return {"error": error}


def permission_denied(permission: str, resource: str) -> ApiError:
    """Permission denied, or the resource does not exist. The error does not say which."""
    service = f"{permission.partition('.')[0]}.googleapis.com"
    return ApiError(
        Code.PERMISSION_DENIED,
        f"Permission '{permission}' denied on resource '//{service}/{resource}' (or it may not exist).",
        "IAM_PERMISSION_DENIED",
        service,
        {"permission": permission, "resource": resource},
    )


def rate_limited(service: str, project: str) -> ApiError:
    """Too many requests."""
    return ApiError(
        Code.RESOURCE_EXHAUSTED,
        f"Quota exceeded for quota metric 'Requests' and limit 'Requests per minute' of service '{service}' for "
        f"consumer 'project_number:{project}'.",
        "RATE_LIMIT_EXCEEDED",
        metadata={"service": service, "consumer": f"projects/{project}"},
    )


def internal_error() -> ApiError:
    """Internal error of the service."""
    return ApiError(Code.INTERNAL, "Internal error encountered.")


def service_disabled(service: str, project: str) -> ApiError:
    """The API is not enabled, or only recently."""
    page = f"console.developers.google.com/apis/api/{service}/overview?project={project}"
    return ApiError(
        Code.PERMISSION_DENIED,
        f"{service} API has not been used in project {project} before or it is disabled. Enable it by visiting "
        f"{page} then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our "
        "systems and retry.",
        "SERVICE_DISABLED",
        metadata={"service": service, "consumer": f"projects/{project}"},
    )


def unauthenticated(*, has_token: bool) -> ApiError:
    """The token is missing, invalid or expired."""
    what = (
        "Request had invalid authentication credentials."
        if has_token
        else "Request is missing required authentication credential."
    )
    return ApiError(
        Code.UNAUTHENTICATED,
        f"{what} Expected OAuth 2 access token, login cookie or other valid authentication credential.",
        "ACCESS_TOKEN_EXPIRED" if has_token else "CREDENTIALS_MISSING",
    )


def not_found(name: str) -> ApiError:
    return ApiError(Code.NOT_FOUND, f"Not found: {name}.")
