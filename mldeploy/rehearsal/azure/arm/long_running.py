"""Long-running operations: status and result endpoints. Standard: ARM, "Asynchronous operations".

The addresses have the form of the real ones, since each needs a permission of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from mldeploy.rehearsal.azure.arm.resource_types import OPERATION
from mldeploy.rehearsal.azure.arm.routes import SUBSCRIPTION, ArmRequest, ArmResponse, ArmRoute
from mldeploy.rehearsal.azure.arm.schema import ArmError, Json
from mldeploy.rehearsal.azure.arm.state import SUBSCRIPTION as OURS
from mldeploy.rehearsal.azure.arm.state import ArmOperation, ArmResource

STATUSES, RESULTS = "operationStatuses", "operationresults"
SUBSCRIPTION_RESULTS = f"/subscriptions/{OURS}/{RESULTS}/"
"""The results of operations on resource groups."""


def add_status_url(
    request: ArmRequest, answer: ArmResponse, address: str, failure: ArmError | None = None
) -> ArmResponse:
    """Begin an operation and add the URL of its status to a response.

    address: the URL's path, up to the operation's id. failure: its error, if it does not succeed.
    """
    url = operation_url(request, address, request.account.begin_operation(lambda: None, lambda: failure))
    return replace(answer, headers={"Azure-AsyncOperation": url, **retry_header(request)})


def accept_operation(
    request: ArmRequest, result: Callable[[], Json | None], address: str, body: Json | None = None
) -> ArmResponse:
    """Begin an operation. Return 202 with the URL of its result. result: returns the response body."""
    url = operation_url(request, address, request.account.begin_operation(result))
    return ArmResponse(202, body, {"Location": url, **retry_header(request)})


def results_of(resource: ArmResource) -> str:
    """Return the address of the results of operations on a resource of App Service."""
    return f"{resource.id}/{RESULTS}/"


def begin_deletion(request: ArmRequest, resource: ArmResource) -> None:
    """Begin the deletion of a resource and its child resources."""
    for each in [*request.account.list_resources(within=resource.id), resource]:
        request.account.begin_change(each, "Deleting")


def operation_url(request: ArmRequest, address: str, operation: str) -> str:
    """Return the URL of an operation. address: its path, up to the operation's id."""
    return f"{request.base}{address}{operation}?api-version={request.query['api-version']}"


def retry_header(request: ArmRequest) -> dict[str, str]:
    return {"Retry-After": str(math.ceil(request.account.pace))}


def get_status(request: ArmRequest) -> ArmResponse:
    """Answer a GET of an operation's status."""
    operation = request.account.get_operation(request["operation"])
    body: Json = {"id": request.path, "name": request["operation"], "status": "Succeeded"}
    if _is_pending(request, operation):
        return ArmResponse(200, {**body, "status": "InProgress"}, retry_header(request))
    if failure := operation.failure():
        return ArmResponse(200, {**body, "status": "Failed", **failure.body})
    return ArmResponse(200, body)


def get_result(request: ArmRequest) -> ArmResponse:
    """Answer a GET of an operation's result: 202 until it is complete."""
    operation = request.account.get_operation(request["operation"])
    if _is_pending(request, operation):
        here = f"{request.base}{request.path}?api-version={request.query['api-version']}"
        return ArmResponse(202, None, {"Location": here, **retry_header(request)})
    if failure := operation.failure():
        raise failure
    return ArmResponse(200, operation.result())


def _is_pending(request: ArmRequest, operation: ArmOperation) -> bool:
    return request.account.now < operation.ready or not operation.is_done()


ROUTES = (
    ArmRoute(
        f"GET {SUBSCRIPTION}/{RESULTS}/{{operation}}",
        OPERATION,
        get_result,
        f"Microsoft.Resources/subscriptions/{RESULTS}/read",
    ),
    ArmRoute(f"GET {{scope}}/{STATUSES}/{{operation}}", OPERATION, get_status),
    ArmRoute(f"GET {{scope}}/{RESULTS}/{{operation}}", OPERATION, get_result),
)
