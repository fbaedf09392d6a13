"""The recipe as text: a pure function of `Recipe`. Apart from it, so that a look-up does not wait for Jinja."""

from __future__ import annotations

import json
import posixpath
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING

import jinja2

from mldeploy.image.builder import Builder
from mldeploy.image.dockerfile import label
from mldeploy.image.labels import STAGE, belonging
from mldeploy.image.preparation import mounts, preparation, preparation_alone
from mldeploy.image.recipe import TEMPLATE, Recipe

if TYPE_CHECKING:
    from mldeploy.image.standalone import Alone

# Runs every ten seconds: bare sockets without `site` cost a fifth of what urllib would.
_HEALTH_CHECK = (
    "import os,socket;"
    "c=socket.create_connection(('127.0.0.1',int(os.environ['PORT'])),3);"
    "c.sendall(b'GET '+os.environ['HEALTH'].encode()+b' HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n');"
    "raise SystemExit(c.recv(16)[9:12]!=b'200')"
)


def render(recipe: Recipe, builder: Builder = Builder.CLASSIC, alone: Alone | None = None) -> str:
    """The Dockerfile for a builder. What it makes is the same; BuildKit's keeps what it has downloaded.

    alone: for a build in the project's own folder, without mldeploy.
    """
    ours = belonging(recipe.app)
    template = _environment().from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        asdict(recipe),
        label=label(ours),
        label_of_builder=label({**ours, STAGE: "builder"}),
        health_check=_HEALTH_CHECK,
        buildkit=builder is Builder.BUILDKIT,
        alone=alone,
        mounts=mounts(builder, secret=recipe.secret and alone is None),
        preparation=preparation_alone(recipe) if alone else preparation(recipe, builder),
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
