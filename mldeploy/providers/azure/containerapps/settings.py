"""The settings of `[target.containerapps]`, and the sizes of the Consumption profile."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from mldeploy.config.errors import ConfigError
from mldeploy.config.kinds import FieldText, Size, Variable, parse_size
from mldeploy.config.settings import Project
from mldeploy.config.target import advise_on_disk, advise_on_port
from mldeploy.providers.azure.settings import AzureSettings, SecretUri
from mldeploy.providers.gpu import refuse_gpu

TABLE = "target.containerapps"
_DOMAIN = r"^$|^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$"
_GROUP_ID = r"/subscriptions/[0-9a-fA-F-]{36}/resourceGroups/[^/]+/providers"
_ENVIRONMENT = rf"^$|^[a-z][a-z0-9-]{{0,58}}[a-z0-9]$|^{_GROUP_ID}/Microsoft\.App/managedEnvironments/[a-z0-9-]+$"
_IDENTITY = rf"^$|^{_GROUP_ID}/Microsoft\.ManagedIdentity/userAssignedIdentities/[\w-]+$"
_UUID = "12345678-1234-1234-1234-123456789012"
GIB = 1 << 30
CPU_STEP, MOST_CPU = 0.25, 4.0
"""The Consumption profile: 0.25 to 4 vCPU in steps of 0.25, and twice as many GiB.

https://learn.microsoft.com/azure/container-apps/containers#allocations
"""
_ONE_REPLICA = (
    "is more than 1, but the app keeps its visitors' sessions in one replica, and Container Apps has no session "
    "affinity while several revisions may be active"
)
FEWEST, MOST = 0, 10
"""Replicas of a new app, if the settings do not say otherwise: the defaults of Container Apps."""


@dataclass(frozen=True)
class ReplicaSize:
    """The size of a replica: vCPUs, and twice as many GiB."""

    cpu: float

    @property
    def gib(self) -> float:
        return 2 * self.cpu

    @property
    def memory(self) -> str:
        """As the API has it: `1.5Gi`."""
        return f"{self.gib:g}Gi"

    def __str__(self) -> str:
        return f"{self.cpu:g} vCPU and {self.gib:g} GiB"


SHORTEST_NAME = 2
"""Characters of the name of a container app."""


class ContainerAppsSettings(AzureSettings):
    """The app on Azure Container Apps, the Consumption profile. Needs the extra: `pip install 'mldeploy[azure]'`.

    The app serves HTTPS at `https://NAME.ENVIRONMENT_DOMAIN` and scales with its requests, to zero by default. Each
    version is a revision: it starts without requests, answers its health path and the golden row at an address of its
    own, and then gets the requests. `app.read_only` is not supported.
    """

    cpu: Annotated[float | None, Field(gt=0, le=MOST_CPU), FieldText(unset="what `app.cpus` and `app.memory` need")] = (
        Field(None, description="vCPUs of a replica: 0.25 to 4, in steps of 0.25.", examples=[0.5])
    )
    memory: Annotated[Size | None, FieldText(unset="2 GiB for each vCPU")] = Field(
        None, description="Memory of a replica. The Consumption profile has 2 GiB for each vCPU.", examples=["1g"]
    )
    min: Annotated[int | None, Field(ge=0, le=1000), FieldText(unset="0 at first, then what `mldeploy scale` set")] = (
        Field(
            None,
            description="Minimum number of replicas. 0: none while there are no requests; the next request waits for "
            "a start.",
            examples=[1],
        )
    )
    max: Annotated[int | None, Field(ge=1, le=1000), FieldText(unset="10 at first, then what `mldeploy scale` set")] = (
        Field(None, description="Maximum number of replicas.", examples=[4])
    )
    concurrency: int = Field(
        10, ge=1, le=1000, description="Requests at a time and replica above which a replica is added."
    )
    environment: Annotated[str, FieldText("the name or the resource id of an environment")] = Field(
        "",
        pattern=_ENVIRONMENT,
        description="An existing environment, by its name in the resource group or by its resource id. It is used "
        "unchanged. Default: a new environment for the app.",
        examples=["shared-apps"],
    )
    identity: Annotated[str, FieldText("the resource id of a user-assigned identity")] = Field(
        "",
        pattern=_IDENTITY,
        description="An existing user-assigned identity for the app, for example one that may read `secrets`. Default: "
        "a new identity.",
        examples=[
            f"/subscriptions/{_UUID}/resourceGroups/shared/providers/Microsoft.ManagedIdentity/userAssignedIdentities/apps"
        ],
    )
    secrets: Annotated[dict[Variable, SecretUri], FieldText("a table of URIs, by the variable that the app reads")] = (
        Field(
            {},
            description="Environment variables with values from Azure Key Vault. The app stores only the reference. "
            "The app's identity needs the role Key Vault Secrets User on the vault.",
            examples=[{"API_KEY": "https://insurance.vault.azure.net/secrets/api-key"}],
        )
    )
    ingress: Literal["external", "internal"] = Field(
        "external",
        description="internal: only apps in the same environment or its virtual network reach the app. A new version "
        "is then judged by its readiness probe alone: the golden row cannot be sent from this machine.",
    )
    domain: Annotated[str, FieldText("a host name")] = Field(
        "",
        pattern=_DOMAIN,
        description="A host name of your own, with a managed certificate. The deployment names the DNS records, waits "
        "for them, and binds the certificate.",
        examples=["insurance.example.com"],
    )
    logs: Literal["none", "azure-monitor"] = Field(
        "none",
        description="Where a new environment sends logs. none: only the running replicas' logs can be read. "
        "azure-monitor: also to the destinations of the environment's diagnostic settings, which you create.",
    )
    rollout_timeout: int = Field(
        900,
        ge=1,
        le=7200,
        description="Timeout in seconds for a version to start, including the image pull. Also the time to wait for "
        "the DNS records of `domain`.",
    )
    keep: int = Field(
        10, ge=1, le=100, description="Number of earlier versions to keep for `mldeploy rollback`. Older ones go."
    )

    @property
    def is_internal(self) -> bool:
        return self.ingress == "internal"

    @property
    def withheld(self) -> tuple[str, ...]:
        return tuple(self.secrets)

    @property
    def environment_id(self) -> str:
        """The resource id of an environment in another group; empty if `environment` is not one."""
        return self.environment if self.environment.startswith("/") else ""

    def advise(self, project: Project) -> tuple[str, ...]:
        affinity = (
            "The app keeps its visitors' sessions, and Container Apps has no session affinity while several revisions "
            "may be active: it runs as a single replica."
        )
        sticky = (affinity,) if project.app.keeps_sessions else ()
        return (*advise_on_port(project), *advise_on_disk(project), *sticky)

    def size(self, project: Project) -> ReplicaSize:
        """The smallest valid size for the settings, or for `app.cpus` and `app.memory`. Raises ConfigError."""
        cpu = self.cpu if self.cpu is not None else (0.0 if self.memory else project.app.cpus)
        memory = parse_size(self.memory) if self.memory else (0 if self.cpu is not None else project.app.memory)
        size = ReplicaSize(CPU_STEP * max(1, math.ceil(max(cpu, memory / GIB / 2) / CPU_STEP - 1e-9)))
        if size.cpu > MOST_CPU:
            what = f"the Consumption profile has no replica with {cpu:g} vCPU and {memory / GIB:g} GiB"
            raise ConfigError("app.memory", what, f"{ReplicaSize(MOST_CPU)} are the most.")
        wrong_cpu = self.cpu is not None and self.cpu != size.cpu
        wrong_memory = self.memory is not None and memory != size.gib * GIB
        if wrong_cpu or wrong_memory:
            key, value = ("cpu", f"{self.cpu:g} vCPU") if wrong_cpu else ("memory", f"{memory / GIB:g} GiB")
            what = f"the Consumption profile has no replica with {value}" + (f" and {cpu:g} vCPU" * (not wrong_cpu))
            raise ConfigError(f"{TABLE}.{key}", what, f'Nearest: cpu = {size.cpu:g}, memory = "{size.gib:g}g".')
        return size

    def remark_on_size(self, project: Project) -> str:
        """A sentence if the replica is larger than `app.cpus` and `app.memory`; empty if it is not."""
        size = self.size(project)
        if self.cpu is not None or self.memory is not None:
            return ""
        if size.cpu == project.app.cpus and size.gib * GIB == project.app.memory:
            return ""
        asked = f"{project.app.cpus:g} vCPU and {project.app.memory / GIB:.3g} GiB (app.cpus, app.memory)"
        return f"A replica has {size}, the smallest size of the Consumption profile that holds {asked}"

    def replicas(self, project: Project, now: tuple[int, int] | None) -> tuple[int, int]:
        """The minimum and maximum number of replicas, given the current ones (None for a new app)."""
        fewest, most = now or (FEWEST, MOST)
        if project.app.keeps_sessions:
            return min(1, fewest if self.min is None else self.min), 1
        fewest = fewest if self.min is None else self.min
        most = max(most, fewest, 1) if self.max is None else self.max
        return min(fewest, most), most

    def check(self, project: Project) -> None:
        """Raises ConfigError if settings contradict each other, or ask for what the target does not offer."""
        asked = max(self.min or 0, self.max or 0)
        rules = (
            (self.max is not None and (self.min or 0) > self.max, "min", "is more than `max`"),
            (self.is_internal and bool(self.domain), "domain", 'needs ingress = "external"'),
            (
                project.app.keeps_sessions and asked > 1,
                "max",
                _ONE_REPLICA,
            ),
        )
        for broken, key, what in rules:
            if broken:
                raise ConfigError(f"{TABLE}.{key}", what, f"`mldeploy help config {TABLE}` explains the keys.")
        refuse_gpu(project, TABLE.removeprefix("target."), "runs on the Consumption profile, which has no GPU")
        if len(project.app.name) < SHORTEST_NAME:
            what = f'is "{project.app.name}", and Container Apps takes no name of one letter'
            raise ConfigError("app.name", what, "Choose a longer name.")
        self.size(project)
