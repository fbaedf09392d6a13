"""Resource Manager, as far as it says what a caller may do. https://cloud.google.com/resource-manager/reference/rest/v1"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request

from mldeploy.rehearsal.gcp.compute.rest import written
from mldeploy.rehearsal.gcp.language import Gate
from mldeploy.rehearsal.gcp.project import Project
from mldeploy.rehearsal.gcp.refusals import ApiError, Code, denied

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SERVICE = "cloudresourcemanager.googleapis.com"
PERMISSION = "resourcemanager.projects.get"
"""Of its project everybody may ask what he may do; whoever does not know the project is told this."""
PATH = re.compile(r"/v1/projects/(?P<project>[^/:]+):testIamPermissions")
_MOST = 100


class ResourceManager:
    """A WSGI application. The rehearsal's callers may do everything, and are told so."""

    def __init__(self, project: Project, gate: Gate) -> None:
        self._project = project
        self._gate = gate

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            answer = written({"permissions": self._granted(request)})
        except ApiError as error:
            answer = written(error.body, error.http_status)
        return answer(environ, start)

    def _granted(self, request: Request) -> list[str]:
        parts = PATH.fullmatch(request.path)
        if parts is None or request.method != "POST":
            raise ApiError(Code.UNIMPLEMENTED, f"{request.method} {request.path} is not rehearsed")
        if not self._project.is_called(parts["project"]):
            raise denied(PERMISSION, f"projects/{parts['project']}")
        self._gate.require(SERVICE)
        asked = [str(each) for each in request.get_json().get("permissions", ())]
        if len(asked) > _MOST:
            raise ApiError(Code.INVALID_ARGUMENT, f"At most {_MOST} permissions can be tested at once.")
        return asked
