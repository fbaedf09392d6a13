"""Tables for kubectl. https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from werkzeug.wrappers import Request

from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import since
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object

Cells = Callable[[Object], Sequence[Any]]
_COLUMN = {"type": "string", "description": "", "priority": 0}


def wants_table(request: Request) -> bool:
    """Whether the client accepts a Table."""
    return "as=Table" in request.headers.get("Accept", "")


def build_table(resource: ApiResource, items: Sequence[Object], metadata: Object) -> Object:
    """Build a Table with one row per object. metadata: of the list."""
    heads, cells = _COLUMNS.get(resource, ((), lambda _: ()))
    names = ("Name", *heads, "Age")
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": metadata.get("resourceVersion", "")},
        "columnDefinitions": [
            {
                "name": each,
                "type": "string",
                "format": "name" if each == "Name" else "",
                "description": "",
                "priority": 0,
            }
            for each in names
        ],
        "rows": [
            {
                "cells": [each["metadata"]["name"], *cells(each), _age(each)],
                "object": {
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": each["metadata"],
                },
            }
            for each in items
        ],
    }


def _age(document: Object) -> str:
    seconds = 0.0
    with suppress(KeyError, ValueError):
        seconds = since(document["metadata"]["creationTimestamp"])
    if seconds < 120:
        return f"{int(seconds)}s"
    return f"{int(seconds // 60)}m" if seconds < 7200 else f"{int(seconds // 3600)}h"


def _pod(pod: Object) -> Sequence[Any]:
    states = pod["status"].get("containerStatuses", ())
    ready = sum(each["ready"] for each in states)
    restarts = sum(each["restartCount"] for each in states)
    return f"{ready}/{len(pod['spec']['containers'])}", _state(pod), restarts


def _state(pod: Object) -> str:
    if "deletionTimestamp" in pod["metadata"]:
        return "Terminating"
    first = pod["status"].get("initContainerStatuses", ())
    done = [each for each in first if each["state"].get("terminated", {}).get("exitCode") == 0]
    if len(done) < len(first):
        now = first[len(done)]["state"]
        reason = (now.get("waiting") or now.get("terminated") or {}).get("reason", "")
        return f"Init:{reason or f'{len(done)}/{len(first)}'}"
    if pod["status"].get("reason"):
        return str(pod["status"]["reason"])
    for each in pod["status"].get("containerStatuses", ()):
        for how in ("waiting", "terminated"):
            if reason := each["state"].get(how, {}).get("reason"):
                return str(reason)
    return str(pod["status"].get("phase", "Unknown"))


def _deployment(deployment: Object) -> Sequence[Any]:
    status = deployment.get("status", {})
    ready = f"{status.get('readyReplicas', 0)}/{deployment['spec']['replicas']}"
    return ready, status.get("updatedReplicas", 0), status.get("availableReplicas", 0)


def _replica_set(each: Object) -> Sequence[Any]:
    status = each.get("status", {})
    return each["spec"]["replicas"], status.get("replicas", 0), status.get("readyReplicas", 0)


def _service(service: Object) -> Sequence[Any]:
    spec = service["spec"]
    given = [each["ip"] for each in service.get("status", {}).get("loadBalancer", {}).get("ingress", ())]
    outside = ",".join(given) or ("<pending>" if spec["type"] == "LoadBalancer" else "<none>")
    ports = ",".join(
        f"{each['port']}{':' + str(each['nodePort']) if 'nodePort' in each else ''}/{each['protocol']}"
        for each in spec.get("ports", ())
    )
    return spec["type"], spec.get("clusterIP", "<none>"), outside, ports


def _ingress(ingress: Object) -> Sequence[Any]:
    spec = ingress["spec"]
    hosts = ",".join(each.get("host", "*") for each in spec.get("rules", ())) or "*"
    given = ingress.get("status", {}).get("loadBalancer", {}).get("ingress", ())
    ports = "80, 443" if spec.get("tls") else "80"
    return spec.get("ingressClassName", "<none>"), hosts, ",".join(each["ip"] for each in given), ports


def _gateway(gateway: Object) -> Sequence[Any]:
    status = gateway.get("status", {})
    programmed = next((each["status"] for each in status.get("conditions", ()) if each["type"] == "Programmed"), "")
    return (
        gateway["spec"]["gatewayClassName"],
        ",".join(each["value"] for each in status.get("addresses", ())),
        programmed,
    )


def _event(event: Object) -> Sequence[Any]:
    about = event.get("involvedObject", {})
    return event.get("type"), event.get("reason"), f"{about.get('kind')}/{about.get('name')}", event.get("message")


_COLUMNS: Mapping[ApiResource, tuple[Sequence[str], Cells]] = MappingProxyType(
    {
        kinds.PODS: (("Ready", "Status", "Restarts"), _pod),
        kinds.DEPLOYMENTS: (("Ready", "Up-to-date", "Available"), _deployment),
        kinds.REPLICA_SETS: (("Desired", "Current", "Ready"), _replica_set),
        kinds.SERVICES: (("Type", "Cluster-IP", "External-IP", "Port(s)"), _service),
        kinds.INGRESSES: (("Class", "Hosts", "Address", "Ports"), _ingress),
        kinds.GATEWAYS: (("Class", "Address", "Programmed"), _gateway),
        kinds.ROUTES: (("Hostnames",), lambda it: (",".join(it["spec"].get("hostnames", ())),)),
        kinds.EVENTS: (("Type", "Reason", "Object", "Message"), _event),
        kinds.NAMESPACES: (("Status",), lambda it: (it.get("status", {}).get("phase", "Active"),)),
        kinds.NODES: (("Status", "Version"), lambda it: ("Ready", it["status"]["nodeInfo"]["kubeletVersion"])),
    }
)
