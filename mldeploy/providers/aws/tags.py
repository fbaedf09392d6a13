"""The owner tags of resources that mldeploy creates on AWS."""

from __future__ import annotations

from collections.abc import Mapping

APP_TAG = "mldeploy:app"
"""The app that owns the resource. mldeploy sets this tag and the next one in the call that creates a resource."""
TARGET_TAG = "mldeploy:target"
"""The target that owns the resource. It is `ecr` for a repository, whichever target runs its images."""


def owner_tags(app: str, target: str) -> dict[str, str]:
    """The tags that mark a resource as owned by the app on the target."""
    return {APP_TAG: app, TARGET_TAG: target}


def missing_tags(tags: Mapping[str, str], app: str, target: str) -> tuple[str, ...]:
    """The owner tags that a resource lacks, one readable line each; empty if the app owns it."""
    desired = owner_tags(app, target)
    return tuple(
        f"tag {name} {tags.get(name) or 'absent'} → {value}"
        for name, value in desired.items()
        if tags.get(name) != value
    )
