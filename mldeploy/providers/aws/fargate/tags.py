"""Owner tags and names of the resources of the target `fargate`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mldeploy.providers.aws import tags
from mldeploy.providers.aws.names import shortened

TARGET = "fargate"


def owner_tags(app: str) -> dict[str, str]:
    """The tags that mark a resource as owned by the app on this target."""
    return tags.owner_tags(app, TARGET)


def is_owned(present: Mapping[str, str], app: str) -> bool:
    """Whether the app on this target owns a resource with these tags."""
    return not tags.missing_tags(dict(present), app, TARGET)


def read_tags(entries: Iterable[Mapping[str, object]]) -> dict[str, str]:
    """Tags as ECS (`key`, `value`) and as the others (`Key`, `Value`) list them."""
    return {str(tag.get("key", tag.get("Key"))): str(tag.get("value", tag.get("Value"))) for tag in entries}


def resource_name(app: str, *purpose: str, limit: int = 255) -> str:
    """The name of a resource of the app. A name over `limit` characters is cut and ends with a hash."""
    return shortened("-".join(("mldeploy", app, *purpose)), limit)
