"""Orders that only this stand-in takes: what Azure is to be like, beyond the faults of its front door."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from werkzeug.wrappers import Request

from mldeploy.rehearsal.azure.arm.account import Account
from mldeploy.rehearsal.azure.arm.errors import ArmError


def orders(account: Account) -> Mapping[str, Callable[[Request], object]]:
    """As `Control` takes them. They hold until the next reset."""

    def take(request: Request) -> None:
        content = request.get_json()
        with account.lock:
            account.orders.taken.add((content["type"].lower(), content["name"].lower()))

    def limit(request: Request) -> None:
        content = request.get_json()
        with account.lock:
            account.orders.limits[content["tier"]] = int(content["limit"])

    def keep(request: Request) -> None:
        content = request.get_json()
        with account.lock:
            account.orders.secrets[content["uri"].lower()] = content["value"]

    def unregister(request: Request) -> None:
        with account.lock:
            account.registered.pop(request.get_json()["namespace"].lower(), None)

    def fail(request: Request) -> None:
        content = request.get_json()
        with account.lock:
            account.orders.failures.append(ArmError(409, content["code"], content["message"]))

    return {
        "POST taken": take,
        "POST limit": limit,
        "POST secret": keep,
        "POST unregistered": unregister,
        "POST failure": fail,
    }
