"""The app's images in the user's registry, and their removal.

Standard: OCI distribution spec 1.1, "Content Management".
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mldeploy.config.paths import state_folder
from mldeploy.core.errors import LeftoversError, MldeployError
from mldeploy.core.events import Progress
from mldeploy.core.journal import Scope
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key
from mldeploy.image.labels import APP, HASH, promoted_tag
from mldeploy.image.registry.client import RegistryClient
from mldeploy.image.registry.steps import PushedImage
from mldeploy.providers.kubernetes.cloud import KubernetesCloud

_TAG = re.compile(r"[0-9a-f]{16}(-[0-9a-f]{6})?")
"""The tags that mldeploy sets: the start of the image's hash, and of a promoted image the end of the app's name."""


@dataclass(frozen=True)
class TaggedImage:
    """An image that mldeploy pushed. others: further tags, which somebody else has set."""

    digest: str
    tag: str
    others: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class RegistryImage(PushedImage):
    """The image is in the user's repository, which may hold other images as well."""

    title: ClassVar[str] = PushedImage.title

    @staticmethod
    def undo(cloud: KubernetesCloud, key: Key, monitor: Monitor) -> bool:  # type: ignore[override]  # of this cloud alone
        """Remove the app's images from the registry, and tags that a killed push left on the engine.

        Raises LeftoversError with the images if the registry does not allow that.
        """
        untagged = PushedImage.undo(cloud, key, monitor)
        if elsewhere := other_deployments(cloud):
            monitor.note(f"The images in {cloud.repository.name} stay: {cloud.owner.app} is deployed to {elsewhere}.")
            return untagged
        return remove_images(cloud, key.name, monitor) or untagged


def has_images(cloud: KubernetesCloud) -> bool:
    """Whether the registry holds images that `RegistryImage.undo` removes. False if the registry does not answer."""
    if other_deployments(cloud):
        return False
    try:
        with RegistryClient(cloud.repository.enter()) as registry:
            images = list_images(registry, cloud.repository.path, cloud.owner.app)
    except MldeployError:  # the removal reports it
        return False
    return any(not each.others for each in images)


def other_deployments(cloud: KubernetesCloud) -> str:
    """Return the other clusters and namespaces that this machine deployed the app to; "" if there are none."""
    own = Scope(cloud.owner.app, cloud.owner.target, cloud.place).file(state_folder())
    others = sorted(each.stem for each in own.parent.glob(f"{cloud.owner.target}@*.journal") if each.name != own.name)
    return ", ".join(each.partition("@")[2] for each in others)


def list_images(registry: RegistryClient, repository: str, app: str) -> tuple[TaggedImage, ...]:
    """Return the images of an app that mldeploy pushed to a repository: by their tag and their labels."""
    tags = registry.tags(repository)
    if not any(map(_TAG.fullmatch, tags)):
        return ()
    tags_by_digest: dict[str, list[str]] = defaultdict(list)
    for tag in tags:
        if digest := registry.digest(repository, tag):
            tags_by_digest[digest].append(tag)
    return tuple(
        TaggedImage(digest, own, tuple(tag for tag in named if tag != own))
        for digest, named in tags_by_digest.items()
        if (own := _own_tag(registry, repository, named, app))
    )


def _own_tag(registry: RegistryClient, repository: str, tags: Sequence[str], app: str) -> str:
    """Return which tag of an image mldeploy has set for the app; "" if it has set none."""
    candidates = list(filter(_TAG.fullmatch, tags))
    image = registry.image(repository, candidates[0]) if candidates else None
    digest = image.labels.get(HASH, "") if image else ""
    is_built = image is not None and image.labels.get(APP) == app
    for tag in candidates if digest else ():
        if tag == promoted_tag(digest, app) or (is_built and digest.startswith(tag)):
            return tag
    return ""


def remove_images(cloud: KubernetesCloud, path: str, monitor: Monitor) -> bool:
    """Remove the app's images from a repository; True if there were any.

    An image with a tag of somebody else stays, since its removal removes all tags. Raises LeftoversError.
    """
    removed, left = False, []
    with RegistryClient(cloud.repository.enter()) as registry:
        for image in list_images(registry, path, cloud.owner.app):
            name = f"{cloud.repository.name}:{image.tag}"
            if image.others:
                monitor.note(f"{name} stays in the registry: it has the tag {', '.join(image.others)} as well.")
                continue
            monitor.progress(Progress("", f"removing {name}"))
            if registry.delete(path, image.digest):
                removed = True
            else:
                left.append(f"{name} ({image.digest})")
    if left:
        what = "the registry does not allow these credentials to remove images:\n  " + "\n  ".join(left)
        todo = "Remove them with the registry's own tools, or use --keep-images."
        raise LeftoversError(cloud.repository.name, what, todo)
    return removed
