"""Custom roles of the caller: which actions exist, and what a caller with certain roles may do.

Standard: Azure RBAC, "Azure custom roles"; the actions are in `operations.txt`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mldeploy.rehearsal.azure.arm.schema import ArmError

_FILE = Path(__file__).with_name("operations.txt")
_DATA = " (data)"


@dataclass(frozen=True)
class CustomRole:
    """A role and its assignment to the caller. scope: a subscription or a resource group. All in lower case."""

    scope: str
    actions: frozenset[str]
    data_actions: frozenset[str]

    def allows(self, action: str, resource: str, *, data: bool = False) -> bool:
        """Whether the role allows an action on a resource."""
        within = f"{resource.lower()}/".startswith(f"{self.scope}/")
        return within and action.lower() in (self.data_actions if data else self.actions)


@cache
def known_actions() -> Mapping[bool, frozenset[str]]:
    """The actions that Microsoft publishes, in lower case: data actions under True, all others under False."""
    found: dict[bool, set[str]] = {False: set(), True: set()}
    prefix, data = "", False
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line.endswith(":") and not line.startswith("#"):
            prefix, data = line[:-1].removesuffix(_DATA).lower(), _DATA in line
        elif line.startswith(" "):
            found[data] |= {f"{prefix}/{each.lower()}" for each in line.split()}
    return MappingProxyType({each: frozenset(actions) for each, actions in found.items()})


def parse_role(definition: Mapping[str, Any]) -> CustomRole:
    """Read the input of `az role definition create`. Raises ArmError for an action that does not exist."""
    actions, data_actions = definition["Actions"], definition["DataActions"]
    unknown = [*_unknown(actions, data=False), *_unknown(data_actions, data=True)]
    if unknown:
        what = f"'{unknown[0]}' does not match any of the actions supported by the providers."
        raise ArmError(400, "InvalidActionOrNotAction", what)
    (scope,) = definition["AssignableScopes"]
    return CustomRole(scope.lower(), _lowered(actions), _lowered(data_actions))


def check_caller(roles: Sequence[CustomRole] | None, who: str, action: str, scope: str) -> None:
    """Raises ArmError, 403, if the caller's roles do not allow an action. roles: None for an Owner."""
    if roles is None or any(each.allows(action, scope) for each in roles):
        return
    what = f"does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid."
    more = "If access was recently granted, please refresh your credentials."
    raise ArmError(403, "AuthorizationFailed", f"The client '{who}' with object id '{who}' {what} {more}")


def check_linked(roles: Sequence[CustomRole] | None, who: str, action: str, linked: tuple[str, str]) -> None:
    """Check the action on another resource that a request names. linked: that action and the resource.

    Raises ArmError, 403. Standard: ARM, `LinkedAuthorizationFailed`.
    """
    needed, scope = linked
    if roles is None or any(each.allows(needed, scope) for each in roles):
        return
    may = f"The client '{who}' with object id '{who}' has permission to perform action '{action}'"
    not_may = f"however, it does not have permission to perform action(s) '{needed}' on the linked scope(s) '{scope}'"
    raise ArmError(403, "LinkedAuthorizationFailed", f"{may}; {not_may} or the linked scope(s) are invalid.")


def _unknown(actions: Iterable[str], *, data: bool) -> Iterator[str]:
    yield from (each for each in actions if each.lower() not in known_actions()[data])


def _lowered(actions: Iterable[str]) -> frozenset[str]:
    return frozenset(each.lower() for each in actions)
