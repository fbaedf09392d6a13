"""The prelude of RUN instructions that install: certificates, indexes and credentials.

Credentials are in a file in memory while the instruction runs. BuildKit mounts it; for the classic builder it is copied
to the container (`image.classic.copy_secret`). They are in no layer, no history and no intermediate stage.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from mldeploy.config.secret import Secret
from mldeploy.config.settings import Build, Index
from mldeploy.image.builders.choice import Builder
from mldeploy.image.recipe.variables import Recipe

BUILDKIT_SECRET_PATH = "/run/secrets/mldeploy"  # noqa: S105 - a path
CLASSIC_SECRET_PATH = "/dev/shm/mldeploy"  # noqa: S105, S108 - a path in the container

_TRUST = dict.fromkeys(("SSL_CERT_FILE", "PIP_CERT"), "/build/certificates.pem")
_IN_URL = re.compile(r"https?://([^/?#]+)@")


def render_mounts(builder: Builder, *, secret: bool) -> str:
    """Return the options of such a RUN."""
    if builder is Builder.CLASSIC:
        return ""
    cache = "--mount=type=cache,id=mldeploy,target=/cache "
    return cache + (f"--mount=type=secret,id=mldeploy,target={BUILDKIT_SECRET_PATH} " if secret else "")


def render_prelude(recipe: Recipe, builder: Builder) -> str:
    """Return shell commands that end with " && ", or ""."""
    prelude = _render_exports(_TRUST if recipe.trusted else {}, _source_variables(recipe))
    if recipe.secret and builder is Builder.CLASSIC:
        prelude += f"until [ -e {CLASSIC_SECRET_PATH} ]; do sleep 0.1; done && . {CLASSIC_SECRET_PATH} && "
    elif recipe.secret:
        prelude += f". {BUILDKIT_SECRET_PATH} && "
    return prelude


def render_export_prelude(recipe: Recipe) -> str:
    """Return the prelude of an exported Dockerfile: certificates are optional, and there are no credentials."""
    trusted = _render_exports(_TRUST).removesuffix(" && ")
    return f"if [ -e certificates.pem ]; then {trusted}; fi && {_render_exports(_source_variables(recipe))}"


def build_secret(build: Build) -> Secret | None:
    """Return the secret file, which exports the indexes' URLs with credentials, or None."""
    if not any(each.credentials for each in _all_indexes(build)):
        return None
    index = build.index.reveal() if build.index else ""
    return Secret(
        _render_exports(_index_variables(index, tuple(each.reveal() for each in build.extra_indexes))) + "true\n"
    )


def collect_passwords(build: Build) -> tuple[Secret, ...]:
    """Return the passwords to redact, in every form, the longest first."""
    credentials = [each.credentials.reveal() for each in _all_indexes(build) if each.credentials]
    credentials += [match[1] for _, value in build.args if (match := _IN_URL.match(value))]
    words = {word for each in credentials for word in (each, each.partition(":")[2])}
    shown = {form for word in words if word for form in (word, unquote(word))}
    return tuple(Secret(word) for word in sorted(shown, key=len, reverse=True))


def _all_indexes(build: Build) -> tuple[Index, ...]:
    return (*((build.index,) if build.index else ()), *build.extra_indexes)


def _source_variables(recipe: Recipe) -> dict[str, str]:
    backend = {"UV_TORCH_BACKEND": recipe.torch_backend} if recipe.torch_backend else {}
    return _index_variables(recipe.index, recipe.extra_indexes) | backend


def _index_variables(index: str, extra: tuple[str, ...]) -> dict[str, str]:
    """Return the variables of the indexes for pip, which installs uv, and for uv."""
    exports: dict[str, str] = {}
    if index:
        exports |= dict.fromkeys(("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), index)
    if extra:
        exports |= dict.fromkeys(("PIP_EXTRA_INDEX_URL", "UV_INDEX"), " ".join(extra))
    # pip accepts http:// only for trusted hosts.
    if plain := {urlsplit(url).netloc.rpartition("@")[2] for url in (index, *extra) if url.startswith("http://")}:
        exports["PIP_TRUSTED_HOST"] = " ".join(sorted(plain))
    return exports


def _render_exports(*variables: Mapping[str, str]) -> str:
    pairs = " ".join(f"{name}={shlex.quote(value)}" for each in variables for name, value in each.items())
    return f"export {pairs} && " if pairs else ""
