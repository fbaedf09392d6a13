"""The operations of the control API that set the conditions of a subscription. Their effects last until the reset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from werkzeug.wrappers import Request

from mldeploy.rehearsal.azure.arm.custom_roles import parse_role
from mldeploy.rehearsal.azure.arm.schema import ArmError
from mldeploy.rehearsal.azure.arm.state import SubscriptionState

Change = Callable[[SubscriptionState, Any], object]


def condition_operations(account: SubscriptionState) -> Mapping[str, Callable[[Request], object]]:
    """Return the operations for `ControlApi`."""

    def locked(change: Change) -> Callable[[Request], object]:
        def operate(request: Request) -> object:
            with account.lock:
                return change(account, request.get_json() if request.method == "POST" else None)

        return operate

    return {route: locked(change) for route, change in _CHANGES.items()}


def _use_name(account: SubscriptionState, content: Any) -> None:
    account.conditions.taken.add((content["type"].lower(), content["name"].lower()))


def _set_quota(account: SubscriptionState, content: Any) -> None:
    account.conditions.limits[content["tier"]] = int(content["limit"])


def _add_secret(account: SubscriptionState, content: Any) -> None:
    account.conditions.secrets[content["uri"].lower()] = content["value"]


def _set_records(account: SubscriptionState, content: Any) -> None:
    account.conditions.records[(content["type"], content["name"].lower())] = list(content["values"])


def _unregister(account: SubscriptionState, content: Any) -> None:
    account.registered.pop(content["namespace"].lower(), None)


def _fail_registry(account: SubscriptionState, content: Any) -> None:
    account.conditions.failures.append(ArmError(409, content["code"], content["message"]))


def _delay_roles(account: SubscriptionState, content: Any) -> None:
    account.conditions.unknown_roles = int(content["requests"])


def _restrict(account: SubscriptionState, content: Any) -> str:
    """Give the caller these roles only. Return the error of a role that Azure would not create; empty: none."""
    try:
        account.conditions.roles = tuple(parse_role(each) for each in content["roles"])
    except ArmError as refusal:
        return f"{refusal.code}: {refusal.message}"
    account.conditions.used.clear()
    return ""


def _be_harsh(account: SubscriptionState, _content: Any) -> None:
    account.conditions.harsh_since = account.now


def _run_clock(account: SubscriptionState, content: Any) -> None:
    account.run_clock(runs=bool(content["runs"]))


def _used_actions(account: SubscriptionState, _content: Any) -> list[str]:
    return sorted(account.conditions.used)


_CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        "POST roles": _delay_roles,
        "POST taken": _use_name,
        "POST limit": _set_quota,
        "POST records": _set_records,
        "POST secret": _add_secret,
        "POST unregistered": _unregister,
        "POST failure": _fail_registry,
        "POST caller": _restrict,
        "GET used": _used_actions,
        "POST harsh": _be_harsh,
        "POST clock": _run_clock,
    }
)
