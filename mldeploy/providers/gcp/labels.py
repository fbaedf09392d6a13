"""The labels by which what we made on Google Cloud is found again.

A label there has lower-case letters, digits, `_` and `-` alone, so that they are spelt otherwise than elsewhere.
https://cloud.google.com/resource-manager/docs/labels-overview
"""

from __future__ import annotations

from collections.abc import Mapping

APP = "mldeploy-app"
"""The app that it belongs to. Everything that we make on Google Cloud bears this and the next one from its start."""
TARGET = "mldeploy-target"
"""The target that it belongs to. A repository is the registry's, whichever target runs its images: `gar`."""


def belonging(app: str, target: str) -> dict[str, str]:
    """The labels that say whose a thing is."""
    return {APP: app, TARGET: target}


def foreign(labels: Mapping[str, str], app: str, target: str) -> tuple[str, ...]:
    """What a thing's labels lack to be ours, a readable line each: nothing if it is ours."""
    wanted = belonging(app, target)
    return tuple(
        f"label {name} {labels.get(name) or 'absent'} → {value}"
        for name, value in wanted.items()
        if labels.get(name) != value
    )
