"""The `[target.kubernetes]` table, and the settings that all targets in a cluster share."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from mldeploy.config.errors import ConfigError
from mldeploy.config.kinds import FieldText
from mldeploy.config.settings import Project
from mldeploy.config.target import advise_on_disk
from mldeploy.providers.gpu import advise_on_gpu
from mldeploy.providers.kubernetes.pod_settings import SUBDOMAIN, Annotations, PodSettings
from mldeploy.providers.kubernetes.running.patience import RolloutPatience

LABEL = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
"""A DNS label, RFC 1123."""
DOMAIN = r"^$|^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$"
OBJECT = rf"^$|^{SUBDOMAIN}$"
GATEWAY = rf"^$|^([a-z0-9]([a-z0-9-]*[a-z0-9])?/)?{SUBDOMAIN}$"
REGISTRY = r"^$|^[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$"
SECRET_KEY = re.compile(r"(?!\.$|\.\.)[-._a-zA-Z0-9]{1,253}")
"""The allowed keys of a Secret: variable names become keys."""


class ExposureKind(StrEnum):
    """How the app is reached."""

    LOAD_BALANCER = "load-balancer"
    CLUSTER_IP = "cluster-ip"
    INGRESS = "ingress"
    GATEWAY = "gateway"


class InClusterSettings(PodSettings):
    """The settings of every target in a Kubernetes cluster."""

    namespace: Annotated[str, Field(pattern=rf"^$|{LABEL}", max_length=63), FieldText("a DNS label")] = Field(
        "",
        description="The namespace to deploy to. A missing namespace is created, and removed with the app; an "
        "existing one is used as it is. Default: a namespace with the app's name.",
        examples=["models"],
    )
    instances: Annotated[
        int | None, Field(ge=1, le=1000), FieldText(unset="1 at first, then what `mldeploy scale` set")
    ] = Field(None, description="How many pods run at once.", examples=[2])
    ingress: Literal["load-balancer", "cluster-ip", "ingress", "gateway"] = Field(
        "load-balancer",
        description="How the app is exposed. load-balancer: at its own address, port 80. cluster-ip: only inside the "
        "cluster; `mldeploy predict` uses the API server. ingress: at `domain`, through the cluster's ingress "
        "controller. gateway: at `domain`, through the Gateway that `gateway` names.",
    )
    domain: Annotated[str, Field(pattern=DOMAIN), FieldText("a host name")] = Field(
        "",
        description="The app's host name, for an ingress or a gateway. Set its DNS record yourself.",
        examples=["insurance.example.com"],
    )
    ingress_class: Annotated[str, Field(pattern=OBJECT), FieldText("the name of an IngressClass")] = Field(
        "", description="The IngressClass. Default: the cluster's default.", examples=["nginx"]
    )
    tls_secret: Annotated[str, Field(pattern=OBJECT), FieldText("the name of a Secret")] = Field(
        "",
        description="The Secret (of type kubernetes.io/tls, in the same namespace) for HTTPS at the ingress. With "
        "`cluster_issuer`, cert-manager creates it. Default: HTTP.",
        examples=["insurance-tls"],
    )
    cluster_issuer: Annotated[str, Field(pattern=OBJECT), FieldText("the name of a ClusterIssuer")] = Field(
        "", description="The ClusterIssuer of cert-manager that issues `tls_secret`.", examples=["letsencrypt"]
    )
    ingress_annotations: Annotations = Field(
        default={},
        description="Annotations of the ingress, for its controller. ingress-nginx refuses uploads above 1 MB unless "
        "`nginx.ingress.kubernetes.io/proxy-body-size` permits more.",
        examples=[{"nginx.ingress.kubernetes.io/proxy-body-size": "50m"}],
    )
    gateway: Annotated[str, Field(pattern=GATEWAY), FieldText('the name of a Gateway, or "namespace/name"')] = Field(
        "", description="The Gateway that routes to the app.", examples=["infra/public"]
    )
    gateway_listener: Annotated[str, Field(pattern=OBJECT), FieldText("the name of a listener")] = Field(
        "", description="The Gateway's listener. Default: all that accept the app's route.", examples=["https"]
    )
    gateway_https: bool = Field(False, description="The listener uses HTTPS, so printed URLs do, too.")
    min: Annotated[int | None, Field(ge=1, le=1000), FieldText(unset="1")] = Field(
        None, description="With `max`: the minimum number of pods for autoscaling.", examples=[1]
    )
    max: Annotated[int | None, Field(ge=1, le=1000), FieldText(unset="no autoscaling")] = Field(
        None, description="The maximum number of pods for autoscaling.", examples=[4]
    )
    target_cpu: int = Field(
        70, ge=10, le=100, description="Target CPU utilization for autoscaling, in percent of `cpu_request`."
    )
    cpu_request: Annotated[float | None, Field(gt=0, le=64), FieldText(unset="a quarter of `app.cpus`")] = Field(
        None,
        description="The CPU request of a pod; `app.cpus` is its limit.",
        examples=[0.5],
    )
    rollout_timeout: int = Field(
        600,
        ge=10,
        le=7200,
        description="The rollout timeout in seconds.",
    )
    rollback: bool = Field(
        True,
        description="Roll back a failed rollout. false (`--no-rollback`): leave it for inspection. The old pods keep "
        "serving either way.",
    )

    @property
    def way(self) -> ExposureKind:
        return ExposureKind(self.ingress)

    @property
    def patience(self) -> RolloutPatience:
        """The patience with this kind of cluster."""
        return RolloutPatience()

    @property
    def table(self) -> str:
        """The settings table's name in errors."""
        return "target.kubernetes"

    def check(self, project: Project) -> None:
        """Raises ConfigError if settings contradict each other."""
        routed = self.way in (ExposureKind.INGRESS, ExposureKind.GATEWAY)
        rules = (
            (self.min is not None and self.max is None, "min", "needs `max`"),
            (self.min is not None and self.max is not None and self.min > self.max, "min", "is more than `max`"),
            (self.max is not None and self.instances is not None, "instances", "and `max` contradict each other"),
            (routed and not self.domain, "domain", f'is missing, and ingress = "{self.ingress}" needs it'),
            (bool(self.domain) and not routed, "domain", 'needs ingress = "ingress" or "gateway"'),
            (self.way is ExposureKind.GATEWAY and not self.gateway, "gateway", "is missing: name the Gateway"),
            (bool(self.gpu_type) and not self.gpu, "gpu_type", "needs `gpu`, the number of GPUs"),
            (
                self.node_selector.get(self.gpu_label, self.gpu_type) != self.gpu_type and bool(self.gpu_type),
                "gpu_type",
                f"and the label {self.gpu_label} of `node_selector` contradict each other",
            ),
            (bool(self.cluster_issuer) and not self.tls_secret, "cluster_issuer", "needs `tls_secret`"),
            (
                bool(self.ingress_annotations) and self.way is not ExposureKind.INGRESS,
                "ingress_annotations",
                'needs ingress = "ingress"',
            ),
        )
        for broken, key, what in rules:
            if broken:
                raise ConfigError(
                    f"{self.table}.{key}", what, f"`mldeploy help config {self.table}` explains the keys."
                )
        strange = [name for name, _ in project.app.env if not SECRET_KEY.fullmatch(name)]
        if strange:
            what = f"{strange[0]!a} is not a valid variable name in a cluster"
            raise ConfigError("app.env", what, "Use at most 253 letters, digits, - _ and ., and no .. at the start.")

    def advise(self, project: Project) -> tuple[str, ...]:
        """Return what differs between this machine and a cluster for this app."""
        advice = [*advise_on_disk(project), *advise_on_gpu(project, self.table, is_requested=bool(self.gpu))]
        several = max(self.instances or 1, self.max or 1) > 1
        if several and project.app.keeps_sessions and self.way is ExposureKind.GATEWAY:
            advice.append(
                "The app keeps sessions, and a Gateway spreads the requests of a visitor over the pods. "
                f"Use one instance, or set the session persistence of the Gateway ({self.table}.instances)."
            )
        size = "nginx.ingress.kubernetes.io/proxy-body-size"
        is_nginx = "nginx" in (self.ingress_class or "nginx")
        if self.way is ExposureKind.INGRESS and is_nginx and size not in self.ingress_annotations:
            advice.append(
                "ingress-nginx refuses requests above 1 MB. If the app takes larger ones, set "
                f'{self.table}.ingress_annotations = {{ "{size}" = "50m" }}.'
            )
        return tuple(advice)

    def space(self, app: str) -> str:
        """The namespace."""
        return self.namespace or app

    def count(self, now: int) -> int:
        """Return the number of pods to run where `now` run; at least one."""
        return self.instances or now or self.min or 1


class KubernetesSettings(InClusterSettings):
    """A cluster from a kubeconfig. Requires the extra `kubernetes`: `pip install 'mldeploy[kubernetes]'`."""

    context: str = Field(
        "",
        description="The context in the kubeconfig (`KUBECONFIG`, `~/.kube/config`). Default: the current context.",
        examples=["production"],
    )
    registry: Annotated[str, Field(pattern=REGISTRY), FieldText('a registry and a path in it, "HOST/PATH"')] = Field(
        "",
        description="The image registry, as `HOST/PATH`; the app's name is appended. Credentials come from "
        "`docker login`. The cluster must be able to reach it.",
        examples=["ghcr.io/my-team"],
    )
    pull_secret: bool = Field(
        True,
        description="Create a Secret with the registry's credentials, if there are any, so that the cluster can pull "
        "the image. false: the nodes have their own credentials.",
    )
