"""Default values that the API server sets, and empty values that it omits.

Defaults: https://kubernetes.io/docs/reference/kubernetes-api/. Omitted values:
https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#optional-vs-required
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.quantities import QuantityError, format_quantity
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def apply_defaults(resource: ApiResource, document: Object) -> None:
    """Set default values in a document (modified). May be repeated."""
    if resource.group != kinds.GATEWAYS.group:  # custom resources keep empty values
        omit_empty(document.get("spec"))
    if filler := _FILLERS.get(resource):
        filler(document)


def _set(table: Object, **values: Any) -> None:
    for name, value in values.items():
        table.setdefault(name, value)


def _namespace(document: Object) -> None:
    if name := document["metadata"].get("name"):
        document["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name
    document.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    document.setdefault("status", {}).setdefault("phase", "Active")


def _secret(document: Object) -> None:
    document.setdefault("type", "Opaque")
    if text := document.pop("stringData", None):
        coded = {name: base64.b64encode(value.encode()).decode() for name, value in text.items()}
        document["data"] = {**document.get("data", {}), **coded}


def _deployment(document: Object) -> None:
    spec = document.setdefault("spec", {})
    _set(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600, strategy={})
    strategy = spec["strategy"]
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _set(strategy.setdefault("rollingUpdate", {}), maxSurge="25%", maxUnavailable="25%")
    _template(spec)


def _replica_set(document: Object) -> None:
    spec = document.get("spec", {})
    _set(spec, replicas=1)
    _template(spec)


def _template(spec: Object) -> None:
    _default_pod_spec(spec.setdefault("template", {}).setdefault("spec", {}))


def _pod(document: Object) -> None:
    spec = document.get("spec", {})
    _default_pod_spec(spec)
    _set(spec, enableServiceLinks=True, preemptionPolicy="PreemptLowerPriority", priority=0)
    _tolerate_lost_nodes(spec)
    _set(spec, serviceAccountName="default", serviceAccount=spec.get("serviceAccountName", "default"))
    for each in (*spec.get("initContainers", ()), *spec.get("containers", ())):
        resources = each["resources"]
        if limits := resources.get("limits"):
            resources["requests"] = {**limits, **resources.get("requests", {})}
    document.setdefault("status", {}).setdefault("phase", "Pending")
    document["status"].setdefault("qosClass", _quality(spec))


def _tolerate_lost_nodes(spec: Object) -> None:
    """The admission controller DefaultTolerationSeconds."""
    tolerations = spec.setdefault("tolerations", [])
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(each.get("key") in (key, None) and each.get("operator") == "Exists" for each in tolerations):
            default = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            tolerations.append(default)


def _quality(spec: Object) -> str:
    """https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/"""
    every = [each["resources"] for each in spec.get("containers", ())]
    if not any(each.get("requests") or each.get("limits") for each in every):
        return "BestEffort"
    full = all(
        {"cpu", "memory"} <= each.get("limits", {}).keys() and each["limits"] == each.get("requests") for each in every
    )
    return "Guaranteed" if full else "Burstable"


def _default_pod_spec(spec: Object) -> None:
    """Set defaults in the spec of a Pod or a Pod template."""
    _set(spec, restartPolicy="Always", dnsPolicy="ClusterFirst", schedulerName="default-scheduler")
    _set(spec, terminationGracePeriodSeconds=30, securityContext={})
    if name := spec.get("serviceAccountName"):
        spec["serviceAccount"] = name
    for each in (*spec.get("initContainers", ()), *spec.get("containers", ())):
        if isinstance(each, dict):
            _container(each)
    for volume in spec.get("volumes", ()):
        _volume(volume)


def _container(container: Object) -> None:
    image = str(container.get("image", ""))
    newest = "@" not in image and image.rpartition("/")[2].partition(":")[2] in ("", "latest")
    _set(container, imagePullPolicy="Always" if newest else "IfNotPresent", resources={})
    _set(container, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File")
    for port in container.get("ports", ()):
        port.setdefault("protocol", "TCP")
    for name in _PROBES:
        if probe := container.get(name):
            _set(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
            _request(probe)
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict):
            _request(hook)
    for variable in container.get("env", ()):
        if reference := (variable.get("valueFrom") or {}).get("fieldRef"):
            reference.setdefault("apiVersion", "v1")
    for amounts in container["resources"].values():
        _amounts(amounts)


def _request(probe: Object) -> None:
    if "httpGet" in probe:
        _set(probe["httpGet"], path="/", scheme="HTTP")
    if "grpc" in probe:
        probe["grpc"].setdefault("service", "")


def _amounts(amounts: Any) -> None:
    for name, value in amounts.items() if isinstance(amounts, dict) else ():
        try:
            amounts[name] = format_quantity(value)
        except QuantityError:
            continue  # validation reports it


def _volume(volume: Object) -> None:
    for name in ("secret", "configMap", "projected", "downwardAPI"):
        if name in volume:
            volume[name].setdefault("defaultMode", 420)
    if not volume.keys() - {"name"}:
        volume["emptyDir"] = {}


def _service(document: Object) -> None:
    spec = document.setdefault("spec", {})
    _set(spec, type="ClusterIP", sessionAffinity="None", internalTrafficPolicy="Cluster")
    if spec["type"] != "ExternalName":
        _set(spec, ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    if spec["type"] in ("LoadBalancer", "NodePort"):
        _set(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        _set(spec, allocateLoadBalancerNodePorts=True)
    if spec["sessionAffinity"] == "ClientIP":
        _set(spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {}), timeoutSeconds=10800)
    elif spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    for port in spec.get("ports", ()):
        _set(port, protocol="TCP")
        if port.get("targetPort", 0) in (0, ""):
            port["targetPort"] = port.get("port")
    document.setdefault("status", {}).setdefault("loadBalancer", {})


_ALL_PODS = {"type": "Percent", "value": 100, "periodSeconds": 15}
_SCALING_POLICIES = {
    "scaleUp": [{"type": "Pods", "value": 4, "periodSeconds": 15}, _ALL_PODS],
    "scaleDown": [_ALL_PODS],
}


def _autoscaler(document: Object) -> None:
    spec = document.get("spec", {})
    usage = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    }
    _set(spec, minReplicas=1, metrics=[usage])
    for direction, stabilization in (("scaleUp", 0), ("scaleDown", 300)):
        if rules := (spec.get("behavior") or {}).get(direction):
            _set(rules, selectPolicy="Max", stabilizationWindowSeconds=stabilization)
            _set(rules, policies=copy.deepcopy(_SCALING_POLICIES[direction]))


def _gateway_class(document: Object) -> None:
    document.setdefault("status", {}).setdefault("conditions", [_waiting("Accepted")])


def _gateway(document: Object) -> None:
    """https://gateway-api.sigs.k8s.io/reference/spec/#gatewayspec"""
    for each in (document.get("spec") or {}).get("listeners", ()):
        _set(each.setdefault("allowedRoutes", {}).setdefault("namespaces", {}), **{"from": "Same"})
        if "tls" in each:
            each["tls"].setdefault("mode", "Terminate")
            for reference in each["tls"].get("certificateRefs", ()):
                _set(reference, group="", kind="Secret")
    conditions = [_waiting("Accepted"), _waiting("Programmed")]
    document.setdefault("status", {}).setdefault("conditions", conditions)


def _waiting(kind: str) -> Object:
    condition = {"type": kind, "status": "Unknown", "reason": "Pending", "message": "Waiting for controller"}
    return {**condition, "lastTransitionTime": "1970-01-01T00:00:00Z"}


def _route(document: Object) -> None:
    """https://gateway-api.sigs.k8s.io/reference/spec/#httproutespec"""
    spec = document.setdefault("spec", {})
    for reference in spec.get("parentRefs", ()):
        _set(reference, group=kinds.GATEWAYS.group, kind="Gateway")
    for rule in spec.setdefault("rules", [{}]):
        for match in rule.setdefault("matches", [{}]):
            _set(match.setdefault("path", {}), type="PathPrefix", value="/")
        for reference in rule.get("backendRefs", ()):
            _set(reference, group="", kind="Service", weight=1)


def _role_binding(document: Object) -> None:
    for each in document.get("subjects") or ():
        if each.get("kind") == "ServiceAccount" and not each.get("namespace"):
            each["namespace"] = document["metadata"].get("namespace", "")


_BALANCER_FIELDS = ("allocateLoadBalancerNodePorts", "loadBalancerClass", "healthCheckNodePort")


def drop_type_fields(before: Object, document: Object) -> None:
    """Remove from an updated Service what its former type had, and the update leaves as it was.

    https://github.com/kubernetes/kubernetes/blob/master/pkg/registry/core/service/strategy.go, dropTypeDependentFields
    """
    old, new = before.get("spec") or {}, document.get("spec") or {}
    has_node_ports = new.get("type") in ("LoadBalancer", "NodePort")
    if new.get("type") == "ExternalName":
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
            if name in old and new.get(name) == old[name]:
                del new[name]
    dependent = () if new.get("type") == "LoadBalancer" else _BALANCER_FIELDS
    for name in (*dependent, *(() if has_node_ports else ("externalTrafficPolicy",))):
        if name in old and new.get(name) == old[name]:
            del new[name]
    taken = {each.get("nodePort") for each in old.get("ports", ())}
    for port in () if has_node_ports else new.get("ports", ()):
        if port.get("nodePort") in taken:
            port.pop("nodePort", None)


def _claim(document: Object) -> None:
    _set(document.get("spec", {}), volumeMode="Filesystem", storageClassName="standard")
    _amounts(((document.get("spec") or {}).get("resources") or {}).get("requests"))
    document.setdefault("status", {}).setdefault("phase", "Pending")


def _quota(document: Object) -> None:
    _amounts((document.get("spec") or {}).get("hard"))


_FILLERS: Mapping[ApiResource, Callable[[Object], None]] = MappingProxyType(
    {
        kinds.NAMESPACES: _namespace,
        kinds.SECRETS: _secret,
        kinds.DEPLOYMENTS: _deployment,
        kinds.REPLICA_SETS: _replica_set,
        kinds.PODS: _pod,
        kinds.SERVICES: _service,
        kinds.AUTOSCALERS: _autoscaler,
        kinds.CLAIMS: _claim,
        kinds.BINDINGS: _role_binding,
        kinds.GATEWAY_CLASSES: _gateway_class,
        kinds.GATEWAYS: _gateway,
        kinds.ROUTES: _route,
        kinds.QUOTAS: _quota,
    }
)


_ZEROES = frozenset(
    (
        *("minReadySeconds", "paused", "initialDelaySeconds", "nodePort", "publishNotReadyAddresses", "readOnly"),
        *("hostIPC", "hostNetwork", "hostPID", "stdin", "stdinOnce", "tty"),
    )
)
"""Zero numbers and false flags that the server omits. Fields that are pointers in Go are kept."""
_TABLES = frozenset(("annotations", "labels", "limits", "matchLabels", "nodeSelector", "requests"))


def omit_empty(value: Any) -> None:
    """Remove empty values from a document (modified), at any depth. May be repeated."""
    if isinstance(value, list):
        for each in value:
            omit_empty(each)
    elif isinstance(value, dict):
        for name in [name for name, content in value.items() if _is_empty(name, content)]:
            del value[name]
        for each in value.values():
            omit_empty(each)


def _is_empty(name: str, content: Any) -> bool:
    return content == [] or (content == {} and name in _TABLES) or (name in _ZEROES and content in (0, False))
