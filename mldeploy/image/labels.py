"""The labels by which what we made on an engine is found again."""

from __future__ import annotations

APP = "mldeploy.app"
"""The app that it belongs to. Everything that mldeploy makes on an engine bears this and the next one."""
TARGET = "mldeploy.target"
"""The target that it belongs to. An image belongs to the engine that it lives on: `local`."""
HASH = "mldeploy.hash"
"""The hash of everything that decides an image, 64 hex digits; its first 16 are the image's tag."""
BUILDER = "mldeploy.builder"
"""What built an image: `buildkit` or `classic`. The layers are the same."""
STAGE = "mldeploy.stage"
"""The recipe's stage that an image was left by: `builder`."""

SPEC = "mldeploy.spec"
"""On containers of a deployment alone: the hash of all about one but its restart policy and its variables' values.

It tells our containers from those that a user starts by hand from our images, which inherit an image's labels.
"""
CHECK = "mldeploy.check"
"""In its place on a container that is started to check an image, and is gone once that is done."""

LOCAL = "local"
"""The target that an engine itself is."""


def belonging(app: str, target: str = LOCAL) -> dict[str, str]:
    """The labels that say whose a thing is."""
    return {APP: app, TARGET: target}


def matching(app: str, target: str = LOCAL) -> dict[str, list[str]]:
    """The filter by which the engine lists the things that bear `belonging(app, target)`."""
    return {"label": [f"{name}={value}" for name, value in belonging(app, target).items()]}
