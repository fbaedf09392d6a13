"""A container's variables, from where its specification says.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#environment-variables
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object, Resource


class ConfigError(Exception):
    """A container cannot be made as it is specified; the text is what its status says."""


def variables(store: Store, pod: Object, container: Object) -> dict[str, str]:
    """Raises ConfigError."""
    made: dict[str, str] = {}
    for each in container.get("envFrom") or ():
        for field, resource in (("secretRef", kinds.SECRETS), ("configMapRef", kinds.CONFIG_MAPS)):
            if reference := each.get(field):
                found = _data(store, resource, pod, reference) or {}
                made.update({each.get("prefix", "") + name: value for name, value in found.items()})
    for each in container.get("env") or ():
        value = _value(store, pod, each)
        if value is not None:
            made[each["name"]] = value
    return made


def _value(store: Store, pod: Object, variable: Object) -> str | None:
    source = variable.get("valueFrom")
    if not source:
        return str(variable.get("value", ""))
    if reference := source.get("fieldRef"):
        return _field(pod, reference["fieldPath"])
    for field, resource in (("secretKeyRef", kinds.SECRETS), ("configMapKeyRef", kinds.CONFIG_MAPS)):
        if reference := source.get(field):
            found = _data(store, resource, pod, reference)
            if found is None:
                return None
            if reference["key"] in found:
                return found[reference["key"]]
            if reference.get("optional"):
                return None
            place = f"{pod['metadata']['namespace']}/{reference['name']}"
            raise ConfigError(f"couldn't find key {reference['key']} in {resource.kind} {place}")
    return None


def _data(store: Store, resource: Resource, pod: Object, reference: Object) -> Mapping[str, str] | None:
    """None for what may be missing, and is."""
    namespace = pod["metadata"]["namespace"]
    found = store.get(Key(resource, namespace, reference["name"]))
    if found is None:
        if reference.get("optional"):
            return None
        raise ConfigError(f'{resource.kind.lower()} "{reference["name"]}" not found')
    data: Mapping[str, str] = found.get("data") or {}
    if resource is kinds.SECRETS:
        return {name: base64.b64decode(value).decode(errors="replace") for name, value in data.items()}
    return data


def _field(pod: Object, path: str) -> str:
    known = {
        "metadata.name": pod["metadata"]["name"],
        "metadata.namespace": pod["metadata"]["namespace"],
        "metadata.uid": pod["metadata"]["uid"],
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", ""),
        "status.podIP": pod["status"].get("podIP", ""),
        "status.hostIP": pod["status"].get("hostIP", ""),
    }
    return str(known.get(path, ""))
