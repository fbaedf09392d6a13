"""gcloud's properties: project, region and zone, from the environment or the active configuration.

https://cloud.google.com/sdk/docs/configurations
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mldeploy.config.errors import ConfigError
from mldeploy.core.files import read_text

VARIABLES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("core", "project"): ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"),
    ("compute", "region"): ("GOOGLE_CLOUD_REGION", "CLOUDSDK_COMPUTE_REGION"),
    ("compute", "zone"): ("CLOUDSDK_COMPUTE_ZONE",),
}
"""Environment variables of each property, in order of precedence."""


@dataclass(frozen=True)
class Gcloud:
    """gcloud's folder and a configuration in it. name: of the configuration."""

    folder: Path
    name: str

    @classmethod
    def load(cls, profile: str) -> Gcloud:
        """profile: the name of a configuration; empty: the active one. Raises ConfigError if it does not exist."""
        folder = Path(os.environ.get("CLOUDSDK_CONFIG") or Path.home() / ".config" / "gcloud")
        active = profile or os.environ.get("CLOUDSDK_ACTIVE_CONFIG_NAME", "") or _read_file(folder / "active_config")
        gcloud = cls(folder, active or "default")
        if profile and not gcloud.file.is_file():
            known = ", ".join(sorted(gcloud.names())) or "none"
            what = f"gcloud has no configuration {profile!r} in {folder}"
            raise ConfigError("--profile", what, f"Existing configurations: {known}.")
        return gcloud

    @property
    def file(self) -> Path:
        return self.folder / "configurations" / f"config_{self.name}"

    @property
    def credentials_file(self) -> Path:
        """The file that `gcloud auth application-default login` writes."""
        return self.folder / "application_default_credentials.json"

    def names(self) -> list[str]:
        """The names of all configurations."""
        return [path.name.removeprefix("config_") for path in self.file.parent.glob("config_*")]

    def variable(self, section: str, key: str) -> str:
        """The value of a property in the environment, or an empty text."""
        return next((value for name in VARIABLES[section, key] if (value := os.environ.get(name, ""))), "")

    def property(self, section: str, key: str) -> str:
        """The value of a property in the configuration; empty if the file cannot be read."""
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(_read_file(self.file))
        except configparser.Error:
            return ""
        return parser.get(section, key, fallback="").strip()


def to_region(location: str) -> str:
    """The region of a zone (`us-central1-a`), or the region itself."""
    return re.sub(r"-[a-z]$", "", location)


def _read_file(path: Path) -> str:
    try:
        return read_text(path, encoding="utf-8").strip()
    except OSError:
        return ""
