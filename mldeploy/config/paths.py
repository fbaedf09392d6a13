"""Folders of mldeploy on this machine: state, configuration, cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path, user_config_path, user_state_path

from mldeploy.config.errors import ConfigError


def state_folder() -> Path:
    """Journals, locks and the log: `$XDG_STATE_HOME/mldeploy`, else the platform's default. It may not exist yet.

    Raises ConfigError if the user has no home. Standard: XDG Base Directory Specification 0.8.
    """
    return _absolute(user_state_path, "XDG_STATE_HOME")


def config_file() -> Path:
    """What belongs to the machine: `$XDG_CONFIG_HOME/mldeploy/config.toml`. It may not exist.

    Raises ConfigError if the user has no home.
    """
    return _absolute(user_config_path, "XDG_CONFIG_HOME") / "config.toml"


def cache_folder() -> Path:
    """What may be removed at any time: `$XDG_CACHE_HOME/mldeploy`. It may not exist yet.

    Raises ConfigError if the user has no home.
    """
    return _absolute(user_cache_path, "XDG_CACHE_HOME")


def log_file() -> Path:
    """Tracebacks and `--verbose` talk. It stands beside the apps' folders: no app's name holds a dot."""
    return state_folder() / "mldeploy.log"


def _absolute(find: Callable[..., Path], variable: str) -> Path:
    try:
        path = find("mldeploy", appauthor=False)
    except RuntimeError:
        path = Path("~")
    # Without a home, older versions of the library answer with a literal "~": a folder of that name in any folder.
    if not path.is_absolute():
        raise ConfigError(variable, "there is no home folder for the files of mldeploy", f"Set HOME or {variable}.")
    return path
