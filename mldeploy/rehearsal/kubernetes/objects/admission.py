"""Admission: namespace lifecycle, service accounts, quotas, and the values that the API server assigns.

https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal

from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.errors import StatusError, forbidden, invalid, invalid_value, not_found
from mldeploy.rehearsal.kubernetes.objects.limit_ranges import apply_limit_ranges
from mldeploy.rehearsal.kubernetes.objects.pod_security import security_violations
from mldeploy.rehearsal.kubernetes.objects.quantities import QuantityError, format_quantity, parse_quantity
from mldeploy.rehearsal.kubernetes.objects.service_rules import NODE_PORTS
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object, ObjectKey

_PREEMPTION = "PreemptLowerPriority"
_RESOURCES = ("cpu", "memory", "ephemeral-storage")


def check_admission(store: Store, resource: ApiResource, namespace: str, document: Object) -> None:
    """Check whether a new object may be created in this namespace. Raises StatusError."""
    if not resource.namespaced:
        return
    name = document["metadata"].get("name", "")
    namespace_object = store.get(ObjectKey(kinds.NAMESPACES, "", namespace))
    if namespace_object is None:
        raise not_found(kinds.NAMESPACES, namespace)
    if "deletionTimestamp" in namespace_object["metadata"] and resource is not kinds.EVENTS:
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        text = f"namespace {namespace} is being terminated"
        cause = {"reason": "NamespaceTerminating", "message": text, "field": "metadata.namespace"}
        raise forbidden(resource, name, why, [cause])
    if resource is kinds.PODS:
        _check_security(namespace_object, document)
    _check_quota(store, resource, namespace, document)


def admit_pod(store: Store, namespace: str, document: Object) -> None:
    """Admission of a new Pod before its validation: priority, service account and runtime class. Raises StatusError."""
    spec = document.get("spec") or {}
    _set_priority(store, spec)
    if problems := apply_limit_ranges(store.list(kinds.LIMITS, namespace), spec):
        raise forbidden(kinds.PODS, document["metadata"].get("name", ""), _listed(problems))
    for why in _pod_problems(store, namespace, spec):
        raise forbidden(kinds.PODS, document["metadata"].get("name", ""), why)


def _listed(problems: list[str]) -> str:
    return problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"


def _set_priority(store: Store, spec: Object) -> None:
    """https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/"""
    found = store.get(ObjectKey(kinds.PRIORITY_CLASSES, "", spec.get("priorityClassName", "")))
    if found is not None:
        spec["priority"] = found.get("value", 0)
        spec["preemptionPolicy"] = found.get("preemptionPolicy", _PREEMPTION)


def _pod_problems(store: Store, namespace: str, spec: Object) -> Iterator[str]:
    priority, policy, name = spec.get("priority", 0), spec.get("preemptionPolicy", _PREEMPTION), ""
    if name := spec.get("priorityClassName", ""):
        if store.get(ObjectKey(kinds.PRIORITY_CLASSES, "", name)) is None:
            yield f"no PriorityClass with name {name} was found"
    elif priority:
        given = f"the integer value of priority ({priority}) must not be provided in pod spec"
        yield f"{given}; priority admission controller computed 0 from the given PriorityClass name"
    elif policy != _PREEMPTION:
        given = f"the string value of PreemptionPolicy ({policy}) must not be provided in pod spec"
        yield f"{given}; priority admission controller computed {_PREEMPTION} from the given PriorityClass name"
    account = spec.get("serviceAccountName", "default")
    if store.get(ObjectKey(kinds.ACCOUNTS, namespace, account)) is None:
        yield f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
    if runtime := spec.get("runtimeClassName"):
        yield f'pod rejected: RuntimeClass "{runtime}" not found'
    if spec.get("overhead"):
        yield "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"


def _check_security(namespace: Object, document: Object) -> None:
    if why := security_violations(namespace["metadata"].get("labels") or {}, document["spec"]):
        raise forbidden(kinds.PODS, document["metadata"].get("name", ""), why)


def _check_quota(store: Store, resource: ApiResource, namespace: str, document: Object) -> None:
    for quota in store.list(kinds.QUOTAS, namespace):
        hard = {name: parse_quantity(value) for name, value in quota["spec"].get("hard", {}).items()}
        requested = {name: value for name, value in count_usage(resource, document).items() if name in hard}
        name = quota["metadata"]["name"]
        if resource is kinds.PODS and (silent := _missing_resources(hard, document)):
            what = f"failed quota: {name}: must specify {silent}"
            raise forbidden(resource, document["metadata"].get("name", ""), what)
        used = namespace_usage(store, namespace)
        over = {each for each, value in requested.items() if used[each] + value > hard[each]}
        if over:
            raise _quota_exceeded(
                resource, document, name, *({each: some[each] for each in over} for some in (requested, used, hard))
            )


def _missing_resources(hard: Mapping[str, Decimal], document: Object) -> str:
    """The resources that containers must specify because a quota counts them."""
    counted = {("limits" if each.startswith("limits.") else "requests", each.rpartition(".")[2]): each for each in hard}
    problems = []
    for container in document["spec"].get("containers", ()):
        missing = [
            resource
            for (part, name), resource in counted.items()
            if name in _RESOURCES and name not in container["resources"].get(part, {})
        ]
        if missing:
            problems.append(f"{','.join(sorted(missing))} for: {container['name']}")
    return "; ".join(problems)


def _quota_exceeded(
    resource: ApiResource,
    document: Object,
    quota: str,
    requested: Mapping[str, Decimal],
    used: Mapping[str, Decimal],
    hard: Mapping[str, Decimal],
) -> StatusError:
    text = [
        ",".join(f"{name}={format_quantity(f'{some[name]:f}')}" for name in sorted(requested))
        for some in (requested, used, hard)
    ]
    why = f"exceeded quota: {quota}, requested: {text[0]}, used: {text[1]}, limited: {text[2]}"
    return forbidden(resource, document["metadata"].get("name", ""), why)


def namespace_usage(store: Store, namespace: str) -> defaultdict[str, Decimal]:
    """The current usage of a namespace that counts against its quotas."""
    total: defaultdict[str, Decimal] = defaultdict(Decimal)
    for key, document in store.every():
        if key.namespace == namespace and document.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            for name, value in count_usage(key.resource, document).items():
                total[name] += value
    return total


def count_usage(resource: ApiResource, document: Object) -> dict[str, Decimal]:
    """The quota usage of one object. https://kubernetes.io/docs/concepts/policy/resource-quotas/"""
    made = {f"count/{resource.name}": Decimal(1)}
    if resource in (kinds.PODS, kinds.SERVICES, kinds.SECRETS, kinds.CONFIG_MAPS, kinds.CLAIMS):
        made[resource.plural] = Decimal(1)
    if resource is kinds.SERVICES and document.get("spec", {}).get("type") == "LoadBalancer":
        made["services.loadbalancers"] = Decimal(1)
    if resource is kinds.PODS:
        for name in _RESOURCES:
            made[f"requests.{name}"] = made[name] = requested_amount(document, name)
            made[f"limits.{name}"] = requested_amount(document, name, "limits")
    return made


def requested_amount(pod: Object, name: str, part: str = "requests") -> Decimal:
    """The amount that a Pod requests: the sum of its containers, or the largest init container if that is more."""
    first, then = (
        [_container_amount(each, name, part) for each in pod["spec"].get(which, ())]
        for which in ("initContainers", "containers")
    )
    return max([sum(then, Decimal()), *first])


def _container_amount(container: Object, name: str, part: str) -> Decimal:
    try:
        return parse_quantity((container.get("resources") or {}).get(part, {}).get(name, 0))
    except QuantityError:
        return Decimal()


DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"


def assign_values(store: Store, resource: ApiResource, document: Object, before: Object | None) -> None:
    """Assign unique values (cluster IP, node ports, default class) to a document; values that it has are kept.

    Raises StatusError (422).
    """
    if resource is kinds.INGRESSES and before is None:
        _set_default_class(store, document)
    if resource is not kinds.SERVICES or document["spec"]["type"] == "ExternalName":
        return
    spec, old = document["spec"], (before or {}).get("spec", {})
    others = [
        each["spec"] for each in store.list(kinds.SERVICES) if before is None or not _is_same_object(each, before)
    ]
    if not spec.get("clusterIP"):
        taken = {each.get("clusterIP") for each in others}
        spec["clusterIP"] = old.get("clusterIP") or next(each for each in _cluster_addresses() if each not in taken)
    spec["clusterIPs"] = [spec["clusterIP"]]
    if spec["type"] in ("LoadBalancer", "NodePort"):
        _assign_node_ports(document, old, {port.get("nodePort") for each in others for port in each.get("ports", ())})


def _set_default_class(store: Store, document: Object) -> None:
    """https://kubernetes.io/docs/concepts/services-networking/ingress/#default-ingress-class"""
    for each in store.list(kinds.INGRESS_CLASSES):
        if (each["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true":
            document["spec"].setdefault("ingressClassName", each["metadata"]["name"])


def _is_same_object(one: Object, other: Object) -> bool:
    return bool(one["metadata"]["uid"] == other["metadata"]["uid"])


def _cluster_addresses() -> Iterator[str]:
    yield from (f"10.96.{high}.{low}" for high in range(1, 250) for low in range(1, 255))


def _assign_node_ports(document: Object, old: Object, taken: set[object]) -> None:
    previous_ports = {(each["port"], each["protocol"]): each.get("nodePort") for each in old.get("ports", ())}
    for number, port in enumerate(document["spec"].get("ports", ())):
        node_port = port.get("nodePort")
        if node_port and node_port not in NODE_PORTS:
            limits = f"{NODE_PORTS.start}-{NODE_PORTS.stop - 1}"
            why = f"provided port is not in the valid range. The range of valid ports is {limits}"
            cause = invalid_value(f"spec.ports[{number}].nodePort", node_port, why)
            raise invalid(kinds.SERVICES, document["metadata"]["name"], [cause])
        if node_port in taken and node_port is not None:
            cause = invalid_value(f"spec.ports[{number}].nodePort", node_port, "provided port is already allocated")
            raise invalid(kinds.SERVICES, document["metadata"]["name"], [cause])
        if not node_port:
            previous = previous_ports.get((port["port"], port["protocol"]))
            port["nodePort"] = previous or next(each for each in NODE_PORTS if each not in taken)
        taken.add(port["nodePort"])
