"""What the app finds in its environment: a ConfigMap of what we say, a Secret of what the user says."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from mldeploy.config.secret import Secret
from mldeploy.config.settings import App
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.parts import metadata
from mldeploy.providers.kubernetes.reading import Document
from mldeploy.providers.kubernetes.types import CONFIG_MAP, SECRET

COMPONENT = "app.kubernetes.io/component"
ENVIRONMENT = "environment"
ROUNDS = 100_000
"""Of PBKDF2: the name that follows from secrets must not let anybody guess short ones."""


@dataclass(frozen=True)
class Environment:
    """Variables, by where they go. A variable of the user's may be a secret, so all of these are treated as one."""

    open: tuple[tuple[str, str], ...]
    secret: tuple[tuple[str, Secret], ...]

    @classmethod
    def of(cls, app: App) -> Environment:
        """PORT tells the one port that everything leads to, whatever the user says."""
        return cls((("PORT", str(app.port)),), tuple(pair for pair in app.env if pair[0] != "PORT"))


def config_map_name(owner: Owner, environment: Environment) -> str:
    """Its content is in its name: another content is another object, which pods of another version do not see."""
    return f"{owner.app}-env-{_digest(owner, dict(environment.open))}"


def secret_name(owner: Owner, environment: Environment) -> str:
    return f"{owner.app}-env-{_digest(owner, {name: value.reveal() for name, value in environment.secret})}"


def config_map(owner: Owner, namespace: str, environment: Environment) -> Document:
    """What nobody needs to hide."""
    return {
        "apiVersion": CONFIG_MAP.version,
        "kind": CONFIG_MAP.kind,
        "metadata": _metadata(owner, namespace, config_map_name(owner, environment)),
        "immutable": True,
        "data": dict(environment.open),
    }


def secret(owner: Owner, namespace: str, environment: Environment) -> Document:
    """The user's variables. It holds their values."""
    return {
        "apiVersion": SECRET.version,
        "kind": SECRET.kind,
        "metadata": _metadata(owner, namespace, secret_name(owner, environment)),
        "type": "Opaque",
        "immutable": True,
        "data": {name: encoded(value) for name, value in environment.secret},
    }


def encoded(value: Secret) -> str:
    """As a Secret's `data` has it."""
    return base64.b64encode(value.reveal().encode()).decode()


def _metadata(owner: Owner, namespace: str, name: str) -> Document:
    return metadata(owner, name, namespace, labels={COMPONENT: ENVIRONMENT})


def _digest(owner: Owner, values: Mapping[str, str]) -> str:
    return _derived(owner.app, json.dumps(values, sort_keys=True))


@lru_cache(maxsize=16)
def _derived(app: str, content: str) -> str:
    """Slow by intent, and asked for by every step that needs a name."""
    return hashlib.pbkdf2_hmac("sha256", content.encode(), f"mldeploy {app}".encode(), ROUNDS).hex()[:10]
