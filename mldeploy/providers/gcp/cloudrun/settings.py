"""The settings of `[target.cloudrun]`, and the sizes of Cloud Run's instances."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from mldeploy.config.access_keys import IAM
from mldeploy.config.errors import ConfigError
from mldeploy.config.kinds import FieldText, Variable
from mldeploy.config.settings import App, Project
from mldeploy.config.target import advise_on_port
from mldeploy.core.errors import RefusedError
from mldeploy.providers.gcp.settings import GarSettings
from mldeploy.providers.gpu import advise_on_gpu

TARGET = "cloudrun"
TABLE = f"target.{TARGET}"
ACCOUNT_PATTERN = r"^$|^[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com$"
_VPC_NAME = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
NETWORK_PATTERN = rf"^$|^(projects/[a-z0-9.:-]+/global/networks/)?{_VPC_NAME}$"
SUBNETWORK_PATTERN = rf"^$|^(projects/[a-z0-9.:-]+/regions/[a-z0-9-]+/subnetworks/)?{_VPC_NAME}$"
CONNECTOR_PATTERN = rf"^$|^projects/[a-z0-9.:-]+/locations/[a-z0-9-]+/connectors/{_VPC_NAME}$"
MIB = 2**20
PLATFORM = "linux/amd64"
"""The only one: https://cloud.google.com/run/docs/container-contract#languages"""

SecretRef = Annotated[
    str,
    Field(pattern=r"^(projects/[a-z0-9.:-]+/secrets/)?[A-Za-z0-9_-]{1,255}(:(latest|[1-9][0-9]*))?$"),
    FieldText('the name of a secret in Secret Manager, such as "api-key" or "api-key:3"'),
]

MOST_MEMORY: Mapping[float, int] = MappingProxyType({1: 4096, 2: 8192, 4: 16384, 6: 24576, 8: 32768})
"""MiB by CPU. https://cloud.google.com/run/docs/configuring/services/memory-limits"""
LEAST_MEMORY: Mapping[float, int] = MappingProxyType({1: 128, 2: 128, 4: 2048, 6: 4096, 8: 4096})
"""MiB by CPU. https://cloud.google.com/run/docs/configuring/services/cpu"""
LEAST_MEMORY_BY_INSTANCE = 512
LEAST_CPU = 0.08
GPU_CPU, GPU_MEMORY = 4, 16384
"""The least beside an L4. https://cloud.google.com/run/docs/configuring/services/gpu"""
USUAL_CONCURRENCY = 80
"""Cloud Run's own default."""


@dataclass(frozen=True)
class InstanceSize:
    """cpu: vCPUs. memory: MiB."""

    cpu: float
    memory: int


class CloudRunSettings(GarSettings):
    """The app as a service of Cloud Run. Needs the extra `gcp`: `pip install 'mldeploy[gcp]'`.

    The app serves HTTPS at `https://….run.app` and scales to zero. A new version starts without traffic and is checked
    at a URL of its own. `app.read_only` is not supported: the root file system is writable and kept in memory.
    """

    region: Annotated[str, FieldText("the name of a region of Google Cloud")] = Field(
        "",
        pattern=r"^$|^[a-z]+-[a-z]+[0-9]+$",
        description="The region of the service and of its images. Default: `GOOGLE_CLOUD_REGION`, "
        "`CLOUDSDK_COMPUTE_REGION`, the region of gcloud.",
        examples=["us-central1"],
    )
    cpu: Annotated[
        float | None, Field(ge=LEAST_CPU, le=8), FieldText(unset="what holds `app.cpus` and `app.memory`")
    ] = Field(
        None,
        description="vCPUs of an instance: 1, 2, 4, 6, 8, or less than 1 with `concurrency` = 1.",
        examples=[2],
    )
    memory: Annotated[int | None, Field(ge=128, le=32768), FieldText(unset="`app.memory`")] = Field(
        None, description="Memory of an instance in MiB. Files that the app writes count.", examples=[1024]
    )
    concurrency: Annotated[
        int | None, Field(ge=1, le=1000), FieldText(unset="the threads of the server in the image; 80 if unknown")
    ] = Field(None, description="Requests that an instance gets at once.", examples=[20])
    min: Annotated[int | None, Field(ge=0, le=1000), FieldText(unset="0 at first, then what `mldeploy scale` set")] = (
        Field(
            None,
            description="Minimum number of instances. 0: an app without requests costs nothing, and the first request "
            "after a pause starts an instance.",
            examples=[1],
        )
    )
    max: Annotated[
        int | None, Field(ge=1, le=1000), FieldText(unset="Cloud Run's default, then what `mldeploy scale` set")
    ] = Field(None, description="Maximum number of instances.", examples=[10])
    cpu_boost: bool = Field(True, description="Give an instance more CPU while it starts.")
    billing: Literal["request", "instance"] = Field(
        "request",
        description="request: CPU and memory are billed during requests, and an idle instance has almost no CPU. "
        "instance: billed as long as the instance lives, at a lower price.",
    )
    timeout: int = Field(300, ge=1, le=3600, description="Timeout of a request in seconds.")
    connector: Annotated[str, FieldText("the full name of a Serverless VPC Access connector")] = Field(
        "",
        pattern=CONNECTOR_PATTERN,
        description="A VPC connector for requests that the app sends. Not with `network`.",
        examples=["projects/insurance-123456/locations/us-central1/connectors/apps"],
    )
    network: Annotated[str, FieldText("the name of a VPC network")] = Field(
        "",
        pattern=NETWORK_PATTERN,
        description="A VPC network for requests that the app sends (Direct VPC egress).",
        examples=["default"],
    )
    subnetwork: Annotated[str, FieldText("the name of a subnetwork")] = Field(
        "", pattern=SUBNETWORK_PATTERN, description="The subnetwork in `network`.", examples=["default"]
    )
    egress: Literal["private-ranges-only", "all-traffic"] = Field(
        "private-ranges-only", description="Which requests of the app go through the VPC network."
    )
    secrets: Annotated[dict[Variable, SecretRef], FieldText("a table of names, by the variable that the app reads")] = (
        Field(
            {},
            description="Environment variables with values from Secret Manager. The service stores only the reference. "
            "The app's service account gets `roles/secretmanager.secretAccessor` on each secret.",
            examples=[{"API_KEY": "api-key"}],
        )
    )
    gpu: Annotated[Literal["", "nvidia-l4"], FieldText(unset="no GPU")] = Field(
        "",
        description="GPU of an instance. Needs 4 vCPUs, 16 GiB and `billing` = `instance`, and a quota.",
        examples=["nvidia-l4"],
    )
    service_account: Annotated[str, FieldText("the e-mail address of a service account")] = Field(
        "",
        pattern=ACCOUNT_PATTERN,
        description="The service account of the app, which mldeploy then neither changes nor deletes. Default: a new "
        "one without any role.",
        examples=["insurance@insurance-123456.iam.gserviceaccount.com"],
    )
    ingress: Literal["all", "internal", "internal-and-load-balancer"] = Field(
        "all",
        description="From where the service can be reached. Unless it is `all`, run mldeploy in the VPC network: it "
        "asks the new version before it gets traffic.",
    )
    public: bool = Field(
        True,
        description="Let everybody send requests (`roles/run.invoker` for allUsers). false: only callers with that "
        'role and an identity token; `mldeploy predict` sends one. `access = "iam"` in [app] is the same.',
    )
    keep_revisions: int = Field(
        10, ge=1, le=500, description="Number of earlier revisions to keep for `mldeploy rollback`."
    )
    rollout_timeout: int = Field(
        900, ge=1, le=7200, description="Timeout in seconds for a version to start, including the image pull."
    )

    def is_open(self, project: Project) -> bool:
        """Whether everybody may send requests to this app."""
        return self.public and project.app.access != IAM

    def advise(self, project: Project) -> tuple[str, ...]:
        text = (
            "What the app writes to its disk is kept in memory, counts towards `memory`, and is lost with the instance."
        )
        gpu = advise_on_gpu(project, TABLE, is_requested=bool(self.gpu))
        return (*advise_on_port(project), *gpu, *(() if project.app.read_only else (text,)))

    @property
    def withheld(self) -> tuple[str, ...]:
        return tuple(self.secrets)

    def check(self, project: Project) -> None:
        """Raises ConfigError if settings contradict each other or Cloud Run has no such instance."""
        rules = (
            (
                bool(self.connector) and bool(self.network or self.subnetwork),
                "connector",
                "cannot be combined with `network`",
            ),
            (bool(self.subnetwork) and not self.network, "subnetwork", "needs `network`"),
            (
                self.egress != "private-ranges-only" and not (self.connector or self.network),
                "egress",
                "needs `connector` or `network`",
            ),
            (self.max is not None and (self.min or 0) > self.max, "min", "is more than `max`"),
            (bool(self.gpu) and self.billing != "instance", "gpu", 'needs billing = "instance"'),
            (
                bool(self.secrets.keys() & {name for name, _ in project.app.env}),
                "secrets",
                "sets variables that [app] sets, too",
            ),
        )
        for broken, key, what in rules:
            if broken:
                raise _config_error(key, what)
        self.size(project)

    def size(self, project: Project) -> InstanceSize:
        """The size of an instance. Raises ConfigError if Cloud Run has none such, or none that holds the app."""
        memory = self.memory or max(128, math.ceil(project.app.memory / MIB))
        if self.billing == "instance" or self.gpu:
            memory = max(memory, LEAST_MEMORY_BY_INSTANCE)
        if self.gpu and memory < GPU_MEMORY:
            memory = self._require(memory if self.memory else GPU_MEMORY, GPU_MEMORY, "memory", f"{self.gpu} needs")
        if self.cpu is not None and self.cpu < 1:
            return self._small_size(self.cpu, memory)
        cpu = self.cpu or _smallest_cpu(max(project.app.cpus, GPU_CPU if self.gpu else 0), memory)
        if cpu not in MOST_MEMORY:
            raise _config_error("cpu", f"{cpu:g} is not a size of Cloud Run", "Choose 1, 2, 4, 6 or 8.")
        if self.gpu:
            self._require(cpu, GPU_CPU, "cpu", f"{self.gpu} needs")
        if memory > MOST_MEMORY[cpu]:
            raise _config_error("memory", f"{memory} MiB are more than {cpu:g} vCPUs can have, {MOST_MEMORY[cpu]} MiB")
        return InstanceSize(cpu, max(memory, LEAST_MEMORY[cpu]))

    def concurrent_requests(self, app: App, cpu: float) -> int:
        """How many requests an instance gets at once: as many as the server in the image answers at once."""
        if self.concurrency is not None:
            return self.concurrency
        if cpu < 1:
            return 1
        if app.command or app.interface != "wsgi":
            return USUAL_CONCURRENCY
        return min(1000, max(1, (app.workers or math.ceil(cpu)) * app.threads))

    def require_platform(self, platform: str) -> None:
        """Raise RefusedError for an image that Cloud Run does not run."""
        if platform != PLATFORM:
            what = f"images are built for {platform}, and Cloud Run runs {PLATFORM}"
            raise RefusedError(TABLE, what, f'Set `platform = "{PLATFORM}"` in [build] of mldeploy.toml.')

    def _small_size(self, cpu: float, memory: int) -> InstanceSize:
        """https://cloud.google.com/run/docs/configuring/services/cpu#cpu-memory"""
        if self.concurrency not in (None, 1) or self.billing == "instance" or self.gpu:
            raise _config_error("cpu", 'less than 1 vCPU needs concurrency = 1, billing = "request" and no `gpu`')
        most = 512 if cpu < 0.5 else 1024
        if memory > most:
            raise _config_error("memory", f"{memory} MiB are more than {cpu:g} vCPUs can have, {most} MiB")
        return InstanceSize(cpu, memory)

    @staticmethod
    def _require(value: float, least: int, key: str, why: str) -> int:
        if value < least:
            raise _config_error(key, f"is {value:g}, and {why} {least} at least")
        return round(value)


def _smallest_cpu(cpus: float, memory: int) -> float:
    """The smallest size that holds both. Raises ConfigError if there is none."""
    for cpu, most in MOST_MEMORY.items():
        if cpus <= cpu and memory <= most:
            return cpu
    what = f"Cloud Run has no instance with {cpus:g} CPUs and {memory} MiB"
    raise ConfigError("app.memory", what, "8 vCPUs and 32 GiB are the most.")


def _config_error(key: str, what: str, todo: str = "") -> ConfigError:
    return ConfigError(f"{TABLE}.{key}", what, todo or f"`mldeploy help config {TABLE}` explains the keys.")
