"""Resource Manager's HTTP layer: checks API version, subscription, registration and group for all types."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.azure.arm.resource_types import LOCATIONS, NAMESPACES, ResourceType
from mldeploy.rehearsal.azure.arm.routes import ArmRequest, ArmResponse, MatchedRoute, Router
from mldeploy.rehearsal.azure.arm.schema import ArmError, Json
from mldeploy.rehearsal.azure.arm.state import REGION, SUBSCRIPTION, SubscriptionState, group_deletion_error

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class ArmApplication:
    """A WSGI application. base: its URL, without a path."""

    def __init__(self, account: SubscriptionState, router: Router, base: str) -> None:
        self._account = account
        self._router = router
        self._base = base

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            response = _build_response(self._answer(request))
        except ArmError as refusal:
            response = refusal.response()
        response.headers["x-ms-request-id"] = response.headers["x-ms-correlation-request-id"] = str(uuid.uuid4())
        return response(environ, start)

    def _answer(self, request: Request) -> ArmResponse:
        match = self._router.find(request.method, request.path)
        if match is None:
            what = f"The resource type could not be found for '{request.method} {request.path}'."
            raise ArmError(404, "InvalidResourceType", what)
        _check_version(request, match.route.kind)
        body = _parse_body(request)
        with self._account.lock:
            self._account.complete_due_changes()
            self._account.authorize(match.action, request.path)
            self._check_scope(request.method, match)
            query = request.args.to_dict()
            arm_request = ArmRequest(self._account, self._base, request.path.rstrip("/"), match.parameters, query, body)
            answer = match.route.handler(arm_request)
            return _extend(answer) if self._account.conditions.is_harsh else answer

    def _check_scope(self, method: str, match: MatchedRoute) -> None:
        """Check that subscription, group and registration exist. Raises ArmError."""
        account, named = self._account, match.parameters
        if named.get("subscription", SUBSCRIPTION).lower() != SUBSCRIPTION:
            what = f"The subscription '{named['subscription']}' could not be found."
            raise ArmError(404, "SubscriptionNotFound", what)
        if "group" in named and not match.route.endpoint.endswith("/{group}"):
            group = account.get(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{named['group']}")
            if group.state == "Deleting" and method in ("PUT", "PATCH"):
                raise group_deletion_error(group)
        namespace = match.route.kind.namespace
        if account.registered.get(namespace.lower(), account.now + 1) > account.now:
            what = f"The subscription is not registered to use namespace '{namespace}'."
            how = "See https://aka.ms/rps-not-found for how to register subscriptions."
            raise ArmError(409, "MissingSubscriptionRegistration", f"{what} {how}")


def _extend(answer: ArmResponse) -> ArmResponse:
    """Add members that no API version of today has, and write the region as App Service may do."""
    body = answer.body
    if not isinstance(body, dict):
        return answer
    if isinstance(body.get("value"), list):
        return replace(answer, body={**body, "value": [_extend_resource(each) for each in body["value"]]})
    return replace(answer, body=_extend_resource(body))


def _extend_resource(body: Json) -> Json:
    properties = body.get("properties")
    if not isinstance(properties, dict) or str(body.get("type", "")).endswith("/config"):
        return body
    more = {"newMember": {"a": [1]}, "properties": {**properties, "newProperty": "of a later API version"}}
    region = {"location": "West Europe"} if body.get("location") == REGION and "serverFarmId" in properties else {}
    return {**body, **more, **region}


def _check_version(request: Request, kind: ResourceType) -> None:
    version = request.args.get("api-version")
    if not version:
        what = "The api-version query parameter (?api-version=) is required for all requests."
        raise ArmError(400, "MissingApiVersionParameter", what)
    if version not in kind.versions:
        what = f"No registered resource provider found for API version '{version}' for type '{kind.type}'."
        known = f"The supported api-versions are '{', '.join(kind.versions)}'."
        raise ArmError(400, "NoRegisteredProviderFound", f"{what} {known}")


def _parse_body(request: Request) -> Json:
    text = request.get_data()
    if not text:
        return {}
    try:
        body = json.loads(text)
    except ValueError as error:
        what = f"The request content was invalid and could not be deserialized: '{error}'."
        raise ArmError(400, "InvalidRequestContent", what) from error
    if not isinstance(body, dict):
        raise ArmError(400, "InvalidRequestContent", "The request content was invalid: an object is expected.")
    return body


def _build_response(answer: ArmResponse) -> Response:
    if isinstance(answer.body, str):
        return Response(answer.body, answer.status, answer.headers, content_type="application/octet-stream")
    text = "" if answer.body is None else json.dumps(answer.body)
    return Response(text, answer.status, answer.headers, content_type="application/json; charset=utf-8")


def check_location(body: Json) -> str:
    """Return the normalized region of a request body. Raises ArmError."""
    location = body.get("location")
    if not location:
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    written = str(location).replace(" ", "").lower()
    if written not in LOCATIONS:
        what = f"The provided location '{location}' is not available for resource type."
        known = f"List of available regions is '{','.join(LOCATIONS)}'."
        raise ArmError(400, "LocationNotAvailableForResourceType", f"{what} {known}")
    return written


def check_namespace(namespace: str) -> str:
    """Return the namespace in Azure's capitalization. Raises ArmError."""
    for each in NAMESPACES:
        if each.lower() == namespace.lower():
            return each
    raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")
