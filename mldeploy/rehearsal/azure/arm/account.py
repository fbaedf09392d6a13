"""What a subscription holds. Things that take their time are done when somebody looks, and enough time has passed."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from mldeploy.rehearsal.azure.arm.errors import ArmError
from mldeploy.rehearsal.azure.arm.kinds import ALWAYS_REGISTERED, Kind
from mldeploy.rehearsal.azure.arm.shape import Json

SUBSCRIPTION = "6f1b0c3e-52a4-4c8e-9d0b-0a5e7c1d4f21"
TENANT = "b3d1c9a7-8e42-4f6d-a1c5-7f2e9d8b6a34"
REGION = "westeurope"


def _nothing() -> None:
    """Nothing besides has to go."""


@dataclass(eq=False)
class Resource:
    """id, name: as they were first written. body: the rest of what Azure shows of it.

    born: on the account's clock. settled: when what is being done to it is done. doing: its provisioningState until
    then; outcome: after it. removed: called once it is gone.
    """

    id: str
    kind: Kind
    name: str
    body: Json
    born: float
    settled: float = 0.0
    doing: str = "Succeeded"
    outcome: str = "Succeeded"
    removed: Callable[[], None] = _nothing

    @property
    def tags(self) -> Mapping[str, str]:
        return self.body.get("tags") or {}

    @property
    def properties(self) -> Json:
        properties: Json = self.body.setdefault("properties", {})
        return properties


@dataclass(frozen=True)
class Operation:
    """Something long. ready: when it is done. told: the body of the answer then. failure: how it ends otherwise."""

    ready: float
    told: Callable[[], Json | None] = lambda: None
    failure: ArmError | None = None


@dataclass
class Orders:
    """What a test wants Azure to be like. taken: names that others in the world have, in small letters, by type.

    limits: how many instances of a tier the region has for this subscription. secrets: what vaults hold, by URI.
    failures: how the next creations of registries end.
    """

    taken: set[tuple[str, str]] = field(default_factory=set)
    limits: dict[str, int] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    failures: list[ArmError] = field(default_factory=list)


class Account:
    """A subscription. Whoever reads or writes holds `lock`. pace: seconds that whatever is long takes at least."""

    def __init__(self, pace: float) -> None:
        self.pace = pace
        self.lock = threading.RLock()
        self._forget()

    def _forget(self) -> None:
        self.orders = Orders()
        self.registered: dict[str, float] = {each.lower(): 0.0 for each in ALWAYS_REGISTERED}
        self._resources: dict[str, Resource] = {}
        self._operations: dict[str, Operation] = {}

    @property
    def now(self) -> float:
        """Seconds on its clock."""
        return time.monotonic()

    @property
    def lag(self) -> float:
        """So many seconds what is new is not known everywhere."""
        return 2 * self.pace

    def clear(self) -> None:
        """A new subscription."""
        with self.lock:
            gone = list(self._resources.values())
            self._forget()
        for each in gone:
            each.removed()

    def settle(self) -> None:
        """Do what is due."""
        for identity, each in list(self._resources.items()):
            if self.now >= each.settled and each.doing != each.outcome:
                if each.doing == "Deleting":
                    del self._resources[identity]
                    each.removed()
                else:
                    each.doing = each.outcome

    def find(self, identity: str) -> Resource | None:
        return self._resources.get(identity.lower())

    def need(self, identity: str) -> Resource:
        """Raises ArmError, 404, if it is not there."""
        found = self.find(identity)
        if found is None:
            raise absent(identity)
        return found

    def add(self, resource: Resource) -> Resource:
        self._resources[resource.id.lower()] = resource
        return resource

    def of(self, *kinds: Kind, within: str = "") -> Iterator[Resource]:
        """All of some kinds. within: an id; those in it, or below it."""
        for identity, each in list(self._resources.items()):
            if (not kinds or each.kind in kinds) and identity.startswith(f"{within.lower()}/"):
                yield each

    def busy(self, resource: Resource, doing: str, outcome: str = "Succeeded") -> None:
        """Something is being done to it from now on."""
        resource.doing, resource.outcome, resource.settled = doing, outcome, self.now + self.pace
        self.settle()

    def remove(self, resource: Resource) -> None:
        """At once, with all that is below it."""
        for each in [resource, *self.of(within=resource.id)]:
            if self._resources.pop(each.id.lower(), None):
                each.removed()

    def begin(self, told: Callable[[], Json | None], failure: ArmError | None = None) -> str:
        """Something long begins; what it is called. failure: how it ends, if it does not succeed."""
        identity = str(uuid.uuid4())
        self._operations[identity] = Operation(self.now + self.pace, told, failure)
        return identity

    def operation(self, identity: str) -> Operation:
        """Raises ArmError, 404."""
        if identity not in self._operations:
            raise ArmError(404, "OperationNotFound", f"The operation '{identity}' was not found.")
        return self._operations[identity]


def being_deleted(group: Resource) -> ArmError:
    """The answer where a group is on its way out."""
    what = f"The resource group '{group.name}' is in deprovisioning state and cannot perform this operation."
    return ArmError(409, "ResourceGroupBeingDeleted", what)


def absent(identity: str) -> ArmError:
    """The answer where there is no such thing."""
    parts = identity.strip("/").split("/")
    if len(parts) <= 4:
        return ArmError(404, "ResourceGroupNotFound", f"Resource group '{parts[-1]}' could not be found.")
    path = parts[parts.index("providers") + 1 :] if "providers" in parts else parts
    kind, name = "/".join([path[0], *path[1::2]]), "/".join(path[2::2])
    group = parts[3]
    message = f"The Resource '{kind}/{name}' under resource group '{group}' was not found."
    more = "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    return ArmError(404, "ResourceNotFound", f"{message} {more}")
