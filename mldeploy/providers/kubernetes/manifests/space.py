"""Where everything is, and how its image is pulled: a namespace, and a Secret with a registry's credentials."""

from __future__ import annotations

import base64
import json

from mldeploy.config.secret import Secret
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.environment import encoded
from mldeploy.providers.kubernetes.manifests.parts import metadata
from mldeploy.providers.kubernetes.reading import Document
from mldeploy.providers.kubernetes.types import NAMESPACE, SECRET


def namespace(owner: Owner, name: str) -> Document:
    return {"apiVersion": NAMESPACE.version, "kind": NAMESPACE.kind, "metadata": metadata(owner, name)}


def pull_secret_name(owner: Owner) -> str:
    return f"{owner.app}-registry"


def pull_secret(owner: Owner, space: str, access: RegistryAccess) -> Document:
    """https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/. It holds the password."""
    user, password = access.user, access.password.reveal()
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    held = {"auths": {access.address: {"username": user, "password": password, "auth": auth}}}
    return {
        "apiVersion": SECRET.version,
        "kind": SECRET.kind,
        "metadata": metadata(owner, pull_secret_name(owner), space),
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": encoded(Secret(json.dumps(held)))},
    }
