"""Resource Manager: what concerns a project's policy. https://cloud.google.com/resource-manager/reference/rest/v1"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request

from mldeploy.rehearsal.gcp.compute.api import json_response
from mldeploy.rehearsal.gcp.errors import ApiError, Code, permission_denied
from mldeploy.rehearsal.gcp.iam import ProjectIam
from mldeploy.rehearsal.gcp.project import StandInProject
from mldeploy.rehearsal.gcp.tokens import GoogleAuthenticator

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SERVICE = "cloudresourcemanager.googleapis.com"
TEST, READ = "testIamPermissions", "getIamPolicy"
PERMISSIONS: Mapping[str, str] = {TEST: "resourcemanager.projects.get", READ: "resourcemanager.projects.getIamPolicy"}
"""By method. testIamPermissions needs none; the error for an unknown project names this one."""
PATH = re.compile(rf"/v1/projects/(?P<project>[^/:]+):(?P<method>{TEST}|{READ})")
_MOST = 100


class ResourceManagerApi:
    """A WSGI application."""

    def __init__(self, project: StandInProject, authenticator: GoogleAuthenticator, iam: ProjectIam) -> None:
        self._project = project
        self._authenticator = authenticator
        self._iam = iam

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            answer = json_response(self._answer(request))
        except ApiError as error:
            answer = json_response(error.body, error.http_status)
        return answer(environ, start)

    def _answer(self, request: Request) -> Mapping[str, object]:
        parts = PATH.fullmatch(request.path)
        if parts is None or request.method != "POST":
            raise ApiError(Code.UNIMPLEMENTED, f"{request.method} {request.path} is not rehearsed")
        if not self._project.is_called(parts["project"]):
            raise permission_denied(PERMISSIONS[parts["method"]], f"projects/{parts['project']}")
        self._authenticator.require(SERVICE)
        if parts["method"] == READ:
            self._iam.require(PERMISSIONS[READ])
            return {"version": 1, "bindings": self._iam.bindings}
        permissions = [str(each) for each in request.get_json().get("permissions", ())]
        if len(permissions) > _MOST:
            raise ApiError(Code.INVALID_ARGUMENT, f"At most {_MOST} permissions can be tested at once.")
        return {"permissions": [each for each in permissions if self._iam.has(each)]}
