"""The tables of the registries on Google Cloud, and what every target there has in common with them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mldeploy.config.kinds import Shown
from mldeploy.config.target import TargetSettings

PROJECT_PATTERN = r"^$|^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$"
"""https://cloud.google.com/resource-manager/docs/creating-managing-projects; before the colon an old domain's name."""
REPOSITORY_PATTERN = r"^$|^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
"""https://cloud.google.com/artifact-registry/docs/repositories/create-repos"""
REGION_PATTERN = r"^$|^[a-z]+-[a-z]+[0-9]+$|^(us|europe|asia)$"

MultiRegion = Literal["us", "europe", "asia"]


class GcpSettings(TargetSettings):
    """What every target on Google Cloud has: whose project, and how many images are kept."""

    profile: str = Field(
        "",
        description="The configuration of gcloud whose project and region hold where nothing else says one. If not "
        "set: the active one. The credentials are always the Application Default Credentials.",
        examples=["work"],
    )
    project: Annotated[str, Shown("the id of a project of Google Cloud")] = Field(
        "",
        pattern=PROJECT_PATTERN,
        description="The project to work in; it is never made here. If not set: `GOOGLE_CLOUD_PROJECT`, "
        "`CLOUDSDK_CORE_PROJECT`, the credentials' own, gcloud's.",
        examples=["insurance-123456"],
    )
    keep_images: int = Field(
        10,
        ge=1,
        le=1000,
        description="How many images the repository keeps, the last ones pushed: as far back a deployment can be "
        "rolled back. Older ones go after a month.",
    )


class GarSettings(GcpSettings):
    """Google's Artifact Registry, for `mldeploy push --target gar`.

    Needs the extra `gcp`: `pip install 'mldeploy[gcp]'`.
    """

    region: Annotated[str, Shown("the name of a region of Google Cloud, or us, europe or asia")] = Field(
        "",
        pattern=REGION_PATTERN,
        description="Where the images are kept. If not set: `GOOGLE_CLOUD_REGION`, `CLOUDSDK_COMPUTE_REGION`, "
        "gcloud's.",
        examples=["us-central1"],
    )
    repository: Annotated[str, Shown("lower-case letters, digits and hyphens, a letter first, 63 at most")] = Field(
        "",
        pattern=REPOSITORY_PATTERN,
        description="The repository of Artifact Registry that the image is kept in. If not set: the app's name.",
        examples=["insurance"],
    )


class GcrSettings(GcpSettings):
    """The names of Google's former Container Registry, `gcr.io/PROJECT/APP`, which Artifact Registry serves today.

    Needs the extra `gcp`: `pip install 'mldeploy[gcp]'`. The repository of such a name is the project's, not an
    app's: one that is there is used, whoever made it.
    """

    region: Annotated[Literal["", "us", "eu", "europe", "asia"], Shown(unset="us")] = Field(
        "", description="The continent that the images are kept on, unless `host` says it.", examples=["eu"]
    )
    host: Annotated[
        Literal["", "gcr.io", "us.gcr.io", "eu.gcr.io", "asia.gcr.io"], Shown(unset="gcr.io, or what `region` says")
    ] = Field("", description="The registry's old name.", examples=["eu.gcr.io"])

    @property
    def repository(self) -> str:
        """The repository that answers under the old name has it for its own."""
        by_region = {"eu": "eu.gcr.io", "europe": "eu.gcr.io", "asia": "asia.gcr.io"}
        return self.host or by_region.get(self.region, "gcr.io")

    @property
    def location(self) -> MultiRegion:
        """Where that repository has to be: https://cloud.google.com/artifact-registry/docs/transition/setup-gcr-repo"""
        continents: dict[str, MultiRegion] = {"eu.gcr.io": "europe", "asia.gcr.io": "asia"}
        return continents.get(self.repository, "us")
