"""What the API server asks of a request besides its form: a namespace that lives, and room in its quota."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.quantities import QuantityError, amount, canonical
from mldeploy.rehearsal.kubernetes.objects.refusals import Refused, forbidden, not_found
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object, Resource

_SHOWN = ("cpu", "memory", "ephemeral-storage")


def admit(store: Store, resource: Resource, namespace: str, document: Object) -> None:
    """Raises Refused for a new object that cannot be in this namespace."""
    if not resource.namespaced:
        return
    name = document["metadata"].get("name", "")
    found = store.get(Key(kinds.NAMESPACES, "", namespace))
    if found is None:
        raise not_found(kinds.NAMESPACES, namespace)
    if "deletionTimestamp" in found["metadata"] and resource is not kinds.EVENTS:
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        said = f"namespace {namespace} is being terminated"
        cause = {"reason": "NamespaceTerminating", "message": said, "field": "metadata.namespace"}
        raise forbidden(resource, name, why, [cause])
    if resource is kinds.PODS:
        _account(store, namespace, document)
    _within_quota(store, resource, namespace, document)


def _account(store: Store, namespace: str, document: Object) -> None:
    account = document["spec"].get("serviceAccountName", "default")
    if store.get(Key(kinds.ACCOUNTS, namespace, account)) is None:
        why = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
        raise forbidden(resource=kinds.PODS, name=document["metadata"].get("name", ""), why=why)


def _within_quota(store: Store, resource: Resource, namespace: str, document: Object) -> None:
    for quota in store.list(kinds.QUOTAS, namespace):
        hard = {name: amount(value) for name, value in quota["spec"].get("hard", {}).items()}
        asked = {name: value for name, value in needs(resource, document).items() if name in hard}
        name = quota["metadata"]["name"]
        if resource is kinds.PODS and (silent := _unsaid(hard, document)):
            what = f"failed quota: {name}: must specify {silent}"
            raise forbidden(resource, document["metadata"].get("name", ""), what)
        used = usage(store, namespace)
        over = {each for each, value in asked.items() if used[each] + value > hard[each]}
        if over:
            raise _exceeded(
                resource, document, name, *({each: some[each] for each in over} for some in (asked, used, hard))
            )


def _unsaid(hard: Mapping[str, Decimal], document: Object) -> str:
    """What a container must ask for because a quota counts it."""
    counted = {("limits" if each.startswith("limits.") else "requests", each.rpartition(".")[2]): each for each in hard}
    found = []
    for container in document["spec"].get("containers", ()):
        missing = [
            said
            for (part, name), said in counted.items()
            if name in _SHOWN and name not in container["resources"].get(part, {})
        ]
        if missing:
            found.append(f"{','.join(sorted(missing))} for: {container['name']}")
    return "; ".join(found)


def _exceeded(
    resource: Resource,
    document: Object,
    quota: str,
    asked: Mapping[str, Decimal],
    used: Mapping[str, Decimal],
    hard: Mapping[str, Decimal],
) -> Refused:
    said = [
        ",".join(f"{name}={canonical(f'{some[name]:f}')}" for name in sorted(asked)) for some in (asked, used, hard)
    ]
    why = f"exceeded quota: {quota}, requested: {said[0]}, used: {said[1]}, limited: {said[2]}"
    return forbidden(resource, document["metadata"].get("name", ""), why)


def usage(store: Store, namespace: str) -> defaultdict[str, Decimal]:
    """What counts against a namespace's quotas now."""
    total: defaultdict[str, Decimal] = defaultdict(Decimal)
    for key, document in store.every():
        if key.namespace == namespace and document.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            for name, value in needs(key.resource, document).items():
                total[name] += value
    return total


def needs(resource: Resource, document: Object) -> dict[str, Decimal]:
    """What one object counts for. https://kubernetes.io/docs/concepts/policy/resource-quotas/"""
    made = {f"count/{resource.name}": Decimal(1)}
    if resource in (kinds.PODS, kinds.SERVICES, kinds.SECRETS, kinds.CONFIG_MAPS, kinds.CLAIMS):
        made[resource.plural] = Decimal(1)
    if resource is kinds.SERVICES and document.get("spec", {}).get("type") == "LoadBalancer":
        made["services.loadbalancers"] = Decimal(1)
    if resource is kinds.PODS:
        for name in _SHOWN:
            made[f"requests.{name}"] = made[name] = requested(document, name)
            made[f"limits.{name}"] = requested(document, name, "limits")
    return made


def requested(pod: Object, name: str, part: str = "requests") -> Decimal:
    """What all containers of a Pod ask for together, or one alone that runs before them, if that is more."""
    first, then = (
        [_asked(each, name, part) for each in pod["spec"].get(which, ())] for which in ("initContainers", "containers")
    )
    return max([sum(then, Decimal()), *first])


def _asked(container: Object, name: str, part: str) -> Decimal:
    try:
        return amount((container.get("resources") or {}).get(part, {}).get(name, 0))
    except QuantityError:
        return Decimal()
