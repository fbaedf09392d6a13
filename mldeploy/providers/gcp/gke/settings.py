"""The `[target.gke]` table."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mldeploy.config.errors import ConfigError
from mldeploy.config.kinds import Shown
from mldeploy.config.settings import Project
from mldeploy.providers.gcp.gcloud import region_of
from mldeploy.providers.gcp.gke.autopilot import cpu_request
from mldeploy.providers.gcp.settings import GarSettings
from mldeploy.providers.kubernetes.settings import InClusterSettings

TARGET = "gke"
TABLE = f"target.{TARGET}"
ZONES_OF_A_REGION = 3
"""In so many zones a regional cluster has each of its nodes, unless it is told otherwise.

https://cloud.google.com/kubernetes-engine/docs/concepts/regional-clusters
"""
CLUSTER_PATTERN = r"^$|^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"
ACCOUNT_PATTERN = r"^$|^[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com$"

Channel = Literal["rapid", "regular", "stable", "extended"]


class GkeSettings(InClusterSettings, GarSettings):
    """The app in a cluster of Google's Kubernetes Engine. Needs the extra `gcp`: `pip install 'mldeploy[gcp]'`.

    The cluster is the app's own, made and removed with it, unless `cluster` names one that is there.
    """

    region: Annotated[str, Shown("the name of a region of Google Cloud")] = Field(
        "",
        pattern=r"^$|^[a-z]+-[a-z]+[0-9]+$",
        description="The region to work in. If not set: `GOOGLE_CLOUD_REGION`, `CLOUDSDK_COMPUTE_REGION`, gcloud's. A "
        "cluster in a region has each of its `nodes` three times, once in each of three zones.",
        examples=["us-central1"],
    )
    zone: Annotated[str, Shown("the name of a zone of Google Cloud")] = Field(
        "",
        pattern=r"^$|^[a-z]+-[a-z]+[0-9]+-[a-z]$",
        description="The one zone that the cluster is in. If not set: it is in the whole region. Not with Autopilot.",
        examples=["us-central1-a"],
    )
    cluster: Annotated[str, Shown("the name of a cluster")] = Field(
        "",
        pattern=CLUSTER_PATTERN,
        description="A cluster that is there already, to run in. It is never changed and never removed. If not set: "
        "one of the app's own, with its name.",
        examples=["shared"],
    )
    mode: Annotated[
        Literal["autopilot", "standard"] | None, Shown(unset="autopilot, or standard if there are `nodes`")
    ] = Field(
        None,
        description="Who sees to the nodes of the app's own cluster. autopilot: Google; what the pods ask for is paid. "
        "standard: `nodes` machines of `machine_type` are there and are paid, whatever runs on them.",
        examples=["standard"],
    )
    nodes: Annotated[int | None, Field(ge=1, le=100), Shown(unset="2 in a standard cluster")] = Field(
        None, description="How many nodes a standard cluster has, in each of its zones.", examples=[2]
    )
    machine_type: Annotated[str, Shown("a machine type of Compute Engine")] = Field(
        "e2-standard-2",
        pattern=r"^[a-z][a-z0-9]+(-[a-z0-9]+)+$",
        description="What the nodes of a standard cluster are.",
    )
    release_channel: Channel = Field(
        "regular", description="How soon Google brings new versions of Kubernetes to the app's own cluster."
    )
    network: Annotated[str, Shown("the name of a network")] = Field(
        "",
        pattern=r"^$|^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$",
        description="The VPC network of the app's own cluster. If not set: `default`.",
        examples=["main"],
    )
    node_service_account: Annotated[str, Shown("the e-mail address of a service account")] = Field(
        "",
        pattern=ACCOUNT_PATTERN,
        description="What the nodes of the app's own cluster are to Google Cloud. If not set: the project's default "
        "account of Compute Engine.",
        examples=["nodes@insurance-123456.iam.gserviceaccount.com"],
    )
    grant_pull: bool = Field(
        True,
        description="Let the nodes' service account read the repository (`roles/artifactregistry.reader`, on that "
        "alone). false: it may already, and you may grant nothing.",
    )
    cluster_timeout: int = Field(
        1800, ge=60, le=7200, description="Seconds after which a cluster that is not ready is given up."
    )

    @property
    def table(self) -> str:
        return TABLE

    @property
    def is_autopilot(self) -> bool:
        return (self.mode or ("standard" if self.nodes else "autopilot")) == "autopilot"

    @property
    def count_of_nodes(self) -> int:
        """In each zone of a standard cluster."""
        return self.nodes or 2

    @property
    def zones(self) -> int:
        """In how many a standard cluster is."""
        return 1 if self.zone else ZONES_OF_A_REGION

    def fitting(self, project: Project) -> GkeSettings:
        """The same, with a `cpu_request` that Autopilot leaves as it is."""
        if not self.is_autopilot:
            return self
        request = cpu_request(project.app, self.cpu_request or project.app.cpus / 4)
        return self.model_copy(update={"cpu_request": request})

    def check(self, project: Project) -> None:
        """Raises ConfigError if what is said contradicts itself."""
        super().check(project)
        in_other_region = bool(self.zone and self.region) and region_of(self.zone) != self.region
        rules = (
            (in_other_region, "zone", f"is not in {self.region}, which `region` says"),
            (self.mode == "autopilot" and bool(self.nodes), "nodes", "and Autopilot contradict each other"),
            (
                self.is_autopilot and bool(self.zone) and not self.cluster,
                "zone",
                "cannot be had with Autopilot, which is in a whole region: name that, or say how many `nodes`",
            ),
        )
        for broken, key, what in rules:
            if broken:
                raise ConfigError(f"{TABLE}.{key}", what, "See docs/configuration.md.")
