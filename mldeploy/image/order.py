"""From what decides an image to what the engine is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mldeploy.config.secret import Secret
from mldeploy.image.assembly import Assembly
from mldeploy.image.builder import Builder
from mldeploy.image.context import Context, Member, Text
from mldeploy.image.dockerfile import label, labelled
from mldeploy.image.files import File
from mldeploy.image.labels import BUILDER, HASH, belonging
from mldeploy.image.preparation import passwords, secret
from mldeploy.image.recipe import Recipe
from mldeploy.image.render import render
from mldeploy.image.source import source_labels
from mldeploy.image.types import BaseDigest
from mldeploy.project.ignore import NAME

RECIPE = "Dockerfile"


@dataclass(frozen=True)
class Order:
    """What is to be built. reference: `name:tag`. args may be read in the image's history.

    recipe: the Dockerfile where it does not stand in the context. secret: a file for the instructions that install.
    passwords: what no message may show. cache_from, cache_to: images in registries, for BuildKit alone.
    """

    reference: str
    context: Context
    platform: str
    args: Mapping[str, str]
    recipe: bytes | None = None
    secret: Secret | None = None
    passwords: tuple[Secret, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_to: str | None = None


def order(assembly: Assembly, reference: str, digest: str, base: BaseDigest, builder: Builder) -> Order:
    """The order for one build by `builder`. Asks git where the code comes from; reads nothing else.

    The labels stand in the recipe: handed to the classic builder, each would be a step, and a tenth of a second.
    """
    build = assembly.project.build
    labels = _labels(assembly, digest, base) | {BUILDER: builder.value}
    if assembly.recipe is None:
        context, recipe = _own(assembly, labels, builder)
    else:
        context, recipe = _ours(assembly, assembly.recipe, labels, builder), None
    return Order(
        reference=reference,
        context=context,
        platform=build.platform,
        args=dict(build.args),
        recipe=recipe,
        secret=secret(build) if assembly.recipe else None,
        passwords=passwords(build),
        cache_from=build.cache_from,
        cache_to=build.cache_to,
    )


def _ours(assembly: Assembly, recipe: Recipe, labels: Mapping[str, str], builder: Builder) -> Context:
    text = Text(RECIPE, f"{render(recipe, builder)}{label(labels)}\n".encode())
    # These are there even if empty: the recipe copies them all.
    folders = (File.folder(f"{name}/app") for name in ("model", "assets", "code"))
    return Context.of(RECIPE, (*assembly.members, text, *folders))


def _own(assembly: Assembly, labels: Mapping[str, str], builder: Builder) -> tuple[Context, bytes | None]:
    """The user's own recipe, inside of the context for the classic builder and beside it for BuildKit."""
    app = assembly.project.app
    name = str(assembly.project.build.dockerfile)
    text = labelled(assembly.dockerfile, belonging(app.name), labels).encode("utf-8", "surrogateescape")
    if builder is Builder.BUILDKIT:
        return Context.of(name, assembly.members), text
    # Even if `.dockerignore` excludes them: the classic builder reads and then drops them.
    members: list[Member] = [*assembly.members, Text(name, text)]
    if (app.folder / NAME).exists():
        members.append(Text(NAME, (app.folder / NAME).read_bytes()))
    return Context.of(name, members), None


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
