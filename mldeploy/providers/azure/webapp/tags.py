"""The tags of what we made for the target."""

from __future__ import annotations

from collections.abc import Mapping

from mldeploy.providers.azure import tags

TARGET = "webapp"


def belonging(app: str) -> dict[str, str]:
    """The tags that say whose a thing is."""
    return tags.belonging(app, TARGET)


def is_ours(found: Mapping[str, str] | None, app: str) -> bool:
    """Whether a thing with these tags belongs to the app on this target."""
    return not tags.foreign(found, app, TARGET)
