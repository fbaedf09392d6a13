"""The machines of a cluster, and which Pod goes where.

https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from mldeploy.rehearsal.kubernetes.api.discovery import VERSION
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.admission import requested
from mldeploy.rehearsal.kubernetes.objects.clock import now
from mldeploy.rehearsal.kubernetes.objects.quantities import amount
from mldeploy.rehearsal.kubernetes.objects.store import Store, born
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object

_PODS = 110
_OVER = ("Succeeded", "Failed")


@dataclass(frozen=True)
class Node:
    """A machine. cpus, gigabytes: what Pods may have of it."""

    name: str
    cpus: int = 4
    gigabytes: int = 16


def register(store: Store, nodes: Sequence[Node]) -> None:
    """The cluster has these."""
    for each in nodes:
        store.put(Key(kinds.NODES, "", each.name), born(_document(each)))


def _document(node: Node) -> Object:
    room = {"cpu": str(node.cpus), "memory": f"{node.gigabytes}Gi", "pods": str(_PODS)}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {
            "name": node.name,
            "labels": {
                "kubernetes.io/hostname": node.name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
            },
        },
        "spec": {},
        "status": {
            "capacity": room,
            "allocatable": dict(room),
            "conditions": [{**ready, "lastHeartbeatTime": now(), "lastTransitionTime": now()}],
            "addresses": [{"type": "Hostname", "address": node.name}],
            "nodeInfo": {
                "architecture": "amd64",
                "operatingSystem": "linux",
                "kubeletVersion": VERSION,
                "containerRuntimeVersion": "docker://rehearsal",
                "osImage": "rehearsal",
                "kernelVersion": "",
                "kubeProxyVersion": VERSION,
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
            },
        },
    }


def place(store: Store, pod: Object) -> tuple[str, str]:
    """A node with room for a Pod, or why there is none."""
    nodes, short = store.list(kinds.NODES), {"cpu": 0, "memory": 0}
    selector = pod["spec"].get("nodeSelector") or {}
    fitting = [each for each in nodes if selector.items() <= each["metadata"].get("labels", {}).items()]
    for node in sorted(fitting, key=lambda each: _load(store, each, "cpu")):
        lacking = [name for name in short if _lacks(store, node, pod, name)]
        if not lacking:
            return str(node["metadata"]["name"]), ""
        for name in lacking:
            short[name] += 1
    reasons = [f"{count} Insufficient {name}" for name, count in short.items() if count]
    if len(fitting) < len(nodes):
        reasons.append(f"{len(nodes) - len(fitting)} node(s) didn't match Pod's node affinity/selector")
    return "", f"0/{len(nodes)} nodes are available: {', '.join(reasons)}."


def _load(store: Store, node: Object, name: str) -> Decimal:
    pods = [each for each in store.list(kinds.PODS) if each["spec"].get("nodeName") == node["metadata"]["name"]]
    return sum((requested(each, name) for each in pods if each["status"].get("phase") not in _OVER), Decimal())


def _lacks(store: Store, node: Object, pod: Object, name: str) -> bool:
    room = amount(node["status"]["allocatable"][name])
    return requested(pod, name) > room - _load(store, node, name)
