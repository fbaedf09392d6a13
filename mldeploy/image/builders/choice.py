"""The choice of the builder: BuildKit or the classic one."""

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

_BUILDKIT_VERSIONS = range(18, 23)
"""Major versions of the docker command that hold BuildKit's client themselves; later ones leave it to buildx."""

_PLUGINS = tuple(
    Path(folder, "docker/cli-plugins")
    for folder in ("/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec", "/opt/homebrew/lib")
)
"""The docker command's usual plugin folders. Running the command would take longer."""


class Builder(StrEnum):
    """A builder, as in the image's label."""

    BUILDKIT = "buildkit"
    CLASSIC = "classic"


@dataclass(frozen=True)
class Client:
    """A docker command that can drive the engine's BuildKit. buildx: through the plugin."""

    program: str
    buildx: bool


def choose_client(engine: Engine, setting: str) -> Client | None:
    """Return the client of BuildKit, or None for the classic builder. setting: `auto`, `buildkit` or `classic`.

    Raises EngineError if BuildKit is required and not available.
    """
    if setting == "classic":
        return None
    client = None if _is_podman(engine) else find_client()
    if client is None and setting == "buildkit":
        what = "BuildKit is required (build.builder), and "
        what += "this is Podman, which has its own builder" if _is_podman(engine) else explain_missing_client()
        raise EngineError(engine.endpoint, what, f'{INSTALL_BUILDX}, or set build.builder to "auto".')
    return client


INSTALL_BUILDX = "Install Docker's buildx plugin (the package docker-buildx-plugin or docker-buildx)"


def explain_missing_client() -> str:
    """Return why there is no client of BuildKit."""
    return "the docker command has no buildx plugin" if shutil.which("docker") else "there is no docker command"


def find_client() -> Client | None:
    """Return the first docker command on the PATH that supports BuildKit, or None. May run them."""
    plugin = any((folder / "docker-buildx").is_file() for folder in (_plugin_folder(), *_PLUGINS))
    for program in _list_programs():
        if plugin:
            return Client(program, buildx=True)
        if _read_major_version(program) in _BUILDKIT_VERSIONS:
            return Client(program, buildx=False)
        if read_buildx_version(program):
            return Client(program, buildx=True)
    return None


def read_buildx_version(program: str) -> str:
    """Return the version of a docker command's buildx plugin, or ""."""
    match = re.search(r"v?\d+\.\d+\S*", _command_output(program, "buildx", "version"))
    return match[0] if match else ""


def _list_programs() -> Iterator[str]:
    seen = set()
    for folder in os.get_exec_path():
        if (program := shutil.which("docker", path=folder)) and (real := os.path.realpath(program)) not in seen:
            seen.add(real)
            yield program


def _plugin_folder() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or Path(home_dir(), ".docker"), "cli-plugins")


def _read_major_version(program: str) -> int:
    match = re.search(r"version (\d+)\.", _command_output(program, "--version"))
    return int(match[1]) if match else 0


def _command_output(*command: str) -> str:
    """Return a command's output; "" if it fails."""
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace", timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _is_podman(engine: Engine) -> bool:
    with engine_errors(engine.endpoint):
        version = engine.client.version(api_version=False)
    return any("podman" in str(each.get("Name", "")).lower() for each in version.get("Components") or ())
