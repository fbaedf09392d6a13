"""Long-running operations of `Microsoft.App`. Their addresses have the real form, since each needs a permission.

Standard: azure-rest-api-specs, Microsoft.App: 201 with `Azure-AsyncOperation`, or 202 with `Location`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mldeploy.rehearsal.azure.arm.long_running import get_result, get_status, operation_url, retry_header
from mldeploy.rehearsal.azure.arm.resource_types import APP_OPERATION
from mldeploy.rehearsal.azure.arm.routes import SUBSCRIPTION, ArmRequest, ArmResponse, ArmRoute
from mldeploy.rehearsal.azure.arm.schema import ArmError, Json
from mldeploy.rehearsal.azure.arm.state import SUBSCRIPTION as OURS
from mldeploy.rehearsal.azure.arm.state import ArmResource, SubscriptionState

APP, ENVIRONMENT, CERTIFICATE = "containerapp", "managedEnvironment", "managedCertificate"
_LOCATIONS = "providers/Microsoft.App/locations"


@dataclass
class ResourceChange:
    """A change of a resource whose work takes as long as it takes. state: the provisioningState meanwhile.

    Use it with the account's lock.
    """

    account: SubscriptionState
    resource: ArmResource
    state: str = "InProgress"
    begun: float = field(init=False)
    is_done: bool = False
    failure: ArmError | None = None

    def __post_init__(self) -> None:
        self.begun = self.account.now
        self.resource.state, self.resource.final_state = self.state, "Succeeded"
        self.resource.done_at = math.inf

    def finish(self, failure: ArmError | None = None) -> None:
        """End the change. The resource shows it once an operation has taken its least time."""
        self.is_done, self.failure = True, failure
        if self.resource.state == self.state:
            self.resource.final_state = "Failed" if failure else "Succeeded"
            self.resource.done_at = self.begun + self.account.pace
            self.account.complete_due_changes()


@dataclass(frozen=True)
class AppOperation:
    """The kind of an operation and the resource that it changes. change: its work; None: nothing but time."""

    kind: str
    resource: ArmResource
    change: ResourceChange | None = None
    result: Callable[[], Json | None] = lambda: None

    def add_status(self, request: ArmRequest, answer: ArmResponse) -> ArmResponse:
        """Begin it, and add the URL of its status to the response to a PUT."""
        url = f"{self._begin(request, 'OperationStatuses')}&azureAsyncOperation=true"
        return replace(answer, headers={"Azure-AsyncOperation": url, **retry_header(request)})

    def accept(self, request: ArmRequest) -> ArmResponse:
        """Begin it. Return 202 with the URL of its result."""
        return ArmResponse(202, None, {"Location": self._begin(request, "OperationResults"), **retry_header(request)})

    def _begin(self, request: ArmRequest, what: str) -> str:
        address = f"/subscriptions/{OURS}/{_LOCATIONS}/{self.resource.body['location']}/{self.kind}{what}/"
        change = self.change
        if change is None:
            operation = request.account.begin_operation(self.result)
        else:
            operation = request.account.begin_operation(self.result, lambda: change.failure, lambda: change.is_done)
        return operation_url(request, address, operation)


ROUTES = tuple(
    ArmRoute(f"GET {SUBSCRIPTION}/{_LOCATIONS}/{{region}}/{kind}{what}/{{operation}}", APP_OPERATION, handler)
    for kind in (APP, ENVIRONMENT, CERTIFICATE)
    for what, handler in (("OperationStatuses", get_status), ("OperationResults", get_result))
)
