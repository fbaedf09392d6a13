"""What a Gateway, its class and its routes are told of themselves, as the Gateway API words it.

https://gateway-api.sigs.k8s.io/geps/gep-1364/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mldeploy.rehearsal.kubernetes.edge.attaching import GROUP, Attachment, Said
from mldeploy.rehearsal.kubernetes.edge.listeners import Listener
from mldeploy.rehearsal.kubernetes.objects.clock import now
from mldeploy.rehearsal.kubernetes.objects.types import Object

_KINDS = [{"group": GROUP, "kind": "HTTPRoute"}]


def gateway_said(listeners: Sequence[Listener], address: str, why_not: str) -> Sequence[Said]:
    """Of a Gateway as a whole. address: "" while it has none. why_not: it can have none."""
    bad = [each.name for each in listeners if not each.is_good]
    if bad:
        text = f"Gateway has listeners that are not valid: {', '.join(bad)}"
        accepted = Said("Accepted", len(bad) < len(listeners), "ListenersNotValid", text)
    else:
        accepted = Said("Accepted", True, "Accepted", "Gateway is accepted")
    if why_not:
        return accepted, Said("Programmed", False, "AddressNotUsable", why_not)
    if len(bad) == len(listeners):
        return accepted, Said("Programmed", False, "Invalid", "Gateway has no listener that is valid")
    if not address:
        return accepted, Said("Programmed", False, "Pending", "Gateway has no address yet")
    return accepted, Said("Programmed", True, "Programmed", "Gateway is programmed")


def tell_class(made: Object) -> None:
    said = Said("Accepted", True, "Accepted", "GatewayClass is accepted")
    made["status"] = {**made.get("status", {}), "conditions": conditions(made.get("status", {}), [said], made)}


def tell_gateway(
    said: Sequence[Said], listeners: Sequence[Listener], counts: Mapping[str, int], address: str, made: Object
) -> None:
    """counts: how many routes each listener has."""
    before = made.get("status", {})
    there = {each["name"]: each for each in before.get("listeners", ())}
    made["status"] = {
        "addresses": [{"type": "IPAddress", "value": address}] if address else [],
        "conditions": conditions(before, said, made),
        "listeners": [
            {
                "name": each.name,
                "supportedKinds": _KINDS if not each.unsupported[0] else [],
                "attachedRoutes": counts[each.name],
                "conditions": conditions(there.get(each.name, {}), _of_listener(each, bool(address)), made),
            }
            for each in listeners
        ],
    }


def tell_route(controller: str, told: Sequence[tuple[Object, Attachment]], made: Object) -> None:
    """What other controllers have said stays."""
    before = (made.get("status") or {}).get("parents", ())
    others = [each for each in before if each["controllerName"] != controller]
    if not told and len(others) == len(before):
        return
    mine = []
    for reference, attachment in told:
        own = [each for each in before if (each["controllerName"], each["parentRef"]) == (controller, reference)]
        old: Object = next(iter(own), {})
        said = conditions(old, (attachment.accepted, attachment.resolved), made)
        mine.append({"parentRef": reference, "controllerName": controller, "conditions": said})
    made["status"] = {"parents": [*others, *mine]}


def conditions(before: Object, said: Sequence[Said], about: Object) -> list[Object]:
    """A condition keeps the time of its last turn until it turns again."""
    there = {each["type"]: each for each in before.get("conditions", ())}
    made = []
    for each in said:
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


def _of_listener(each: Listener, programmed: bool) -> Sequence[Said]:
    conflict = each.unsupported[0] == "ProtocolConflict"
    bad = each.unsupported[0] and not conflict
    accepted = Said("Accepted", not bad, *(each.unsupported if bad else ("Accepted", "Listener is accepted")))
    resolved = Said("ResolvedRefs", not each.unresolved[0], *_or(each.unresolved, ("ResolvedRefs", "")))
    said = ("ProtocolConflict", each.unsupported[1]) if conflict else ("NoConflicts", "")
    if each.is_good and programmed:
        ready = Said("Programmed", True, "Programmed", "Listener is programmed")
    else:
        ready = Said("Programmed", False, *(("Pending", "") if each.is_good else ("Invalid", "Listener is invalid")))
    return accepted, ready, resolved, Said("Conflicted", conflict, *said)


def _or(said: tuple[str, str], otherwise: tuple[str, str]) -> tuple[str, str]:
    return said if said[0] else otherwise
