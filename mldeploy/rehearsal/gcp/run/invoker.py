"""Who may invoke a service. https://cloud.google.com/run/docs/authenticating/overview"""

from __future__ import annotations

from collections.abc import Sequence

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.gcp.iam import ProjectIam
from mldeploy.rehearsal.gcp.policies import ResourcePolicy
from mldeploy.rehearsal.gcp.project import StandInProject
from mldeploy.rehearsal.gcp.run.front_end import render_page
from mldeploy.rehearsal.gcp.tokens import GoogleTokens

INVOKE = "run.routes.invoke"
INVOKERS = frozenset(("roles/run.invoker", "roles/run.servicesInvoker", "roles/run.admin"))
"""Roles with the permission. https://cloud.google.com/run/docs/reference/iam/roles"""
_HEADERS = ("X-Serverless-Authorization", "Authorization")
"""The first one counts, if it is there."""
_REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"


class InvokerCheck:
    """Checks the ID token of a request."""

    def __init__(self, project: StandInProject, tokens: GoogleTokens, iam: ProjectIam) -> None:
        self._project = project
        self._tokens = tokens
        self._iam = iam

    def refuse(self, request: Request, policy: ResourcePolicy, audiences: Sequence[str]) -> Response | None:
        """Return the error response for a request that may not invoke the service, None for others.

        The app gets a valid token without its signature.
        """
        members = policy.members(INVOKERS)
        if "allUsers" in members:
            return None
        header = next((each for each in _HEADERS if each in request.headers), "")
        if not header:
            return _forbidden(request)
        token = request.headers[header].partition(" ")[2]
        accounts = (self._tokens.identity(token, each) for each in audiences)
        account = next((each for each in accounts if each), "")
        if not account:
            return _unauthorized()
        if not self._may(account, members):
            return _forbidden(request)
        request.environ[f"HTTP_{header.upper().replace('-', '_')}"] = f"Bearer {token.rpartition('.')[0]}.{_REMOVED}"
        return None

    def _may(self, account: str, members: frozenset[str]) -> bool:
        if members & {"allAuthenticatedUsers", f"serviceAccount:{account}"}:
            return True
        return account == self._project.account and self._iam.allows(INVOKE)


def _forbidden(request: Request) -> Response:
    """https://cloud.google.com/run/docs/troubleshooting#unauthorized-client"""
    return render_page(
        403, "Forbidden", f"Your client does not have permission to get URL {request.path} from this server."
    )


def _unauthorized() -> Response:
    """https://cloud.google.com/run/docs/troubleshooting#401"""
    response = render_page(401, "Unauthorized", "Your client does not have permission to the requested URL.")
    response.headers["WWW-Authenticate"] = (
        'Bearer error="invalid_token" error_description="The access token could not be verified"'
    )
    return response
