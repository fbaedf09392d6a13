"""Container configuration: image pulls and credentials, environment variables, and the user.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#environment-variables
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from mldeploy.rehearsal.containers.host import ContainerHost, ContainerHostError, PulledImage
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import Store, precise
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object, ObjectKey


class ContainerConfigError(Exception):
    """A container cannot be created from its specification; the text goes into its status."""


def resolve_variables(store: Store, pod: Object, container: Object) -> dict[str, str]:
    """The environment variables of a container. Raises ContainerConfigError."""
    made: dict[str, str] = {}
    for each in container.get("envFrom") or ():
        for field, resource in (("secretRef", kinds.SECRETS), ("configMapRef", kinds.CONFIG_MAPS)):
            if reference := each.get(field):
                document = _data(store, resource, pod, reference) or {}
                made.update({each.get("prefix", "") + name: value for name, value in document.items()})
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
            document = _data(store, resource, pod, reference)
            if document is None:
                return None
            if reference["key"] in document:
                return document[reference["key"]]
            if reference.get("optional"):
                return None
            name = f"{pod['metadata']['namespace']}/{reference['name']}"
            raise ContainerConfigError(f"couldn't find key {reference['key']} in {resource.kind} {name}")
    return None


def _data(store: Store, resource: ApiResource, pod: Object, reference: Object) -> Mapping[str, str] | None:
    """The data of a Secret or ConfigMap; None if it is optional and missing."""
    namespace = pod["metadata"]["namespace"]
    document = store.get(ObjectKey(resource, namespace, reference["name"]))
    if document is None:
        if reference.get("optional"):
            return None
        raise ContainerConfigError(f'{resource.kind.lower()} "{reference["name"]}" not found')
    data: Mapping[str, str] = document.get("data") or {}
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


def get_user(context: Object) -> str | None:
    """The user in the engine's syntax; None: the image's default."""
    if "runAsUser" not in context:
        return None
    group = context.get("runAsGroup")
    return f"{context['runAsUser']}" if group is None else f"{context['runAsUser']}:{group}"


_PRIVILEGED_PORTS = {"net.ipv4.ip_unprivileged_port_start": "1024"}
"""Linux's own limit. Docker lifts it in every container, which the container runtimes of clusters need not do."""


def get_sysctls(pod: Object) -> dict[str, str]:
    """The kernel parameters of a pod: the kernel's own, and those that it sets."""
    context = pod["spec"].get("securityContext") or {}
    return _PRIVILEGED_PORTS | {each["name"]: each["value"] for each in context.get("sysctls") or ()}


def check_user(context: Object, image_user: str, pod: Object, container: Object) -> None:
    """Raises ContainerConfigError if runAsNonRoot is set and the user is or may be root."""
    if not context.get("runAsNonRoot"):
        return
    metadata = pod["metadata"]
    name = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
    about = f'(pod: "{name}", container: {container["name"]})'
    user = str(context.get("runAsUser", image_user.partition(":")[0]))
    if user in ("", "0", "root"):
        reason = "container's runAsUser breaks non-root policy" if "runAsUser" in context else "image will run as root"
        text = reason if "runAsUser" in context else f"container has runAsNonRoot and {reason}"
        raise ContainerConfigError(f"{text} {about}")
    if not user.isdigit():
        reason = f"image has non-numeric user ({user}), cannot verify user is non-root"
        raise ContainerConfigError(f"container has runAsNonRoot and {reason} {about}")


Login: TypeAlias = Callable[[str], tuple[str, str] | None]
"""User and password with which the nodes themselves may pull an image; None: without."""
_DOCKER_CONFIG = ".dockerconfigjson"


class PullError(Exception):
    """An image cannot be pulled; the text is what the container's status says."""


def pull_image(host: ContainerHost, store: Store, pod: Object, image: str, login: Login) -> PulledImage:
    """Pull an image with the first credentials that the registry accepts. Raises PullError."""
    logins = [*_secrets(store, pod, image), *filter(None, [login(image)])] or [("", "")]
    reason = ""
    for user, password in logins:
        try:
            return host.pull(image, user, password)
        except ContainerHostError as error:
            reason = str(error)
    what = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": {reason}'
    raise PullError(f'Failed to pull image "{image}": rpc error: code = Unknown desc = {what}')


def _secrets(store: Store, pod: Object, image: str) -> Iterator[tuple[str, str]]:
    """Credentials for the image's registry from the Pod's imagePullSecrets."""
    namespace = pod["metadata"]["namespace"]
    for reference in pod["spec"].get("imagePullSecrets") or ():
        secret = store.get(ObjectKey(kinds.SECRETS, namespace, reference.get("name", "")))
        coded = (secret or {}).get("data", {}).get(_DOCKER_CONFIG)
        auths = json.loads(base64.b64decode(coded)).get("auths", {}) if coded else {}
        for server, entry in auths.items():
            registry = server.removeprefix("https://").removeprefix("http://").rstrip("/")
            if image.startswith((f"{registry}/", f"{registry.partition('/')[0]}/")):
                yield _login(entry)


def _login(entry: Object) -> tuple[str, str]:
    if "auth" in entry:
        user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        return user, password
    return str(entry.get("username", "")), str(entry.get("password", ""))


class LogBuffer:
    """The lines of one container, each with its time. It is written by one thread, and read by many."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lines: list[tuple[str, bytes]] = []
        self._closed = False

    def write(self, line: bytes) -> None:
        """Append a line, without its line end."""
        with self._changed:
            self._lines.append((precise(), line))
            self._changed.notify_all()

    def close(self) -> None:
        """Mark the log as complete."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def lines(self) -> list[tuple[str, bytes]]:
        """All lines so far."""
        with self._changed:
            return list(self._lines)

    def follow(self, begin: int = 0, pause: float = 0.5) -> Iterator[tuple[str, bytes] | None]:
        """Yield lines from an index until the log closes; yield None after each pause (seconds) without a line."""
        while True:
            lines, closed = self._after(begin, pause)
            begin += len(lines)
            yield from lines
            if closed and not lines:
                return
            if not lines:
                yield None

    def _after(self, begin: int, seconds: float) -> tuple[list[tuple[str, bytes]], bool]:
        """The lines from an index, and whether the log is closed. Waits up to `seconds` for a line."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._lines) > begin or self._closed, seconds)
            return self._lines[begin:], self._closed
