"""Renders the recipe as a Dockerfile. A separate module, so that lookups do not import Jinja."""

from __future__ import annotations

import json
import posixpath
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING

import jinja2

from mldeploy.image.builders.choice import Builder
from mldeploy.image.dockerfile import label
from mldeploy.image.labels import STAGE, owner_labels
from mldeploy.image.recipe.run_prelude import render_export_prelude, render_mounts, render_prelude
from mldeploy.image.recipe.variables import TEMPLATE, Recipe

if TYPE_CHECKING:
    from mldeploy.image.recipe.dockerfile_export import ExportContext

# Runs every ten seconds: bare sockets without `site` cost a fifth of what urllib would.
_HEALTH_CHECK = (
    "import os,socket;"
    "c=socket.create_connection(('127.0.0.1',int(os.environ['PORT'])),3);"
    "c.sendall(b'GET '+os.environ['HEALTH'].encode()+b' HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n');"
    "raise SystemExit(c.recv(16)[9:12]!=b'200')"
)


def render_dockerfile(recipe: Recipe, builder: Builder = Builder.CLASSIC, alone: ExportContext | None = None) -> str:
    """Return the Dockerfile for a builder. The image is the same; with BuildKit, downloads are cached.

    alone: for a build in the project's own folder, without mldeploy.
    """
    ours = owner_labels(recipe.app)
    template = _environment().from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        asdict(recipe),
        label=label(ours),
        label_of_builder=label({**ours, STAGE: "builder"}),
        health_check=_HEALTH_CHECK,
        buildkit=builder is Builder.BUILDKIT,
        alone=alone,
        mounts=render_mounts(builder, secret=recipe.secret and alone is None),
        prelude=render_export_prelude(recipe) if alone else render_prelude(recipe, builder),
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - it is not HTML
        keep_trailing_newline=True,
    )
    environment.filters["parent"] = posixpath.dirname
    environment.filters["json"] = json.dumps
    environment.filters["quote"] = shlex.quote
    return environment
