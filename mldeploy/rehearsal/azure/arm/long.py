"""What takes its time: it is answered at once, and asked about later. Standard: ARM, "Asynchronous operations"."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from mldeploy.rehearsal.azure.arm.account import REGION, Resource
from mldeploy.rehearsal.azure.arm.account import SUBSCRIPTION as OURS
from mldeploy.rehearsal.azure.arm.errors import ArmError
from mldeploy.rehearsal.azure.arm.kinds import OPERATION
from mldeploy.rehearsal.azure.arm.routes import SUBSCRIPTION, Answer, Question, Route
from mldeploy.rehearsal.azure.arm.shape import Json

_STATUSES = "operationStatuses"
_RESULTS = "operationResults"


def with_status(asked: Question, answer: Answer, kind: str, failure: ArmError | None = None) -> Answer:
    """The same with the address at which the state of what has begun can be read.

    kind: `Microsoft.Web/sites`. failure: how it ends, if it does not succeed.
    """
    where = _address(asked, _STATUSES, kind.partition("/")[0], asked.account.begin(lambda: None, failure))
    return replace(answer, headers={"Azure-AsyncOperation": where, **_later(asked)})


def with_location(asked: Question, told: Callable[[], Json | None], kind: str, body: Json | None = None) -> Answer:
    """202, with the address at which the result will be. told: what it is."""
    where = _address(asked, _RESULTS, kind.partition("/")[0], asked.account.begin(told))
    return Answer(202, body, {"Location": where, **_later(asked)})


def leave(asked: Question, resource: Resource) -> None:
    """It is on its way out, with all that is below it."""
    for each in [*asked.account.of(within=resource.id), resource]:
        asked.account.busy(each, "Deleting")


def _address(asked: Question, style: str, namespace: str, operation: str) -> str:
    version = asked.query["api-version"]
    path = f"/subscriptions/{OURS}/providers/{namespace}/locations/{REGION}/{style}/{operation}"
    return f"{asked.base}{path}?api-version={version}"


def _later(asked: Question) -> dict[str, str]:
    return {"Retry-After": str(math.ceil(asked.account.pace))}


def _status(asked: Question) -> Answer:
    operation = asked.account.operation(asked["operation"])
    body: Json = {"id": asked.path, "name": asked["operation"], "status": "Succeeded"}
    if asked.account.now < operation.ready:
        return Answer(200, {**body, "status": "InProgress"}, _later(asked))
    if operation.failure is not None:
        return Answer(200, {**body, "status": "Failed", **operation.failure.body})
    return Answer(200, body)


def _result(asked: Question) -> Answer:
    operation = asked.account.operation(asked["operation"])
    if asked.account.now < operation.ready:
        here = f"{asked.base}{asked.path}?api-version={asked.query['api-version']}"
        return Answer(202, None, {"Location": here, **_later(asked)})
    return Answer(200, operation.told())


_PLACE = f"{SUBSCRIPTION}/providers/{{namespace}}/locations/{{location}}"
ROUTES = (
    Route(f"GET {_PLACE}/{_STATUSES}/{{operation}}", OPERATION, _status),
    Route(f"GET {_PLACE}/{_RESULTS}/{{operation}}", OPERATION, _result),
)
