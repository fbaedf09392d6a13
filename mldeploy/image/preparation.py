"""What stands before the commands of a RUN that installs: certificates, indexes, and how credentials get there.

Credentials reach a build in a file that lives in memory, for as long as the instruction that needs it runs: BuildKit
mounts it; into the classic builder's container it is handed over (`image.handover`). So they are in no layer, in no
history, and in no stage that a build leaves behind.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from mldeploy.config.secret import Secret
from mldeploy.config.settings import Build, Index
from mldeploy.image.builder import Builder
from mldeploy.image.recipe import Recipe

MOUNTED = "/run/secrets/mldeploy"
HANDED_OVER = "/dev/shm/mldeploy"  # noqa: S108 - it is in the container

_TRUST = dict.fromkeys(("SSL_CERT_FILE", "PIP_CERT"), "/build/certificates.pem")
_IN_URL = re.compile(r"https?://([^/?#]+)@")


def mounts(builder: Builder, *, secret: bool) -> str:
    """The options of such a RUN."""
    if builder is Builder.CLASSIC:
        return ""
    cache = "--mount=type=cache,id=mldeploy,target=/cache "
    return cache + (f"--mount=type=secret,id=mldeploy,target={MOUNTED} " if secret else "")


def preparation(recipe: Recipe, builder: Builder) -> str:
    """Shell commands that end with " && ", or nothing."""
    said = _exported(_TRUST if recipe.trusted else {}, _sources(recipe))
    if recipe.secret and builder is Builder.CLASSIC:
        said += f"until [ -e {HANDED_OVER} ]; do sleep 0.1; done && . {HANDED_OVER} && "
    elif recipe.secret:
        said += f". {MOUNTED} && "
    return said


def preparation_alone(recipe: Recipe) -> str:
    """The same for a build without mldeploy: certificates are used if they are there, and nobody brings credentials."""
    trusted = _exported(_TRUST).removesuffix(" && ")
    return f"if [ -e certificates.pem ]; then {trusted}; fi && {_exported(_sources(recipe))}"


def secret(build: Build) -> Secret | None:
    """The file: it exports the indexes' URLs once more, with their credentials. None if there are none."""
    if not any(each.credentials for each in _all(build)):
        return None
    index = build.index.reveal() if build.index else ""
    return Secret(_exported(_indexes(index, tuple(each.reveal() for each in build.extra_indexes))) + "true\n")


def passwords(build: Build) -> tuple[Secret, ...]:
    """What no message may show, in every form in which a program may say it; the longest first."""
    credentials = [each.credentials.reveal() for each in _all(build) if each.credentials]
    credentials += [found[1] for _, value in build.args if (found := _IN_URL.match(value))]
    words = {word for each in credentials for word in (each, each.partition(":")[2])}
    shown = {form for word in words if word for form in (word, unquote(word))}
    return tuple(Secret(word) for word in sorted(shown, key=len, reverse=True))


def _all(build: Build) -> tuple[Index, ...]:
    return (*((build.index,) if build.index else ()), *build.extra_indexes)


def _sources(recipe: Recipe) -> dict[str, str]:
    backend = {"UV_TORCH_BACKEND": recipe.torch_backend} if recipe.torch_backend else {}
    return _indexes(recipe.index, recipe.extra_indexes) | backend


def _indexes(index: str, extra: tuple[str, ...]) -> dict[str, str]:
    """As pip, which brings uv, and uv, which installs the rest, read them."""
    exports: dict[str, str] = {}
    if index:
        exports |= dict.fromkeys(("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), index)
    if extra:
        exports |= dict.fromkeys(("PIP_EXTRA_INDEX_URL", "UV_INDEX"), " ".join(extra))
    # Who writes http:// means it; uv takes his word, and pip wants it said once more.
    if plain := {urlsplit(url).netloc.rpartition("@")[2] for url in (index, *extra) if url.startswith("http://")}:
        exports["PIP_TRUSTED_HOST"] = " ".join(sorted(plain))
    return exports


def _exported(*variables: Mapping[str, str]) -> str:
    said = " ".join(f"{name}={shlex.quote(value)}" for each in variables for name, value in each.items())
    return f"export {said} && " if said else ""
