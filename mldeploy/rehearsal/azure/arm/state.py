"""The state of a subscription. Long-running changes complete on the first access after they are due."""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mldeploy.rehearsal.azure.arm.custom_roles import CustomRole, check_caller, check_linked
from mldeploy.rehearsal.azure.arm.resource_types import ALWAYS_REGISTERED, ResourceType
from mldeploy.rehearsal.azure.arm.schema import ArmError, Json

SUBSCRIPTION = "6f1b0c3e-52a4-4c8e-9d0b-0a5e7c1d4f21"
TENANT = "b3d1c9a7-8e42-4f6d-a1c5-7f2e9d8b6a34"
CALLER = "0d6f5b1e-1c0a-4a6b-9a53-3f2b8c7d9e10"
"""The object id of the principal of the rehearsal's credentials."""
REGION = "westeurope"


def _do_nothing() -> None:
    """Do nothing on removal."""


@dataclass(eq=False)
class ArmResource:
    """id, name: in the capitalization of the first request. body: the other members of its representation.

    created_at: creation time on the account's clock. done_at: when the current change is complete. state: the
    provisioningState until then; final_state: afterwards. on_removed: called after the removal.
    """

    id: str
    kind: ResourceType
    name: str
    body: Json
    created_at: float
    done_at: float = 0.0
    state: str = "Succeeded"
    final_state: str = "Succeeded"
    on_removed: Callable[[], None] = _do_nothing

    @property
    def tags(self) -> Mapping[str, str]:
        return self.body.get("tags") or {}

    @property
    def properties(self) -> Json:
        properties: Json = self.body.setdefault("properties", {})
        return properties


@dataclass(frozen=True)
class ArmOperation:
    """A long-running operation. ready: when it is complete at the earliest. is_done: whether its work is done.

    result: returns the response body. failure: returns its error, once the work is done.
    """

    ready: float
    result: Callable[[], Json | None] = lambda: None
    failure: Callable[[], ArmError | None] = lambda: None
    is_done: Callable[[], bool] = lambda: True


@dataclass
class SubscriptionConditions:
    """Conditions that a test sets. taken: global names of other customers, as lower-case (type, name).

    limits: the quota of instances by tier. secrets: the key vaults' secrets by URI. records: DNS records by type and
    name.
    failures: errors of the next registry operations. unknown_roles: role checks that still fail.
    roles: the custom roles of the caller; None: the caller is an Owner. used: the actions that the caller needed.
    harsh_since: the time from which Azure is as a new subscription may meet it. begun: what has occurred once since.
    """

    taken: set[tuple[str, str]] = field(default_factory=set)
    limits: dict[str, int] = field(default_factory=dict)
    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    failures: list[ArmError] = field(default_factory=list)
    unknown_roles: int = 0
    roles: Sequence[CustomRole] | None = None
    used: set[str] = field(default_factory=set)
    harsh_since: float = math.inf
    begun: set[str] = field(default_factory=set)

    @property
    def is_harsh(self) -> bool:
        return self.harsh_since < math.inf


class SubscriptionState:
    """A subscription. Hold `lock` to read or write. pace: seconds that a long-running operation takes at least."""

    def __init__(self, pace: float) -> None:
        self.pace = pace
        self.lock = threading.RLock()
        self._reset()

    def _reset(self) -> None:
        self._stopped_at: float | None = None
        self.conditions = SubscriptionConditions()
        self.registered: dict[str, float] = {each.lower(): 0.0 for each in ALWAYS_REGISTERED}
        self._resources: dict[str, ArmResource] = {}
        self._operations: dict[str, ArmOperation] = {}

    @property
    def now(self) -> float:
        """Seconds on the subscription's clock."""
        return time.monotonic() if self._stopped_at is None else self._stopped_at

    def run_clock(self, *, runs: bool) -> None:
        """Stop the subscription's clock, or let it run again: it then shows what it would without the stop."""
        self._stopped_at = None if runs else self.now

    @property
    def propagation_delay(self) -> float:
        """The propagation delay of new resources in seconds."""
        return 2 * self.pace

    def authorize(self, action: str, scope: str) -> None:
        """Check that the caller may perform an action on a resource. Raises ArmError, 403."""
        self.conditions.used.add(action.lower())
        check_caller(self.conditions.roles, CALLER, action, scope)

    def authorize_linked(self, action: str, linked: str, resource: str) -> None:
        """Check the action `linked` on a resource that a request of the caller names. Raises ArmError, 403."""
        self.conditions.used.add(linked.lower())
        check_linked(self.conditions.roles, CALLER, action, (linked, resource))

    def is_first(self, what: str, resource: ArmResource) -> bool:
        """Whether something happens for the first time to a resource of a harsh subscription. It is to fail then."""
        conditions, key = self.conditions, f"{what} {resource.id.lower()} {resource.created_at}"
        if resource.created_at < conditions.harsh_since or key in conditions.begun:
            return False
        conditions.begun.add(key)
        return True

    def reset(self) -> None:
        """Reset to a new subscription."""
        with self.lock:
            gone = list(self._resources.values())
            self._reset()
        for each in gone:
            each.on_removed()

    def complete_due_changes(self) -> None:
        """Complete the changes that are due."""
        for identity, each in list(self._resources.items()):
            if self.now >= each.done_at and each.state != each.final_state:
                if each.state == "Deleting":
                    del self._resources[identity]
                    each.on_removed()
                else:
                    each.state = each.final_state

    def find(self, identity: str) -> ArmResource | None:
        return self._resources.get(identity.lower())

    def get(self, identity: str) -> ArmResource:
        """Return a resource by id. Raises ArmError, 404."""
        resource = self.find(identity)
        if resource is None:
            raise not_found_error(identity)
        return resource

    def add(self, resource: ArmResource) -> ArmResource:
        self._resources[resource.id.lower()] = resource
        return resource

    def list_resources(self, *kinds: ResourceType, within: str = "") -> Iterator[ArmResource]:
        """Yield the resources of some types; of all types if none is given. within: the id of an ancestor."""
        for identity, each in list(self._resources.items()):
            if (not kinds or each.kind in kinds) and identity.startswith(f"{within.lower()}/"):
                yield each

    def begin_change(self, resource: ArmResource, state: str, final_state: str = "Succeeded") -> None:
        """Begin a change of a resource. state: the provisioningState during the change."""
        resource.state, resource.final_state, resource.done_at = state, final_state, self.now + self.pace
        self.complete_due_changes()

    def remove(self, resource: ArmResource) -> None:
        """Remove a resource and its child resources at once."""
        for each in [resource, *self.list_resources(within=resource.id)]:
            if self._resources.pop(each.id.lower(), None):
                each.on_removed()

    def begin_operation(
        self,
        result: Callable[[], Json | None],
        failure: Callable[[], ArmError | None] = lambda: None,
        is_done: Callable[[], bool] = lambda: True,
    ) -> str:
        """Begin a long-running operation. Return its id. failure, is_done: see `ArmOperation`."""
        identity = str(uuid.uuid4())
        self._operations[identity] = ArmOperation(self.now + self.pace, result, failure, is_done)
        return identity

    def get_operation(self, identity: str) -> ArmOperation:
        """Return an operation by id. Raises ArmError, 404."""
        identity = identity.removeprefix("registries-")
        if identity not in self._operations:
            raise ArmError(404, "OperationNotFound", f"The operation '{identity}' was not found.")
        return self._operations[identity]


def group_deletion_error(group: ArmResource) -> ArmError:
    """Return the error for a change in a resource group that is being deleted."""
    what = f"The resource group '{group.name}' is in deprovisioning state and cannot perform this operation."
    return ArmError(409, "ResourceGroupBeingDeleted", what)


def not_found_error(identity: str) -> ArmError:
    """Return the error for a resource or resource group that does not exist."""
    parts = identity.strip("/").split("/")
    if len(parts) <= 4:
        return ArmError(404, "ResourceGroupNotFound", f"Resource group '{parts[-1]}' could not be found.")
    path = parts[parts.index("providers") + 1 :] if "providers" in parts else parts
    kind, name = "/".join([path[0], *path[1::2]]), "/".join(path[2::2])
    group = parts[3]
    message = f"The Resource '{kind}/{name}' under resource group '{group}' was not found."
    more = "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    return ArmError(404, "ResourceNotFound", f"{message} {more}")
