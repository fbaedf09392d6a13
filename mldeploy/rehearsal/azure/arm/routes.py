"""The routes of Resource Manager: methods, paths, permissions and handlers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from mldeploy.rehearsal.azure.arm.resource_types import ResourceType
from mldeploy.rehearsal.azure.arm.schema import Json
from mldeploy.rehearsal.azure.arm.state import ArmResource, SubscriptionState

GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"
SUBSCRIPTION = "/subscriptions/{subscription}"


@dataclass(frozen=True)
class ArmRequest:
    """A request that a route matches. path: as sent. base: the stand-in's URL. body: {} if the request has none."""

    account: SubscriptionState
    base: str
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    body: Json

    def __getitem__(self, name: str) -> str:
        return self.parameters[name]

    def strip_ending(self, *endings: str) -> str:
        """Return the path without the first matching ending: the resource's id."""
        lowered = self.path.lower()
        for each in endings:
            if lowered.endswith(each.lower()):
                return self.path[: -len(each)]
        return self.path

    @property
    def resource(self) -> ArmResource:
        """The resource of the path. Raises ArmError, 404."""
        return self.account.get(self.path)


@dataclass(frozen=True)
class ArmResponse:
    """body: JSON or text; None: empty."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ArmRoute:
    """endpoint: `PUT /subscriptions/{subscription}/…`; {scope} is any id. kind: determines the API versions.

    action: the needed permission; empty: derived from the path. read_only: a POST without effect.
    """

    endpoint: str
    kind: ResourceType
    handler: Callable[[ArmRequest], ArmResponse]
    action: str = ""
    read_only: bool = False

    @property
    def is_writing(self) -> bool:
        return not self.read_only and not self.endpoint.startswith(("GET ", "HEAD "))


@dataclass(frozen=True)
class MatchedRoute:
    """A route with the parameters of the path. action: the needed permission."""

    route: ArmRoute
    parameters: Mapping[str, str]
    action: str


class Router:
    """Match requests to routes. Paths are case-insensitive, as on Azure."""

    def __init__(self, routes: Iterable[ArmRoute]) -> None:
        self._routes = [(each, _compile_pattern(each.endpoint)) for each in routes]

    def find(self, method: str, path: str) -> MatchedRoute | None:
        """Return the first matching route; None if no route matches."""
        for route, pattern in self._routes:
            if match := pattern.fullmatch(f"{method} {path.rstrip('/')}"):
                return MatchedRoute(route, match.groupdict(), route.action or derive_permission(method, path))
        return None


_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


def derive_permission(method: str, path: str) -> str:
    """Return the permission that a request needs: `Microsoft.Web/sites/write`.

    Standard: Azure RBAC, "Resource provider operations".
    """
    parts = path.strip("/").split("/")
    indexes = [index for index, part in enumerate(parts) if part.lower() == "providers"]
    verb = _VERBS.get(method, "action")
    if not indexes:
        return f"Microsoft.Resources/{verb}"
    rest = parts[indexes[-1] + 1 :]
    return "/".join([rest[0], *rest[1::2], verb])


def _compile_pattern(endpoint: str) -> re.Pattern[str]:
    escaped = re.escape(endpoint).replace(r"\{", "{").replace(r"\}", "}")
    text = re.sub(r"\{(\w+)\}", lambda name: f"(?P<{name[1]}>{'.+' if name[1] == 'scope' else '[^/]+'})", escaped)
    return re.compile(text, re.IGNORECASE)
