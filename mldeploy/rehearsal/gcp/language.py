"""Who may come in, and how Google says no: the same for gRPC and for REST."""

from __future__ import annotations

from mldeploy.rehearsal.door.faults import Kind
from mldeploy.rehearsal.gcp.project import Project
from mldeploy.rehearsal.gcp.refusals import ApiError, denied, failed, throttled, unauthenticated
from mldeploy.rehearsal.gcp.services import Services
from mldeploy.rehearsal.gcp.tokens import Tokens


class Gate:
    """What every call has to pass."""

    def __init__(self, project: Project, tokens: Tokens, services: Services) -> None:
        self._project = project
        self._tokens = tokens
        self._services = services

    def admit(self, authorization: str) -> None:
        """authorization: the header. Raises ApiError for a caller who is not the rehearsal's own."""
        scheme, _, token = authorization.partition(" ")
        if self._tokens.account(token if scheme.lower() == "bearer" else "") != self._project.account:
            raise unauthenticated(has_token=bool(token))

    def require(self, service: str) -> None:
        """Raises ApiError for an API that is not enabled. service: empty: none is needed."""
        if service:
            self._services.require(service)

    def refusal(self, kind: Kind, service: str, permission: str) -> ApiError | None:
        """The answer that a fault is; None for those that are none."""
        if kind is Kind.THROTTLE:
            return throttled(service, self._project.number)
        if kind is Kind.ERROR:
            return failed()
        if kind is Kind.DENIED:
            return denied(permission, f"projects/{self._project.id}")
        return None
