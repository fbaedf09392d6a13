"""Which builder there is, and which one to use."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from docker.utils.config import home_dir

from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError, engine_errors

_HOLDS_BUILDKIT = range(18, 23)
"""Major versions of the docker command that hold BuildKit's client themselves; later ones leave it to buildx."""

_PLUGINS = tuple(
    Path(folder, "docker/cli-plugins")
    for folder in ("/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec", "/opt/homebrew/lib")
)
"""Where the docker command usually looks for its plugins, apart from its configuration's own folder.

It takes longer to ask it.
"""


class Builder(StrEnum):
    """What built an image; its label says so."""

    BUILDKIT = "buildkit"
    CLASSIC = "classic"


@dataclass(frozen=True)
class Client:
    """A docker command that can drive the engine's BuildKit. buildx: through the plugin."""

    program: str
    buildx: bool


def choose(engine: Engine, wanted: str) -> Client | None:
    """The client of BuildKit; None for the classic builder. wanted: `auto`, `buildkit` or `classic`.

    Raises EngineError if BuildKit is demanded and cannot be had.
    """
    if wanted == "classic":
        return None
    found = None if _is_podman(engine) else client()
    if found is None and wanted == "buildkit":
        what = "BuildKit is demanded (build.builder), and "
        what += "this is Podman, which has a builder of its own" if _is_podman(engine) else missing()
        raise EngineError(engine.endpoint, what, f'{REMEDY}, or set build.builder to "auto".')
    return found


REMEDY = "Install Docker's buildx plugin (the package docker-buildx-plugin or docker-buildx)"


def missing() -> str:
    """Why there is no client of BuildKit."""
    return "the docker command has no buildx plugin" if shutil.which("docker") else "there is no docker command"


def client() -> Client | None:
    """The first docker command on the PATH that can drive BuildKit. Starts some of them."""
    plugin = any((folder / "docker-buildx").is_file() for folder in (_own_plugins(), *_PLUGINS))
    for program in _programs():
        if plugin:
            return Client(program, buildx=True)
        if _major(program) in _HOLDS_BUILDKIT:
            return Client(program, buildx=False)
        if buildx(program):
            return Client(program, buildx=True)
    return None


def buildx(program: str) -> str:
    """The version of a docker command's buildx plugin; "" if it has none."""
    found = re.search(r"v?\d+\.\d+\S*", _said(program, "buildx", "version"))
    return found[0] if found else ""


def _programs() -> Iterator[str]:
    seen = set()
    for folder in os.get_exec_path():
        if (found := shutil.which("docker", path=folder)) and (real := os.path.realpath(found)) not in seen:
            seen.add(real)
            yield found


def _own_plugins() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or Path(home_dir(), ".docker"), "cli-plugins")


def _major(program: str) -> int:
    found = re.search(r"version (\d+)\.", _said(program, "--version"))
    return int(found[1]) if found else 0


def _said(*command: str) -> str:
    """What a command prints; "" if it fails."""
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace", timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _is_podman(engine: Engine) -> bool:
    with engine_errors(engine.endpoint):
        told = engine.client.version(api_version=False)
    return any("podman" in str(each.get("Name", "")).lower() for each in told.get("Components") or ())
