"""The labels of our images and containers."""

from __future__ import annotations

APP = "mldeploy.app"
"""The app. Everything that mldeploy creates on an engine has this label and the next one."""
TARGET = "mldeploy.target"
"""The target. Images belong to the engine: `local`."""
HASH = "mldeploy.hash"
"""The hash of an image's inputs, 64 hex digits; its first 16 are the tag."""
BUILDER = "mldeploy.builder"
"""The builder: `buildkit` or `classic`. The layers are the same."""
PROOF = "mldeploy.proof"
"""How the compiled path of a model compares with its own, in a sentence for each model."""
STAGE = "mldeploy.stage"
"""The recipe's stage of an intermediate image: `builder`."""

CONTENT = "mldeploy.content"
"""On images of an environment: the hash of the inputs without the environment. A promoted image is recognized by it."""
BRANCH = "mldeploy.branch"
"""The git branch that an image was built from."""
SPEC = "mldeploy.spec"
"""On containers of a deployment: the hash of the spec without its restart policy and its variables' values.

It distinguishes our containers from those that users start from our images, which inherit the image's labels.
"""
ORIGIN = "mldeploy.origin"
"""On the same containers: who made it, `USER@MACHINE:STATE_FOLDER`."""
PROXY = "mldeploy.proxy"
"""Instead of SPEC, on the container of a deployment's proxy: the hash of its program."""
RELEASES = "mldeploy.releases"
"""On containers of a deployment: its images so far, newest first, each as `TAG=TIME`."""
CHECK = "mldeploy.check"
"""Instead of SPEC, on the temporary container of a check."""

TAG_DIGITS = 16
"""Digits of the hash in an image's tag."""
SUFFIX_DIGITS = 6
"""Digits at the end of the name of an app in an environment."""

LOCAL = "local"
"""The target name of an engine."""


def owner_labels(app: str, target: str = LOCAL) -> dict[str, str]:
    """Return the labels of an owner."""
    return {APP: app, TARGET: target}


def owner_filter(app: str, target: str = LOCAL) -> dict[str, list[str]]:
    """Return the engine's filter for the labels `owner_labels(app, target)`."""
    return {"label": [f"{name}={value}" for name, value in owner_labels(app, target).items()]}


def promoted_tag(digest: str, app: str) -> str:
    """Return the tag of an image that an app has taken over: of its hash, and the end of the app's name.

    In a repository that two environments share, the tag of the other one keeps the image when one is removed.
    """
    return f"{digest[:TAG_DIGITS]}-{app[-SUFFIX_DIGITS:]}"
