"""The tags and the names by which what we made for the target is found again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from mldeploy.providers.aws import tags

TARGET = "fargate"


def belonging(app: str) -> dict[str, str]:
    """The tags that say whose a thing is."""
    return tags.belonging(app, TARGET)


def is_ours(found: Mapping[str, str], app: str) -> bool:
    """Whether a thing with these tags belongs to the app on this target."""
    return not tags.foreign(dict(found), app, TARGET)


def read(found: Iterable[Mapping[str, object]]) -> dict[str, str]:
    """Tags as ECS (`key`, `value`) and as the others (`Key`, `Value`) list them."""
    return {str(tag.get("key", tag.get("Key"))): str(tag.get("value", tag.get("Value"))) for tag in found}


def name(app: str, *purpose: str, limit: int = 255) -> str:
    """What a thing of the app is called; where it would be too long, so that two apps never share a name."""
    whole = "-".join(("mldeploy", app, *purpose))
    if len(whole) <= limit:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{whole[: limit - 9].rstrip('-')}-{digest}"
