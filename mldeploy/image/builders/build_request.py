"""The request for one build, from its inputs."""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

import certifi

from mldeploy.bounded_http import BoundedAdapter
from mldeploy.config.secret import Secret
from mldeploy.core.files import read_bytes
from mldeploy.image.build_inputs import BuildInputs
from mldeploy.image.builders.choice import Builder
from mldeploy.image.context import Context, Member, Text
from mldeploy.image.dockerfile import label, labelled
from mldeploy.image.files import ContextFile
from mldeploy.image.labels import BUILDER, CONTENT, HASH, PROOF, owner_labels
from mldeploy.image.recipe.render import render_dockerfile
from mldeploy.image.recipe.run_prelude import build_secret, collect_passwords
from mldeploy.image.recipe.variables import Recipe
from mldeploy.image.source import read_source_labels
from mldeploy.image.types import BaseDigest
from mldeploy.project.ignore import DOCKERIGNORE

RECIPE = "Dockerfile"


@dataclass(frozen=True)
class BuildRequest:
    """One build. reference: `name:tag`. args: visible in the image's history.

    recipe: the Dockerfile if it is not in the context. secret: a file for the install instructions. passwords: redacted
    in messages. cache_from, cache_to: images in registries, for BuildKit only.
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


def create_build_request(
    inputs: BuildInputs, reference: str, digest: str, base: BaseDigest, builder: Builder
) -> BuildRequest:
    """Return the request for one build by `builder`. Runs git for the source labels.

    The labels are part of the recipe: as options of the classic builder, each would be a step of 0.1 s.
    """
    build = inputs.project.build
    labels = _image_labels(inputs, digest, base) | {BUILDER: builder.value}
    if inputs.recipe is None:
        context, recipe = _dockerfile_context(inputs, labels, builder)
    else:
        context, recipe = _recipe_context(inputs, inputs.recipe, labels, builder), None
    return BuildRequest(
        reference=reference,
        context=context,
        platform=build.platform,
        args=dict(build.args),
        recipe=recipe,
        secret=build_secret(build) if inputs.recipe else None,
        passwords=collect_passwords(build),
        cache_from=build.cache_from,
        cache_to=build.cache_to,
    )


def _recipe_context(inputs: BuildInputs, recipe: Recipe, labels: Mapping[str, str], builder: Builder) -> Context:
    text = Text(RECIPE, f"{render_dockerfile(recipe, builder)}{label(labels)}\n".encode())
    # They must exist even if empty, since the recipe copies them.
    folders = (ContextFile.folder(f"{name}/app") for name in ("model", "assets", "code"))
    return Context.of(RECIPE, (*inputs.members, text, *folders))


def _dockerfile_context(
    inputs: BuildInputs, labels: Mapping[str, str], builder: Builder
) -> tuple[Context, bytes | None]:
    """Return the context with a custom Dockerfile inside (classic builder) or beside it (BuildKit)."""
    app = inputs.project.app
    name = str(inputs.project.build.dockerfile)
    text = labelled(inputs.dockerfile, owner_labels(app.name), labels).encode("utf-8", "surrogateescape")
    if builder is Builder.BUILDKIT:
        return Context.of(name, inputs.members), text
    # Even if `.dockerignore` excludes them: the classic builder reads and then drops them.
    members: list[Member] = [*inputs.members, Text(name, text)]
    if (app.folder / DOCKERIGNORE).exists():
        members.append(Text(DOCKERIGNORE, read_bytes(app.folder / DOCKERIGNORE)))
    return Context.of(name, members), None


def _image_labels(inputs: BuildInputs, digest: str, base: BaseDigest) -> dict[str, str]:
    """Return the image's labels. The source labels are not hashed, so that a commit alone does not rebuild.

    Standard: OCI image spec 1.1, annotations.
    """
    app = inputs.project.app
    labels = {"org.opencontainers.image.title": app.name, **read_source_labels(app.folder)}
    if base.digests:
        name, base_digest = base.digests[-1]
        labels |= {"org.opencontainers.image.base.name": name, "org.opencontainers.image.base.digest": base_digest}
    if summaries := [f"{each.name}: {each.proof_summary}" for each in inputs.project.served if each.proof]:
        labels[PROOF] = "; ".join(summaries)
    if app.environment:
        labels[CONTENT] = inputs.content_digest(base)
    return labels | owner_labels(app.name) | {HASH: digest}


_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS")
"""Variables that name additional authorities (PEM files)."""


class Trust(Enum):
    """BUILD: the authorities in a build container. MACHINE: those and this machine's own."""

    BUILD = auto()
    MACHINE = auto()


def context(trust: Trust, ca_bundle: Path | None) -> ssl.SSLContext:
    """Return a context that verifies. ca_bundle: of the project. Raises ssl.SSLError, OSError if it is no PEM file."""
    made = ssl.create_default_context() if trust is Trust.MACHINE else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(certifi.where())
    if ca_bundle:
        made.load_verify_locations(ca_bundle)
    for bundle in machine_bundles() if trust is Trust.MACHINE else ():
        with contextlib.suppress(OSError):  # ssl.SSLError is an OSError
            made.load_verify_locations(bundle)
    return made


def machine_bundles(environment: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """Yield the files with this machine's own authorities, the most specific first."""
    named = [environment.get(name, "") for name in _VARIABLES] + [ssl.get_default_verify_paths().cafile or ""]
    yield from dict.fromkeys(path for name in named if name and (path := Path(name)).is_file())


class Trusting(BoundedAdapter):
    """Verifies certificates with the given context, also behind a proxy."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        self._trust = trust
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._trust)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **kwargs, ssl_context=self._trust)
