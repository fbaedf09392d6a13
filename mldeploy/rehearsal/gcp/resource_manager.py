"""Resource Manager: testIamPermissions only. https://cloud.google.com/resource-manager/reference/rest/v1"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request

from mldeploy.rehearsal.gcp.compute.api import json_response
from mldeploy.rehearsal.gcp.errors import ApiError, Code, permission_denied
from mldeploy.rehearsal.gcp.project import StandInProject
from mldeploy.rehearsal.gcp.tokens import GoogleAuthenticator

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SERVICE = "cloudresourcemanager.googleapis.com"
PERMISSION = "resourcemanager.projects.get"
"""Named in the error for an unknown project. testIamPermissions itself needs no permission."""
PATH = re.compile(r"/v1/projects/(?P<project>[^/:]+):testIamPermissions")
_MOST = 100


class ResourceManagerApi:
    """A WSGI application. The rehearsal's account has all permissions."""

    def __init__(self, project: StandInProject, authenticator: GoogleAuthenticator) -> None:
        self._project = project
        self._authenticator = authenticator

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            answer = json_response({"permissions": self._granted(request)})
        except ApiError as error:
            answer = json_response(error.body, error.http_status)
        return answer(environ, start)

    def _granted(self, request: Request) -> list[str]:
        parts = PATH.fullmatch(request.path)
        if parts is None or request.method != "POST":
            raise ApiError(Code.UNIMPLEMENTED, f"{request.method} {request.path} is not rehearsed")
        if not self._project.is_called(parts["project"]):
            raise permission_denied(PERMISSION, f"projects/{parts['project']}")
        self._authenticator.require(SERVICE)
        permissions = [str(each) for each in request.get_json().get("permissions", ())]
        if len(permissions) > _MOST:
            raise ApiError(Code.INVALID_ARGUMENT, f"At most {_MOST} permissions can be tested at once.")
        return permissions
