"""What can be asked of Resource Manager: methods and paths, and who answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from mldeploy.rehearsal.azure.arm.account import Account, Resource
from mldeploy.rehearsal.azure.arm.kinds import Kind
from mldeploy.rehearsal.azure.arm.shape import Json

GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"
SUBSCRIPTION = "/subscriptions/{subscription}"


@dataclass(frozen=True)
class Question:
    """A request whose route is known. path: as it was sent. base: the URL of all of it. body: {} if there is none."""

    account: Account
    base: str
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    body: Json

    def __getitem__(self, name: str) -> str:
        return self.parameters[name]

    def cut(self, *endings: str) -> str:
        """The path without what follows the resource's id."""
        lowered = self.path.lower()
        for each in endings:
            if lowered.endswith(each.lower()):
                return self.path[: -len(each)]
        return self.path

    @property
    def resource(self) -> Resource:
        """The one that the path names. Raises ArmError, 404."""
        return self.account.need(self.path)


@dataclass(frozen=True)
class Answer:
    """body: JSON, or text; None: none."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    """order: `PUT /subscriptions/{subscription}/…`; {scope} is any id. kind: whose versions of the API it has.

    action: the permission that it needs; empty: it follows from the path. reads: a POST that changes nothing.
    """

    order: str
    kind: Kind
    answer: Callable[[Question], Answer]
    action: str = ""
    reads: bool = False

    @property
    def is_writing(self) -> bool:
        return not self.reads and not self.order.startswith(("GET ", "HEAD "))


@dataclass(frozen=True)
class Found:
    """A route, and what the path names."""

    route: Route
    parameters: Mapping[str, str]
    action: str


class Router:
    """Finds the route of a request. Paths are compared without regard to capitals, as Azure does."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = [(each, _pattern(each.order)) for each in routes]

    def find(self, method: str, path: str) -> Found | None:
        """None: there is no such thing."""
        for route, pattern in self._routes:
            if match := pattern.fullmatch(f"{method} {path.rstrip('/')}"):
                return Found(route, match.groupdict(), route.action or permission(method, path))
        return None


_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


def permission(method: str, path: str) -> str:
    """The permission that a request about a resource needs: `Microsoft.Web/sites/write`.

    Standard: Azure RBAC, "Resource provider operations".
    """
    parts = path.strip("/").split("/")
    places = [place for place, part in enumerate(parts) if part.lower() == "providers"]
    verb = _VERBS.get(method, "action")
    if not places:
        return f"Microsoft.Resources/{verb}"
    rest = parts[places[-1] + 1 :]
    return "/".join([rest[0], *rest[1::2], verb])


def _pattern(order: str) -> re.Pattern[str]:
    escaped = re.escape(order).replace(r"\{", "{").replace(r"\}", "}")
    text = re.sub(r"\{(\w+)\}", lambda found: f"(?P<{found[1]}>{'.+' if found[1] == 'scope' else '[^/]+'})", escaped)
    return re.compile(text, re.IGNORECASE)
