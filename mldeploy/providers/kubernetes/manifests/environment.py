"""Manifests of the namespace, the app's environment (a ConfigMap and a Secret) and the pull credentials."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from mldeploy.config.secret import Secret
from mldeploy.config.settings import App
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.providers.kubernetes.api import CONFIG_MAP, NAMESPACE, SECRET
from mldeploy.providers.kubernetes.documents import Document
from mldeploy.providers.kubernetes.labels import Owner, object_metadata

COMPONENT = "app.kubernetes.io/component"
ENVIRONMENT = "environment"
ROUNDS = 100_000
"""Rounds of PBKDF2. The name is derived from secrets, and must not allow guessing short ones."""


@dataclass(frozen=True)
class ContainerEnvironment:
    """The app's variables. The user's variables may be secrets, so all of them go to a Secret."""

    open: tuple[tuple[str, str], ...]
    secret: tuple[tuple[str, Secret], ...]

    @classmethod
    def of(cls, app: App) -> ContainerEnvironment:
        """Return an app's variables. mldeploy sets PORT; the user's PORT is ignored."""
        return cls((("PORT", str(app.port)),), tuple(pair for pair in app.env if pair[0] != "PORT"))


def config_map_name(owner: Owner, environment: ContainerEnvironment) -> str:
    """Return the name, with a digest of the content: each content is a separate object."""
    return f"{owner.app}-env-{_digest(owner, dict(environment.open))}"


def secret_name(owner: Owner, environment: ContainerEnvironment) -> str:
    return f"{owner.app}-env-{_digest(owner, {name: value.reveal() for name, value in environment.secret})}"


def config_map_manifest(owner: Owner, namespace: str, environment: ContainerEnvironment) -> Document:
    """Return the ConfigMap with the public variables."""
    return {
        "apiVersion": CONFIG_MAP.version,
        "kind": CONFIG_MAP.kind,
        "metadata": _metadata(owner, namespace, config_map_name(owner, environment)),
        "immutable": True,
        "data": dict(environment.open),
    }


def secret_manifest(owner: Owner, namespace: str, environment: ContainerEnvironment) -> Document:
    """Return the Secret with the user's variables, including their values."""
    return {
        "apiVersion": SECRET.version,
        "kind": SECRET.kind,
        "metadata": _metadata(owner, namespace, secret_name(owner, environment)),
        "type": "Opaque",
        "immutable": True,
        "data": {name: encode_secret_value(value) for name, value in environment.secret},
    }


def encode_secret_value(value: Secret) -> str:
    """Encode a value for a Secret's `data`."""
    return base64.b64encode(value.reveal().encode()).decode()


def _metadata(owner: Owner, namespace: str, name: str) -> Document:
    return object_metadata(owner, name, namespace, labels={COMPONENT: ENVIRONMENT})


def _digest(owner: Owner, values: Mapping[str, str]) -> str:
    return _derive_suffix(owner.app, json.dumps(values, sort_keys=True))


@lru_cache(maxsize=16)
def _derive_suffix(app: str, content: str) -> str:
    """Derive a name's suffix. Slow on purpose, so it is cached."""
    return hashlib.pbkdf2_hmac("sha256", content.encode(), f"mldeploy {app}".encode(), ROUNDS).hex()[:10]


def namespace_manifest(owner: Owner, name: str) -> Document:
    return {"apiVersion": NAMESPACE.version, "kind": NAMESPACE.kind, "metadata": object_metadata(owner, name)}


def pull_secret_name(owner: Owner) -> str:
    return f"{owner.app}-registry"


def pull_secret_manifest(owner: Owner, space: str, access: RegistryAccess) -> Document:
    """https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/. Includes the password."""
    user, password = access.user, access.password.reveal()
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    held = {"auths": {access.address: {"username": user, "password": password, "auth": auth}}}
    return {
        "apiVersion": SECRET.version,
        "kind": SECRET.kind,
        "metadata": object_metadata(owner, pull_secret_name(owner), space),
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": encode_secret_value(Secret(json.dumps(held)))},
    }
