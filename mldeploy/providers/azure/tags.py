"""The tags by which what we made on Azure is found again, and the names that follow from an app's."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping

APP = "mldeploy.app"
"""The app that it belongs to. Everything that mldeploy makes on Azure bears this and the next one from its creation."""
TARGET = "mldeploy.target"
"""The target that it belongs to. The group and the registry are the registry's, whichever target runs its images."""


def belonging(app: str, target: str) -> dict[str, str]:
    """The tags that say whose a thing is."""
    return {APP: app, TARGET: target}


def foreign(tags: Mapping[str, str] | None, app: str, target: str) -> tuple[str, ...]:
    """What a thing's tags lack to be ours, a readable line each: nothing if it is ours."""
    there = tags or {}
    return tuple(
        f"tag {name} {there.get(name) or 'absent'} → {value}"
        for name, value in belonging(app, target).items()
        if there.get(name) != value
    )


def filter_of(app: str) -> str:
    """What is the app's, as Resource Manager's lists are narrowed."""
    return f"tagName eq '{APP}' and tagValue eq '{app}'"


def name(app: str, limit: int = 60) -> str:
    """What a thing of the app is called inside its group; where it would be too long, so that two apps share none."""
    whole = f"mldeploy-{app}"
    return whole if len(whole) <= limit else f"{whole[: limit - 9].rstrip('-')}-{_digest(whole)}"


DERIVED = "*"
"""The end of a key's name: what follows from the subscription stands in its place."""


def registry_name(app: str, subscription: str) -> str:
    """Registries share one namespace in the world, of 5 to 50 letters and digits."""
    return f"{re.sub(r'[^a-z0-9]', '', app.lower())[:40]}{_digest(subscription, app)}"


def site_name(app: str, subscription: str) -> str:
    """Sites do, too: it is their host name, of 2 to 60 letters, digits and hyphens."""
    readable = re.sub(r"[^a-z0-9-]", "-", app.lower()).strip("-")[:40].rstrip("-")
    return f"{readable or 'app'}-{_digest(subscription, app)}"


def resolved(key_name: str, subscription: str, derive: Callable[[str, str], str]) -> str:
    """The name of what a key names: `insurance*` is derived from the app and the subscription, others are names."""
    return derive(key_name.removesuffix(DERIVED), subscription) if key_name.endswith(DERIVED) else key_name


def _digest(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:8]
