"""The settings of `[target.gke]`, and CPU requests for Autopilot."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from mldeploy.config.errors import ConfigError
from mldeploy.config.kinds import FieldText
from mldeploy.config.settings import App, Project
from mldeploy.providers.gcp.gcloud import to_region
from mldeploy.providers.gcp.gke import machines
from mldeploy.providers.gcp.settings import GarSettings
from mldeploy.providers.kubernetes.running.patience import TRANSIENT_SECONDS, RolloutPatience
from mldeploy.providers.kubernetes.settings import InClusterSettings

TARGET = "gke"
TABLE = f"target.{TARGET}"
ZONES_OF_A_REGION = 3
"""The default number of zones of a regional cluster.

https://cloud.google.com/kubernetes-engine/docs/concepts/regional-clusters
"""
CLUSTER_PATTERN = r"^$|^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"
ACCELERATOR = "cloud.google.com/gke-accelerator"
ACCOUNT_PATTERN = r"^$|^[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com$"

_VPC_NAME = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
NETWORK_PATTERN = rf"^$|^(projects/[a-z0-9.:-]+/global/networks/)?{_VPC_NAME}$"
SUBNETWORK_PATTERN = rf"^$|^(projects/[a-z0-9.:-]+/regions/[a-z0-9-]+/subnetworks/)?{_VPC_NAME}$"
"""A name, or the full name in a shared VPC's host project.

https://cloud.google.com/kubernetes-engine/docs/how-to/cluster-shared-vpc
"""

LATE_SECONDS = 300.0
"""How long the first nodes and a permission that was just granted may take."""
PULL_TODO = (
    "Grant the nodes' service account `roles/artifactregistry.reader` on the repository (`grant_pull = true` does it). "
    "If it was granted just now, wait some minutes, and deploy again."
)

Channel = Literal["rapid", "regular", "stable", "extended"]


class GkeSettings(InClusterSettings, GarSettings):
    """The app in a Google Kubernetes Engine cluster. Needs the extra `gcp`: `pip install 'mldeploy[gcp]'`.

    The cluster is created for the app and deleted with it, unless `cluster` is set.
    """

    region: Annotated[str, FieldText("the name of a region of Google Cloud")] = Field(
        "",
        pattern=r"^$|^[a-z]+-[a-z]+[0-9]+$",
        description="The region. Default: `GOOGLE_CLOUD_REGION`, `CLOUDSDK_COMPUTE_REGION`, the region of gcloud. A "
        "regional cluster has `nodes` nodes in each of three zones.",
        examples=["us-central1"],
    )
    zone: Annotated[str, FieldText("the name of a zone of Google Cloud")] = Field(
        "",
        pattern=r"^$|^[a-z]+-[a-z]+[0-9]+-[a-z]$",
        description="The zone of a zonal cluster. Default: a regional cluster. Not with Autopilot.",
        examples=["us-central1-a"],
    )
    cluster: Annotated[str, FieldText("the name of a cluster")] = Field(
        "",
        pattern=CLUSTER_PATTERN,
        description="An existing cluster to use. It is never changed or deleted. Default: a new cluster with the app's "
        "name.",
        examples=["shared"],
    )
    mode: Annotated[
        Literal["autopilot", "standard"] | None, FieldText(unset="autopilot, or standard if there are `nodes`")
    ] = Field(
        None,
        description="The mode of the app's own cluster. autopilot: Google manages the nodes and bills the resource "
        "requests of pods. standard: `nodes` machines of `machine_type` run all the time and are billed.",
        examples=["standard"],
    )
    nodes: Annotated[int | None, Field(ge=1, le=100), FieldText(unset="2 in a standard cluster")] = Field(
        None, description="Number of nodes of a standard cluster, in each zone.", examples=[2]
    )
    machine_type: Annotated[str, FieldText("a machine type of Compute Engine")] = Field(
        "e2-standard-2",
        pattern=r"^[a-z][a-z0-9]+(-[a-z0-9]+)+$",
        description="The machine type of a standard cluster's nodes.",
    )
    release_channel: Channel = Field(
        "regular", description="The release channel of the app's own cluster for Kubernetes upgrades."
    )
    network: Annotated[str, FieldText("the name of a network")] = Field(
        "",
        pattern=NETWORK_PATTERN,
        description="The VPC network of the app's own cluster. Default: `default`.",
        examples=["main"],
    )
    subnetwork: Annotated[str, FieldText("the name of a subnetwork")] = Field(
        "",
        pattern=SUBNETWORK_PATTERN,
        description="The subnetwork of the app's own cluster, in its region; required with a `network` in custom mode. "
        "In a shared VPC, both are full names (`projects/HOST/…`). Default: the network's own in the region.",
        examples=["main-us"],
    )
    disk_size: int = Field(
        40,
        ge=15,
        le=65536,
        description="The size in GB of the boot disk of each node of a standard cluster. It counts against the quota "
        "SSD_TOTAL_GB, which is 500 in a new project.",
        examples=[100],
    )
    node_service_account: Annotated[str, FieldText("the e-mail address of a service account")] = Field(
        "",
        pattern=ACCOUNT_PATTERN,
        description="The service account of the nodes of the app's own cluster. Default: the project's default service "
        "account of Compute Engine.",
        examples=["nodes@insurance-123456.iam.gserviceaccount.com"],
    )
    grant_pull: bool = Field(
        True,
        description="Grant the nodes' service account `roles/artifactregistry.reader` on the repository. false: the "
        "nodes may pull already.",
    )
    cluster_timeout: int = Field(
        1800, ge=60, le=7200, description="Timeout in seconds for the cluster to become ready."
    )

    @property
    def table(self) -> str:
        return TABLE

    @property
    def gpu_label(self) -> str:
        """https://cloud.google.com/kubernetes-engine/docs/how-to/autopilot-gpus"""
        return ACCELERATOR

    @property
    def patience(self) -> RolloutPatience:
        """Nodes of Autopilot come with the first pods, and a new permission takes minutes to be effective.

        https://cloud.google.com/iam/docs/access-change-propagation
        """
        keeps_nodes = not self.cluster and not self.is_autopilot
        return RolloutPatience(
            TRANSIENT_SECONDS if keeps_nodes else LATE_SECONDS, LATE_SECONDS if self.grant_pull else 0.0, PULL_TODO
        )

    @property
    def is_autopilot(self) -> bool:
        return (self.mode or ("standard" if self.nodes else "autopilot")) == "autopilot"

    @property
    def count_of_nodes(self) -> int:
        """Number of nodes in each zone of a standard cluster."""
        return self.nodes or 2

    @property
    def zones(self) -> int:
        """Number of zones of a standard cluster."""
        return 1 if self.zone else ZONES_OF_A_REGION

    def fitting(self, project: Project) -> GkeSettings:
        """The same, with a `fit_cpu_request` that Autopilot leaves as it is."""
        if not self.is_autopilot:
            return self
        request = fit_cpu_request(project.app, self.cpu_request or project.app.cpus / 4)
        return self.model_copy(update={"cpu_request": request})

    def check(self, project: Project) -> None:
        """Raises ConfigError if settings contradict each other."""
        super().check(project)
        in_other_region = bool(self.zone and self.region) and to_region(self.zone) != self.region
        own_gpu = bool(self.gpu) and not self.cluster
        rules = (
            (
                own_gpu and not self.is_autopilot,
                "gpu",
                "needs Autopilot or an existing `cluster`: the nodes of a standard cluster of mldeploy have no GPU",
            ),
            (
                own_gpu and self.is_autopilot and ACCELERATOR not in self.node_labels(),
                "gpu_type",
                'is missing: Autopilot needs the type of the GPUs, such as "nvidia-l4"',
            ),
            (in_other_region, "zone", f"is not in the `region` {self.region}"),
            (self.mode == "autopilot" and bool(self.nodes), "nodes", "cannot be combined with Autopilot"),
            (
                self.is_autopilot and bool(self.zone) and not self.cluster,
                "zone",
                "cannot be combined with Autopilot, which is regional. Set `region`, or `nodes` for a standard cluster",
            ),
        )
        for broken, key, what in rules:
            if broken:
                raise ConfigError(f"{TABLE}.{key}", what, f"`mldeploy help config {TABLE}` explains the keys.")

    @property
    def nodes_architecture(self) -> str:
        """Of the nodes of the app's own cluster."""
        return machines.AMD64 if self.is_autopilot else machines.architecture(self.machine_type)

    def require_platform(self, platform: str) -> None:
        """Raises ConfigError if the nodes of the app's own cluster cannot run the image."""
        nodes = self.nodes_architecture
        if self.cluster or platform_architecture(platform) == nodes:
            return
        kind = "the nodes of Autopilot are" if self.is_autopilot else f"{self.machine_type} is"
        what = f"is {platform} (by default that of this machine), and {kind} {nodes}"
        todo = f'Set platform = "linux/{nodes}" in [build] of mldeploy.toml'
        own = " or, to build for this machine, `nodes` and an Arm machine type (t2a-standard-2) in [target.gke]"
        raise ConfigError("build.platform", what, f"{todo}{own if nodes == machines.AMD64 else ''}.")


def platform_architecture(platform: str) -> str:
    """The architecture of an OCI platform: `arm64` of `linux/arm64/v8`."""
    return platform.split("/")[1]


GIB = 2**30
CPU_STEP = 0.25
"""CPU increments of the oldest clusters. Newer clusters also accept smaller ones.

Autopilot changes other requests, which would show up as a difference in every deployment.
https://cloud.google.com/kubernetes-engine/docs/concepts/autopilot-resource-requests
"""
SMALL_CPU_STEP = 0.05
MAX_GIB_PER_CPU = 6.5
"""Maximum GiB of memory per CPU. The minimum is 1."""


def fit_cpu_request(app: App, desired: float) -> float:
    """The CPU request: `desired`, or more if the memory requires it."""
    gib = app.memory / GIB
    fitting = math.ceil(round(max(desired, gib / MAX_GIB_PER_CPU) / CPU_STEP, 6)) * CPU_STEP
    if fitting <= gib:
        return fitting
    return max(SMALL_CPU_STEP, math.floor(round(gib / SMALL_CPU_STEP, 6)) * SMALL_CPU_STEP)
