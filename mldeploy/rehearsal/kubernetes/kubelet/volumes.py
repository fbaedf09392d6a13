"""Pod volumes: Secrets, ConfigMaps and emptyDir.

https://kubernetes.io/docs/concepts/storage/volumes/
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from mldeploy.rehearsal.containers.host import Mount
from mldeploy.rehearsal.kubernetes.api.discovery import VERSION
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.admission import requested_amount
from mldeploy.rehearsal.kubernetes.objects.quantities import parse_quantity
from mldeploy.rehearsal.kubernetes.objects.store import Store, new_object, now
from mldeploy.rehearsal.kubernetes.objects.types import Object, ObjectKey

_MODE, _OPEN = 0o644, 0o1777


class MountError(Exception):
    """A volume cannot be mounted yet; the text goes into an event."""


@dataclass(frozen=True)
class Mounted:
    """The mounts of one container. memory: tmpfs folders. mounts: bind mounts from this machine."""

    memory: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()


class Volumes:
    """The volumes of a Pod. folder: on this machine; created on demand and deleted by `remove`."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def mount(self, pod: Object, container: Object) -> Mounted:
        """Prepare the mounts of a container with the objects' current data. Raises MountError."""
        volumes = {each["name"]: each for each in pod["spec"].get("volumes") or ()}
        memory, mounts = [], []
        for mount in container.get("volumeMounts") or ():
            volume, target = volumes[mount["name"]], mount["mountPath"]
            if "emptyDir" in volume and not _is_shared(pod, mount["name"]):
                memory.append(target)
                continue
            source = self._folder / mount["name"]
            if "emptyDir" in volume:
                _make(source, _OPEN)
            elif not self._write_files(pod, volume, source):
                continue
            mounts.append(Mount(source / mount.get("subPath", ""), target, "emptyDir" in volume))
        return Mounted(tuple(memory), tuple(mounts))

    def remove(self) -> None:
        """Delete the folder. Files of other users may remain until the rehearsal's folder is deleted."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write_files(self, pod: Object, volume: Object, folder: Path) -> bool:
        """Write the files of a volume; False if its type is not supported."""
        sources = (volume.get("projected") or {}).get("sources") or [volume]
        files = [each for source in sources for each in self._files(pod, volume["name"], source)]
        if not any(kind in source for source in sources for kind in ("secret", "configMap")):
            return False
        _make(folder, 0o755)
        for path, content, mode in files:
            file = folder / path
            _make(file.parent, 0o755)
            file.write_bytes(content)
            file.chmod(mode)
        return True

    def _files(self, pod: Object, volume: str, source: Object) -> Iterator[tuple[str, bytes, int]]:
        for kind, resource in (("secret", kinds.SECRETS), ("configMap", kinds.CONFIG_MAPS)):
            if kind not in source:
                continue
            spec = source[kind]
            name, mode = spec.get("secretName") or spec.get("name", ""), spec.get("defaultMode", _MODE)
            document = self._store.get(ObjectKey(resource, pod["metadata"]["namespace"], name))
            if document is None and not spec.get("optional"):
                what = f'{resource.kind.lower()} "{name}" not found'
                raise MountError(f'MountVolume.SetUp failed for volume "{volume}" : {what}')
            content = _content(document or {})
            items = spec.get("items") or [{"key": key, "path": key} for key in content]
            for item in items:
                if item["key"] not in content:
                    what = f"references non-existent {kind} key: {item['key']}"
                    raise MountError(f'MountVolume.SetUp failed for volume "{volume}" : {what}')
                yield item["path"], content[item["key"]], item.get("mode", mode)


def _content(document: Object) -> Mapping[str, bytes]:
    coded = {name: base64.b64decode(value) for name, value in (document.get("binaryData") or {}).items()}
    data = (document.get("data") or {}).items()
    if document.get("kind") == "Secret":
        return {name: base64.b64decode(value) for name, value in data}
    return {**coded, **{name: value.encode() for name, value in data}}


def _is_shared(pod: Object, name: str) -> bool:
    every = (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"])
    return sum(any(mount["name"] == name for mount in each.get("volumeMounts") or ()) for each in every) > 1


def _make(folder: Path, mode: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(mode)


_PODS = 110
_OVER = ("Succeeded", "Failed")


@dataclass(frozen=True)
class Node:
    """A node. cpus, gigabytes: allocatable to Pods."""

    name: str
    cpus: int = 4
    gigabytes: int = 16


def register(store: Store, nodes: Sequence[Node]) -> None:
    """The cluster has these."""
    for each in nodes:
        store.put(ObjectKey(kinds.NODES, "", each.name), new_object(_document(each)))


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


def schedule_pod(store: Store, pod: Object) -> tuple[str, str]:
    """Select a node for a Pod. Returns its name, or "" and the reason."""
    nodes, short = store.list(kinds.NODES), dict.fromkeys(("cpu", "memory", *_extended_resources(pod)), 0)
    selector = pod["spec"].get("nodeSelector") or {}
    fitting = [each for each in nodes if selector.items() <= each["metadata"].get("labels", {}).items()]
    for node in sorted(fitting, key=lambda each: _load(store, each, "cpu")):
        lacking = [name for name in short if _lacks_room(store, node, pod, name)]
        if not lacking:
            return str(node["metadata"]["name"]), ""
        for name in lacking:
            short[name] += 1
    reasons = [f"{count} Insufficient {name}" for name, count in short.items() if count]
    if len(fitting) < len(nodes):
        reasons.append(f"{len(nodes) - len(fitting)} node(s) didn't match Pod's node affinity/selector")
    return "", f"0/{len(nodes)} nodes are available: {', '.join(reasons)}."


def _extended_resources(pod: Object) -> list[str]:
    """The requested resources of device plugins, such as `nvidia.com/gpu`; the nodes here have none."""
    requests = ((each.get("resources") or {}).get("requests") or {} for each in pod["spec"].get("containers", ()))
    return sorted({name for each in requests for name in each if "/" in name})


def _load(store: Store, node: Object, name: str) -> Decimal:
    pods = [each for each in store.list(kinds.PODS) if each["spec"].get("nodeName") == node["metadata"]["name"]]
    return sum((requested_amount(each, name) for each in pods if each["status"].get("phase") not in _OVER), Decimal())


def _lacks_room(store: Store, node: Object, pod: Object, name: str) -> bool:
    room = parse_quantity(node["status"]["allocatable"].get(name, 0))
    return requested_amount(pod, name) > room - _load(store, node, name)
