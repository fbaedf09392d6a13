"""The `[target.kubernetes]` table, and what it has in common with every other target in a cluster."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from mldeploy.config.errors import ConfigError
from mldeploy.config.kinds import Shown
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings

LABEL = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
"""A DNS label, RFC 1123."""
DOMAIN = r"^$|^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$"
OBJECT = r"^$|^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
GATEWAY = r"^$|^([a-z0-9]([a-z0-9-]*[a-z0-9])?/)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
REGISTRY = r"^$|^[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$"
SECRET_KEY = re.compile(r"[-._a-zA-Z0-9]+")
"""What the key of a Secret may be: a variable's name becomes one."""


class Way(StrEnum):
    """How the app is reached."""

    LOAD_BALANCER = "load-balancer"
    CLUSTER_IP = "cluster-ip"
    INGRESS = "ingress"
    GATEWAY = "gateway"


class InClusterSettings(TargetSettings):
    """What every target in a Kubernetes cluster has."""

    namespace: Annotated[str, Field(pattern=rf"^$|{LABEL}", max_length=63), Shown("a DNS label")] = Field(
        "",
        description="The namespace to work in. One that is missing is made, and removed with the app; one that is "
        "there already is used as it is. If not set: one of the app's own, with its name.",
        examples=["models"],
    )
    instances: Annotated[
        int | None, Field(ge=1, le=1000), Shown(unset="1 at first, then what `mldeploy scale` set")
    ] = Field(None, description="How many pods run at once.", examples=[2])
    ingress: Literal["load-balancer", "cluster-ip", "ingress", "gateway"] = Field(
        "load-balancer",
        description="How the app is reached. load-balancer: at an address of its own, port 80. cluster-ip: inside the "
        "cluster alone; `mldeploy predict` asks through the API server. ingress: at `domain`, through the cluster's "
        "ingress controller. gateway: at `domain`, through the Gateway that `gateway` names.",
    )
    domain: Annotated[str, Field(pattern=DOMAIN), Shown("a host name")] = Field(
        "",
        description="The host name at which an ingress or a gateway leads to the app. Pointing it there is up to you.",
        examples=["insurance.example.com"],
    )
    ingress_class: Annotated[str, Field(pattern=OBJECT), Shown("the name of an IngressClass")] = Field(
        "", description="The IngressClass. If not set: the cluster's default.", examples=["nginx"]
    )
    tls_secret: Annotated[str, Field(pattern=OBJECT), Shown("the name of a Secret")] = Field(
        "",
        description="The Secret (of type kubernetes.io/tls, in the same namespace) with which the ingress answers "
        "HTTPS. With `cluster_issuer` it is made by cert-manager. If not set: HTTP.",
        examples=["insurance-tls"],
    )
    cluster_issuer: Annotated[str, Field(pattern=OBJECT), Shown("the name of a ClusterIssuer")] = Field(
        "", description="The ClusterIssuer of cert-manager that `tls_secret` comes from.", examples=["letsencrypt"]
    )
    gateway: Annotated[str, Field(pattern=GATEWAY), Shown('the name of a Gateway, or "namespace/name"')] = Field(
        "", description="The Gateway that leads to the app.", examples=["infra/public"]
    )
    gateway_listener: Annotated[str, Field(pattern=OBJECT), Shown("the name of a listener")] = Field(
        "", description="The Gateway's listener. If not set: all that admit the app.", examples=["https"]
    )
    gateway_https: bool = Field(False, description="That listener speaks HTTPS: so do the URLs that are printed.")
    min: Annotated[int | None, Field(ge=1, le=1000), Shown(unset="1")] = Field(
        None, description="With `max`: the fewest pods that autoscaling leaves.", examples=[1]
    )
    max: Annotated[int | None, Field(ge=1, le=1000), Shown(unset="no autoscaling")] = Field(
        None, description="The most pods to which autoscaling goes.", examples=[4]
    )
    target_cpu: int = Field(
        70, ge=10, le=100, description="Percent of the CPU that pods request, which autoscaling keeps to."
    )
    cpu_request: Annotated[float | None, Field(gt=0, le=64), Shown(unset="a quarter of `app.cpus`")] = Field(
        None,
        description="CPUs that a node must have free for a pod; `app.cpus` is the most it gets.",
        examples=[0.5],
    )
    rollout_timeout: int = Field(
        600,
        ge=10,
        le=7200,
        description="Seconds after which a rollout that has neither succeeded nor failed is given up.",
    )
    rollback: bool = Field(
        True,
        description="A rollout that fails is taken back. false (`--no-rollback`): it is left as it is, to be looked "
        "at; the old pods go on serving either way.",
    )

    @property
    def way(self) -> Way:
        return Way(self.ingress)

    @property
    def table(self) -> str:
        """What errors name."""
        return "target.kubernetes"

    def check(self, project: Project) -> None:
        """Raises ConfigError if what is said contradicts itself."""
        routed = self.way in (Way.INGRESS, Way.GATEWAY)
        rules = (
            (self.min is not None and self.max is None, "min", "needs `max`"),
            (self.min is not None and self.max is not None and self.min > self.max, "min", "is more than `max`"),
            (self.max is not None and self.instances is not None, "instances", "and `max` contradict each other"),
            (routed and not self.domain, "domain", f'is missing, and ingress = "{self.ingress}" needs it'),
            (bool(self.domain) and not routed, "domain", 'needs ingress = "ingress" or "gateway"'),
            (self.way is Way.GATEWAY and not self.gateway, "gateway", "is missing: name the Gateway"),
            (bool(self.cluster_issuer) and not self.tls_secret, "cluster_issuer", "needs `tls_secret`"),
        )
        for broken, key, what in rules:
            if broken:
                raise ConfigError(f"{self.table}.{key}", what, "See docs/configuration.md.")
        strange = [name for name, _ in project.app.env if not SECRET_KEY.fullmatch(name)]
        if strange:
            what = f"{strange[0]!a} cannot be the name of a variable in a cluster"
            raise ConfigError("app.env", what, "Use letters, digits, and - _ . alone.")

    def space(self, app: str) -> str:
        """The namespace."""
        return self.namespace or app

    def count(self, now: int) -> int:
        """How many pods should run where `now` do. One that was stopped starts."""
        return self.instances or now or self.min or 1


class KubernetesSettings(InClusterSettings):
    """Any cluster that a kubeconfig names. Needs the extra `kubernetes`: `pip install 'mldeploy[kubernetes]'`."""

    context: str = Field(
        "",
        description="The context of the kubeconfig (`KUBECONFIG`, `~/.kube/config`) to work in. If not set: the "
        "current one.",
        examples=["production"],
    )
    registry: Annotated[str, Field(pattern=REGISTRY), Shown('a registry and a path in it, "HOST/PATH"')] = Field(
        "",
        description="Where the image is kept, as `HOST/PATH`: the app's name is added. Credentials are those of "
        "`docker login`. The cluster must be able to reach it.",
        examples=["ghcr.io/my-team"],
    )
    pull_secret: bool = Field(
        True,
        description="Give the cluster the registry's credentials, as a Secret, so that it can pull the image. Used "
        "only where there are any. false: its nodes have access of their own.",
    )
