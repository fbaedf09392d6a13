"""The tags by which what we made on AWS is found again."""

from __future__ import annotations

from collections.abc import Mapping

APP = "mldeploy:app"
"""The app that it belongs to. Everything that mldeploy makes on AWS bears this and the next one from its creation."""
TARGET = "mldeploy:target"
"""The target that it belongs to. A repository is the registry's, whichever target runs its images: `ecr`."""


def belonging(app: str, target: str) -> dict[str, str]:
    """The tags that say whose a thing is."""
    return {APP: app, TARGET: target}


def foreign(tags: Mapping[str, str], app: str, target: str) -> tuple[str, ...]:
    """What a thing's tags lack to be ours, a readable line each: nothing if it is ours."""
    wanted = belonging(app, target)
    return tuple(
        f"tag {name} {tags.get(name) or 'absent'} → {value}"
        for name, value in wanted.items()
        if tags.get(name) != value
    )
