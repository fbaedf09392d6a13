"""Where mldeploy keeps what is its own on this machine."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_config_path, user_state_path

from mldeploy.config.errors import ConfigError


def state_folder() -> Path:
    """Journals, locks and the log: `$XDG_STATE_HOME/mldeploy`, else the platform's own place. It may not exist yet.

    Raises ConfigError if the user has no home. Standard: XDG Base Directory Specification 0.8.
    """
    return _absolute(user_state_path("mldeploy", appauthor=False), "XDG_STATE_HOME")


def config_file() -> Path:
    """What belongs to the machine: `$XDG_CONFIG_HOME/mldeploy/config.toml`. It may not exist.

    Raises ConfigError if the user has no home.
    """
    return _absolute(user_config_path("mldeploy", appauthor=False), "XDG_CONFIG_HOME") / "config.toml"


def log_file() -> Path:
    """Tracebacks and `--verbose` talk. It stands beside the apps' folders: no app's name holds a dot."""
    return state_folder() / "mldeploy.log"


def _absolute(path: Path, variable: str) -> Path:
    # Without a home the library answers with a literal "~", which would become a folder in whatever folder this is.
    if not path.is_absolute():
        raise ConfigError(
            variable, f'"{path}" is no absolute path for mldeploy\'s own files', f"Set HOME or {variable}."
        )
    return path
