"""The settings of `[target.gar]` and `[target.gcr]`, and the settings that all targets on Google Cloud share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from mldeploy.config.kinds import FieldText
from mldeploy.config.target import TargetSettings

PROJECT_PATTERN = r"^$|^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$"
"""https://cloud.google.com/resource-manager/docs/creating-managing-projects.

IDs of older projects may start with a domain and a colon."""
REPOSITORY_PATTERN = r"^$|^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
"""https://cloud.google.com/artifact-registry/docs/repositories/create-repos"""
REGION_PATTERN = r"^$|^[a-z]+-[a-z]+[0-9]+$|^(us|europe|asia)$"

MultiRegion = Literal["us", "europe", "asia"]


class GcpSettings(TargetSettings):
    """The settings of every target on Google Cloud."""

    profile: str = Field(
        "",
        description="The gcloud configuration for the default project and region. Default: the active one. The "
        "credentials are always the Application Default Credentials.",
        examples=["work"],
    )
    project: Annotated[str, FieldText("the id of a project of Google Cloud")] = Field(
        "",
        pattern=PROJECT_PATTERN,
        description="The project, which must exist. Default: `GOOGLE_CLOUD_PROJECT`, `CLOUDSDK_CORE_PROJECT`, the "
        "project of the credentials, the project of gcloud.",
        examples=["insurance-123456"],
    )
    keep_images: int = Field(
        10,
        ge=1,
        le=1000,
        description="Number of pushed images to keep, which limits rollbacks. Older images are deleted after 30 days.",
    )


class GarSettings(GcpSettings):
    """Google Artifact Registry, for `mldeploy push --target gar`.

    Needs the extra `gcp`: `pip install 'mldeploy[gcp]'`.
    """

    region: Annotated[str, FieldText("the name of a region of Google Cloud, or us, europe or asia")] = Field(
        "",
        pattern=REGION_PATTERN,
        description="The location of the repository. Default: `GOOGLE_CLOUD_REGION`, `CLOUDSDK_COMPUTE_REGION`, the "
        "region of gcloud.",
        examples=["us-central1"],
    )
    repository: Annotated[str, FieldText("lower-case letters, digits and hyphens, a letter first, 63 at most")] = Field(
        "",
        pattern=REPOSITORY_PATTERN,
        description="The repository in Artifact Registry. Default: the app's name.",
        examples=["insurance"],
    )


class GcrSettings(GcpSettings):
    """The `gcr.io/PROJECT/APP` names of Google's former Container Registry, served by Artifact Registry.

    Needs the extra `gcp`: `pip install 'mldeploy[gcp]'`. The repository of such a name belongs to the project. An
    existing repository is used unchanged.
    """

    region: Annotated[Literal["", "us", "eu", "europe", "asia"], FieldText(unset="us")] = Field(
        "", description="The multi-region of the images, unless `host` is set.", examples=["eu"]
    )
    host: Annotated[
        Literal["", "gcr.io", "us.gcr.io", "eu.gcr.io", "asia.gcr.io"], FieldText(unset="gcr.io, or what `region` says")
    ] = Field("", description="The host name of the registry.", examples=["eu.gcr.io"])

    @property
    def repository(self) -> str:
        """The repository of the host name, which has the same name."""
        by_region = {"eu": "eu.gcr.io", "europe": "eu.gcr.io", "asia": "asia.gcr.io"}
        return self.host or by_region.get(self.region, "gcr.io")

    @property
    def location(self) -> MultiRegion:
        """The multi-region of the repository: https://cloud.google.com/artifact-registry/docs/transition/setup-gcr-repo"""
        continents: dict[str, MultiRegion] = {"eu.gcr.io": "europe", "asia.gcr.io": "asia"}
        return continents.get(self.repository, "us")


APP = "mldeploy-app"
"""The app that owns the resource. mldeploy sets both labels when it creates a resource."""
TARGET = "mldeploy-target"
"""The target that owns the resource. Repositories belong to `gar`, for all targets."""


def owner_labels(app: str, target: str) -> dict[str, str]:
    """The owner labels of a resource."""
    return {APP: app, TARGET: target}


def missing_labels(labels: Mapping[str, str], app: str, target: str) -> tuple[str, ...]:
    """One readable line for each owner label that is missing or differs; empty if the app owns the resource."""
    required = owner_labels(app, target)
    return tuple(
        f"label {name} {labels.get(name) or 'absent'} → {value}"
        for name, value in required.items()
        if labels.get(name) != value
    )
