"""Validation of Services. https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/"""

from __future__ import annotations

import ipaddress
import json
from collections import Counter
from collections.abc import Iterator

from mldeploy.rehearsal.kubernetes.objects.container_rules import PROTOCOLS
from mldeploy.rehearsal.kubernetes.objects.errors import (
    StatusCause,
    duplicate_value,
    invalid_value,
    required_value,
    unsupported_value,
)
from mldeploy.rehearsal.kubernetes.objects.names import (
    is_key,
    is_label,
    is_port_name,
    is_subdomain,
    key_syntax,
    label_syntax,
    subdomain_syntax,
    validate_labels,
)
from mldeploy.rehearsal.kubernetes.objects.type_rules import PORT_RANGE, forbidden_value, is_ip
from mldeploy.rehearsal.kubernetes.objects.types import Object

Causes = Iterator[StatusCause]
NODE_PORTS = range(30000, 32768)
CLUSTER_RANGE = ipaddress.ip_network("10.96.0.0/16")
_EXPOSURES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_WITH_NODE_PORTS = ("LoadBalancer", "NodePort")
_BALANCER_ONLY = "may only be used when `type` is 'LoadBalancer'"
_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def validate_service(document: Object) -> Causes:
    """Validate a Service, apart from addresses and ports that other Services have."""
    spec = document.get("spec") or {}
    kind, ports = spec.get("type"), spec.get("ports") or []
    if kind not in _EXPOSURES:
        yield unsupported_value("spec.type", str(kind), _EXPOSURES)
    if not ports and kind != "ExternalName" and spec.get("clusterIP") != "None":
        yield required_value("spec.ports")
    yield from validate_labels(spec.get("selector") or {}, "spec.selector")
    for number, port in enumerate(ports):
        yield from _port(port, f"spec.ports[{number}]", kind, named=len(ports) > 1)
    yield from _repeated(ports)
    yield from _addresses(spec, kind)
    yield from _policies(spec, kind)


def _port(port: Object, here: str, kind: object, *, named: bool) -> Causes:
    number, target, name = port.get("port"), port.get("targetPort"), port.get("name", "")
    if not isinstance(number, int) or not 1 <= number <= 65535:
        yield invalid_value(f"{here}.port", number or 0, PORT_RANGE)
    if isinstance(target, int) and not 1 <= target <= 65535:
        yield invalid_value(f"{here}.targetPort", target, PORT_RANGE)
    if isinstance(target, str) and not is_port_name(target):
        yield invalid_value(f"{here}.targetPort", target, "must be no more than 15 characters")
    if port.get("protocol", "TCP") not in PROTOCOLS:
        yield unsupported_value(f"{here}.protocol", port["protocol"], PROTOCOLS)
    if port.get("appProtocol") and not is_key(port["appProtocol"]):
        yield invalid_value(f"{here}.appProtocol", port["appProtocol"], key_syntax())
    if named and not name:
        yield required_value(f"{here}.name")
    elif name and not is_label(name):
        yield invalid_value(f"{here}.name", name, label_syntax())
    if port.get("nodePort") and kind not in _WITH_NODE_PORTS:
        yield forbidden_value(f"{here}.nodePort", f"may not be used when `type` is '{kind}'")


def _repeated(ports: list[Object]) -> Causes:
    names, numbers = Counter[str](), Counter[tuple[object, object]]()
    for index, port in enumerate(ports):
        name, identity = port.get("name", ""), (port.get("port"), port.get("protocol"))
        names[name] += 1
        numbers[identity] += 1
        if name and names[name] > 1:
            yield duplicate_value(f"spec.ports[{index}].name", name)
        if numbers[identity] > 1:
            yield duplicate_value(f"spec.ports[{index}]", port.get("port"))


def _addresses(spec: Object, kind: object) -> Causes:
    address = spec.get("clusterIP", "")
    if kind == "ExternalName":
        name = spec.get("externalName", "")
        if not name:
            yield required_value("spec.externalName")
        elif not is_subdomain(name.removesuffix(".")):
            yield invalid_value("spec.externalName", name, subdomain_syntax())
        if address not in ("", "None"):
            yield forbidden_value("spec.clusterIPs[0]", "may not be set for ExternalName services")
    elif address == "None" and kind in _WITH_NODE_PORTS:
        yield invalid_value("spec.clusterIPs[0]", address, f"may not be set to 'None' for {kind} services")
    elif address not in ("", "None") and not is_ip(address):
        yield invalid_value("spec.clusterIPs[0]", address, _IP)
    elif address not in ("", "None") and ipaddress.ip_address(address) not in CLUSTER_RANGE:
        why = f"failed to allocate IP {address}: the provided IP ({address}) is not in the valid range. "
        text = f"{why}The range of valid IPs is {CLUSTER_RANGE}"
        yield StatusCause("spec.clusterIPs", "FieldValueInvalid", f"Invalid value: {json.dumps([address])}: {text}")
    for number, each in enumerate(spec.get("externalIPs") or ()):
        yield from _external_address(each, f"spec.externalIPs[{number}]")


def _external_address(address: str, here: str) -> Causes:
    if not is_ip(address):
        yield invalid_value(here, address, _IP)
        return
    parsed = ipaddress.ip_address(address)
    ranges = (
        (parsed.is_unspecified, "may not be unspecified (0.0.0.0 or ::)"),
        (parsed.is_loopback, "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        (parsed.is_link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        (parsed.is_multicast, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
    )
    yield from (invalid_value(here, address, why) for wrong, why in ranges if wrong)


def _policies(spec: Object, kind: object) -> Causes:
    choices = {
        "sessionAffinity": ("ClientIP", "None"),
        "internalTrafficPolicy": ("Cluster", "Local"),
        "trafficDistribution": ("PreferClose", "PreferSameZone", "PreferSameNode"),
        "ipFamilyPolicy": ("SingleStack", "PreferDualStack", "RequireDualStack"),
    }
    for name, known in choices.items():
        if name in spec and spec[name] not in known:
            yield unsupported_value(f"spec.{name}", str(spec[name]), known)
    if spec.get("ipFamilyPolicy") == "RequireDualStack":
        why = "this cluster is not configured for dual-stack services"
        yield invalid_value("spec.ipFamilyPolicy", "RequireDualStack", why)
    for number, family in enumerate(spec.get("ipFamilies") or ()):
        if family != "IPv4":
            why = "not configured on this cluster" if family == "IPv6" else "not a known IP family"
            yield invalid_value(f"spec.ipFamilies[{number}]", family, why)
    seconds = (((spec.get("sessionAffinityConfig") or {}).get("clientIP")) or {}).get("timeoutSeconds", 1)
    if not 1 <= seconds <= 86400:
        where = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
        yield invalid_value(where, seconds, "must be greater than 0 and less than 86400")
    yield from _external_policy(spec, kind)
    yield from _balancer(spec, kind)


def _external_policy(spec: Object, kind: object) -> Causes:
    policy, port = spec.get("externalTrafficPolicy"), spec.get("healthCheckNodePort", 0)
    if policy and kind not in _WITH_NODE_PORTS:
        yield invalid_value("spec.externalTrafficPolicy", policy, "may only be set for externally-accessible services")
    elif policy and policy not in ("Cluster", "Local"):
        yield unsupported_value("spec.externalTrafficPolicy", policy, ("Cluster", "Local"))
    if port and (kind != "LoadBalancer" or policy != "Local"):
        why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        yield invalid_value("spec.healthCheckNodePort", port, why)


def _balancer(spec: Object, kind: object) -> Causes:
    if kind != "LoadBalancer":
        if spec.get("loadBalancerSourceRanges"):
            yield forbidden_value("spec.LoadBalancerSourceRanges", _BALANCER_ONLY)
        for name in ("loadBalancerClass", "allocateLoadBalancerNodePorts"):
            if name in spec:
                yield forbidden_value(f"spec.{name}", _BALANCER_ONLY)
    for number, each in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        try:
            ipaddress.ip_network(each.strip())
        except ValueError:
            why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            yield invalid_value(f"spec.LoadBalancerSourceRanges[{number}]", each, why)
    if spec.get("loadBalancerClass") and not is_key(spec["loadBalancerClass"]):
        yield invalid_value("spec.loadBalancerClass", spec["loadBalancerClass"], key_syntax())
