"""Docker's own configuration file, which the SDK reads, too."""

from __future__ import annotations

from pathlib import Path

from docker.utils.config import find_config_file


def docker_config() -> Path | None:
    """`$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`; None if there is none."""
    found = find_config_file()
    return Path(str(found)) if found else None
