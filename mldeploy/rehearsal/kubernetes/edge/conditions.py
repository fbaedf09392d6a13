"""Status conditions of GatewayClass, Gateway and HTTPRoute.

https://gateway-api.sigs.k8s.io/geps/gep-1364/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mldeploy.rehearsal.kubernetes.edge.route_binding import GROUP, GatewayListener, RouteBinding, RouteCondition
from mldeploy.rehearsal.kubernetes.objects.store import now
from mldeploy.rehearsal.kubernetes.objects.types import Object

_KINDS = [{"group": GROUP, "kind": "HTTPRoute"}]


def gateway_conditions(listeners: Sequence[GatewayListener], address: str, why_not: str) -> Sequence[RouteCondition]:
    """The conditions of a Gateway. address: "" while it has none. why_not: the reason that it cannot have one."""
    bad = [each.name for each in listeners if not each.is_good]
    if bad:
        text = f"Gateway has listeners that are not valid: {', '.join(bad)}"
        accepted = RouteCondition("Accepted", len(bad) < len(listeners), "ListenersNotValid", text)
    else:
        accepted = RouteCondition("Accepted", True, "Accepted", "Gateway is accepted")
    if why_not:
        return accepted, RouteCondition("Programmed", False, "AddressNotUsable", why_not)
    if len(bad) == len(listeners):
        return accepted, RouteCondition("Programmed", False, "Invalid", "Gateway has no listener that is valid")
    if not address:
        return accepted, RouteCondition("Programmed", False, "Pending", "Gateway has no address yet")
    return accepted, RouteCondition("Programmed", True, "Programmed", "Gateway is programmed")


def update_class_status(made: Object) -> None:
    conditions = RouteCondition("Accepted", True, "Accepted", "GatewayClass is accepted")
    made["status"] = {
        **made.get("status", {}),
        "conditions": merge_conditions(made.get("status", {}), [conditions], made),
    }


def update_gateway_status(
    conditions: Sequence[RouteCondition],
    listeners: Sequence[GatewayListener],
    counts: Mapping[str, int],
    address: str,
    made: Object,
) -> None:
    """Write a Gateway's status. counts: attached routes by listener."""
    before = made.get("status", {})
    there = {each["name"]: each for each in before.get("listeners", ())}
    made["status"] = {
        "addresses": [{"type": "IPAddress", "value": address}] if address else [],
        "conditions": merge_conditions(before, conditions, made),
        "listeners": [
            {
                "name": each.name,
                "supportedKinds": _KINDS if not each.unsupported[0] else [],
                "attachedRoutes": counts[each.name],
                "conditions": merge_conditions(
                    there.get(each.name, {}), _listener_conditions(each, bool(address)), made
                ),
            }
            for each in listeners
        ],
    }


def update_route_status(controller: str, bindings: Sequence[tuple[Object, RouteBinding]], made: Object) -> None:
    """Write the route's status; entries of other controllers are kept."""
    before = (made.get("status") or {}).get("parents", ())
    others = [each for each in before if each["controllerName"] != controller]
    if not bindings and len(others) == len(before):
        return
    mine = []
    for reference, attachment in bindings:
        own = [each for each in before if (each["controllerName"], each["parentRef"]) == (controller, reference)]
        old: Object = next(iter(own), {})
        conditions = merge_conditions(old, (attachment.accepted, attachment.resolved), made)
        mine.append({"parentRef": reference, "controllerName": controller, "conditions": conditions})
    made["status"] = {"parents": [*others, *mine]}


def merge_conditions(before: Object, conditions: Sequence[RouteCondition], about: Object) -> list[Object]:
    """Build conditions; lastTransitionTime changes only with the status."""
    there = {each["type"]: each for each in before.get("conditions", ())}
    made = []
    for each in conditions:
        status = "True" if each.so else "False"
        old = there.get(each.kind, {})
        turned = old["lastTransitionTime"] if old.get("status") == status else now()
        made.append(
            {
                "type": each.kind,
                "status": status,
                "reason": each.reason,
                "message": each.message,
                "observedGeneration": about["metadata"].get("generation", 1),
                "lastTransitionTime": turned,
            }
        )
    return made


def _listener_conditions(each: GatewayListener, programmed: bool) -> Sequence[RouteCondition]:
    conflict = each.unsupported[0] == "ProtocolConflict"
    bad = each.unsupported[0] and not conflict
    accepted = RouteCondition("Accepted", not bad, *(each.unsupported if bad else ("Accepted", "Listener is accepted")))
    resolved = RouteCondition(
        "ResolvedRefs", not each.unresolved[0], *_reason_or(each.unresolved, ("ResolvedRefs", ""))
    )
    conditions = ("ProtocolConflict", each.unsupported[1]) if conflict else ("NoConflicts", "")
    if each.is_good and programmed:
        ready = RouteCondition("Programmed", True, "Programmed", "Listener is programmed")
    else:
        ready = RouteCondition(
            "Programmed", False, *(("Pending", "") if each.is_good else ("Invalid", "Listener is invalid"))
        )
    return accepted, ready, resolved, RouteCondition("Conflicted", conflict, *conditions)


def _reason_or(conditions: tuple[str, str], otherwise: tuple[str, str]) -> tuple[str, str]:
    return conditions if conditions[0] else otherwise
