"""What the user has told gcloud: project, region and zone, in the environment or in the active configuration.

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

VARIABLES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("core", "project"): ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"),
    ("compute", "region"): ("GOOGLE_CLOUD_REGION", "CLOUDSDK_COMPUTE_REGION"),
    ("compute", "zone"): ("CLOUDSDK_COMPUTE_ZONE",),
}
"""Where each property is looked for first."""


@dataclass(frozen=True)
class Gcloud:
    """gcloud's folder, and the configuration in it that is active. name: empty if nobody has chosen one."""

    folder: Path
    name: str

    @classmethod
    def found(cls, profile: str) -> Gcloud:
        """profile: the name of a configuration; empty: the active one. Raises ConfigError if there is none of it."""
        folder = Path(os.environ.get("CLOUDSDK_CONFIG") or Path.home() / ".config" / "gcloud")
        chosen = profile or os.environ.get("CLOUDSDK_ACTIVE_CONFIG_NAME", "") or _text(folder / "active_config")
        gcloud = cls(folder, chosen or "default")
        if profile and not gcloud.file.is_file():
            known = ", ".join(sorted(gcloud.names())) or "none"
            what = f"gcloud has no configuration {profile!r} in {folder}"
            raise ConfigError("--profile", what, f"Configurations that there are: {known}.")
        return gcloud

    @property
    def file(self) -> Path:
        return self.folder / "configurations" / f"config_{self.name}"

    @property
    def credentials_file(self) -> Path:
        """Where `gcloud auth application-default login` leaves credentials."""
        return self.folder / "application_default_credentials.json"

    def names(self) -> list[str]:
        """All configurations."""
        return [path.name.removeprefix("config_") for path in self.file.parent.glob("config_*")]

    def variable(self, section: str, key: str) -> str:
        """What the environment says of a property, or an empty text."""
        return next((value for name in VARIABLES[section, key] if (value := os.environ.get(name, ""))), "")

    def property(self, section: str, key: str) -> str:
        """What the configuration says of it. A file that cannot be read says nothing: it is not ours to judge."""
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(_text(self.file))
        except configparser.Error:
            return ""
        return parser.get(section, key, fallback="").strip()


def region_of(location: str) -> str:
    """The region of a zone (`us-central1-a`), or the region itself."""
    return re.sub(r"-[a-z]$", "", location)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
