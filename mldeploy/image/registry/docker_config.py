"""Storing a registry's credentials for the `docker` command, as `docker login` does."""

from __future__ import annotations

import base64
import json
import os
import shutil
from pathlib import Path

from docker.credentials import Store, StoreError
from docker.credentials.constants import PROGRAM_PREFIX
from docker.utils.config import home_dir

from mldeploy.core.files import read_text
from mldeploy.core.parsing import parse_json
from mldeploy.core.scratch import replace_file
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.image.registry.client import DockerConfigError


def store(access: RegistryAccess) -> str:
    """Store credentials where Docker's configuration says, and return the path of the file or the name of the helper.

    Everything else in the file stays as it is; the file is replaced at once and is its owner's alone. May be repeated.
    https://docs.docker.com/reference/cli/docker/login/#credential-stores. Raises DockerConfigError.
    """
    path = config_path()
    config = _read(path)
    if helper := _helper(config, access.address, path):
        return _hand_over(helper, access)
    token = base64.b64encode(f"{access.user}:{access.password.reveal()}".encode()).decode()
    known = _table(config, "auths", path)
    _write(path, {**config, "auths": {**known, access.address: {"auth": token}}})
    return str(path)


def config_path() -> Path:
    """`$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`; it may not exist."""
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path(home_dir()) / ".docker") / "config.json"


def _read(path: Path) -> dict[str, object]:
    try:
        config = parse_json(read_text(path, encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DockerConfigError(str(path), f"cannot be read: {error}", "Correct it, or move it away.") from error
    if not isinstance(config, dict):
        raise DockerConfigError(str(path), "holds no JSON object", "Correct it, or move it away.")
    return config


def _table(config: dict[str, object], key: str, path: Path) -> dict[str, object]:
    table = config.get(key) or {}
    if not isinstance(table, dict):
        raise DockerConfigError(f"{path}: {key}", "is no JSON object", "Correct it, or move the file away.")
    return table


def _helper(config: dict[str, object], address: str, path: Path) -> str:
    chosen = _table(config, "credHelpers", path).get(address) or config.get("credsStore")
    return str(chosen or "")


def _hand_over(helper: str, access: RegistryAccess) -> str:
    program = f"{PROGRAM_PREFIX}{helper}"
    todo = "Install or repair it, or remove it from Docker's config.json."
    if shutil.which(program) is None:
        raise DockerConfigError(program, "is not installed", todo)
    try:
        Store(helper).store(access.address, access.user, access.password.reveal())
    except StoreError as error:
        raise DockerConfigError(program, f"does not keep the credentials: {error}", todo) from error
    return program


def _write(path: Path, config: dict[str, object]) -> None:
    """Replace the file in one step. It may be a link: what it leads to is replaced."""
    path = Path(os.path.realpath(path))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, json.dumps(config, indent="\t"))
    except OSError as error:
        raise DockerConfigError(
            str(path), f"cannot be written: {error.strerror}", "Correct its permissions."
        ) from error
