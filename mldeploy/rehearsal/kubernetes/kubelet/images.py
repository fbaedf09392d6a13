"""How a node gets an image, and with whose credentials.

https://kubernetes.io/docs/concepts/containers/images/
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import TypeAlias

from mldeploy.rehearsal.containers.host import Host, HostError, Pulled
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object

Login: TypeAlias = Callable[[str], tuple[str, str] | None]
"""User and password with which the nodes themselves may pull an image; None: without."""
_DOCKER_CONFIG = ".dockerconfigjson"


class PullError(Exception):
    """An image cannot be pulled; the text is what the container's status says."""


def pull(host: Host, store: Store, pod: Object, image: str, login: Login) -> Pulled:
    """With the first credentials that the registry accepts. Raises PullError."""
    logins = [*_secrets(store, pod, image), *filter(None, [login(image)])] or [("", "")]
    said = ""
    for user, password in logins:
        try:
            return host.pull(image, user, password)
        except HostError as error:
            said = str(error)
    what = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": {said}'
    raise PullError(f'Failed to pull image "{image}": rpc error: code = Unknown desc = {what}')


def _secrets(store: Store, pod: Object, image: str) -> Iterator[tuple[str, str]]:
    """Those that the Pod names, as far as they know the image's registry."""
    namespace = pod["metadata"]["namespace"]
    for reference in pod["spec"].get("imagePullSecrets") or ():
        secret = store.get(Key(kinds.SECRETS, namespace, reference.get("name", "")))
        coded = (secret or {}).get("data", {}).get(_DOCKER_CONFIG)
        auths = json.loads(base64.b64decode(coded)).get("auths", {}) if coded else {}
        for server, entry in auths.items():
            place = server.removeprefix("https://").removeprefix("http://").rstrip("/")
            if image.startswith((f"{place}/", f"{place.partition('/')[0]}/")):
                yield _login(entry)


def _login(entry: Object) -> tuple[str, str]:
    if "auth" in entry:
        user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        return user, password
    return str(entry.get("username", "")), str(entry.get("password", ""))
