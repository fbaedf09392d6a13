"""The owner tags of the app's resources, and the derivation of resource names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping

APP = "mldeploy.app"
"""The app that owns the resource. mldeploy sets both tags when it creates a resource."""
TARGET = "mldeploy.target"
"""The target that owns the resource. The resource group and the registry belong to `acr`, for all targets."""


def owner_tags(app: str, target: str) -> dict[str, str]:
    """The owner tags of a resource."""
    return {APP: app, TARGET: target}


def missing_tags(tags: Mapping[str, str] | None, app: str, target: str) -> tuple[str, ...]:
    """One readable line for each owner tag that is missing or differs; empty if the app owns the resource."""
    there = tags or {}
    return tuple(
        f"tag {name} {there.get(name) or 'absent'} → {value}"
        for name, value in owner_tags(app, target).items()
        if there.get(name) != value
    )


def app_filter(app: str) -> str:
    """The filter expression for the app's resources in Resource Manager lists."""
    return f"tagName eq '{APP}' and tagValue eq '{app}'"


def resource_name(app: str, limit: int = 60) -> str:
    """The name of an app's resource in its group. Long names are shortened with a digest."""
    whole = f"mldeploy-{app}"
    return whole if len(whole) <= limit else f"{whole[: limit - 9].rstrip('-')}-{_digest(whole)}"


DERIVED = "*"
"""The suffix of a key's name whose resource name is derived from the app and the subscription."""


def derive_registry_name(app: str, subscription: str) -> str:
    """A globally unique registry name of 5 to 50 letters and digits."""
    return f"{re.sub(r'[^a-z0-9]', '', app.lower())[:40]}{_digest(subscription, app)}"


def derive_site_name(app: str, subscription: str) -> str:
    """A globally unique site name (its host name) of 2 to 60 letters, digits and hyphens."""
    readable = re.sub(r"[^a-z0-9-]", "-", app.lower()).strip("-")[:40].rstrip("-")
    return f"{readable or 'app'}-{_digest(subscription, app)}"


def resolve_name(key_name: str, subscription: str, derive: Callable[[str, str], str]) -> str:
    """The resource name for a key's name: `insurance*` is derived, other names are used as they are."""
    return derive(key_name.removesuffix(DERIVED), subscription) if key_name.endswith(DERIVED) else key_name


def _digest(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:8]


WEBAPP = "webapp"


def webapp_tags(app: str) -> dict[str, str]:
    """The owner tags of a resource."""
    return owner_tags(app, WEBAPP)


def has_webapp_tags(tags: Mapping[str, str] | None, app: str) -> bool:
    """Whether the tags say that the app owns the resource on the target `webapp`."""
    return not missing_tags(tags, app, WEBAPP)


CONTAINERAPPS = "containerapps"


def container_app_name(app: str) -> str:
    """The name of a container app, the first part of its host name: 32 characters at most."""
    return app if len(app) <= 32 else f"{app[:23].rstrip('-')}-{_digest(app)}"


def derive_vault_name(target: str, app: str, subscription: str) -> str:
    """A globally unique name of a key vault: 3 to 24 letters, digits and hyphens, no two of these in succession."""
    readable = re.sub(r"[^a-z0-9]+", "-", app.lower()).strip("-")[:14].rstrip("-")
    return f"{readable if readable[:1].isalpha() else f'v{readable}'}-{_digest(subscription, target, app)}"
