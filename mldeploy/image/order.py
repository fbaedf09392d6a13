"""From what decides an image to what the engine is told."""

from __future__ import annotations

from collections.abc import Mapping

from mldeploy.image.assembly import Assembly
from mldeploy.image.build import Order
from mldeploy.image.context import Context, Member, Text
from mldeploy.image.dockerfile import label, labelled
from mldeploy.image.files import File
from mldeploy.image.ignore import NAME
from mldeploy.image.labels import HASH, belonging
from mldeploy.image.render import render
from mldeploy.image.source import source_labels
from mldeploy.image.types import BaseDigest

RECIPE = "Dockerfile"


def order(assembly: Assembly, reference: str, digest: str, base: BaseDigest) -> Order:
    """The order for one build. Asks git where the code comes from; reads nothing else."""
    build = assembly.project.build
    return Order(
        reference=reference,
        context=_context(assembly, _labels(assembly, digest, base)),
        platform=build.platform,
        args=dict(build.args),
    )


def _context(assembly: Assembly, labels: Mapping[str, str]) -> Context:
    """The labels stand in the recipe: handed to the builder, each would be a step, and a tenth of a second."""
    if assembly.recipe is None:
        return _own_context(assembly, labels)
    recipe = Text(RECIPE, f"{render(assembly.recipe)}{label(labels)}\n".encode())
    # These are there even if empty: the recipe copies them all.
    folders = (File.folder(f"{name}/app") for name in ("model", "assets", "code"))
    return Context.of(RECIPE, (*assembly.members, recipe, *folders))


def _own_context(assembly: Assembly, labels: Mapping[str, str]) -> Context:
    """With the Dockerfile and `.dockerignore` even if that excludes them: the builder reads and then drops them."""
    app = assembly.project.app
    name = str(assembly.project.build.dockerfile)
    text = labelled(assembly.dockerfile, belonging(app.name), labels)
    members: list[Member] = [*assembly.members, Text(name, text.encode("utf-8", "surrogateescape"))]
    if (app.folder / NAME).exists():
        members.append(Text(NAME, (app.folder / NAME).read_bytes()))
    return Context.of(name, members)


def _labels(assembly: Assembly, digest: str, base: BaseDigest) -> dict[str, str]:
    """What the image says of itself. Where the code comes from is not part of the hash, or a commit would be a build.

    Standard: OCI image spec 1.1, annotations.
    """
    app = assembly.project.app
    labels = {"org.opencontainers.image.title": app.name, **source_labels(app.folder)}
    if base.digests:
        name, base_digest = base.digests[-1]
        labels |= {"org.opencontainers.image.base.name": name, "org.opencontainers.image.base.digest": base_digest}
    return labels | belonging(app.name) | {HASH: digest}
