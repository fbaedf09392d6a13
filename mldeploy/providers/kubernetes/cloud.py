"""The clients of the target `kubernetes`."""

from __future__ import annotations

from dataclasses import dataclass

from mldeploy.image.engine import Engine
from mldeploy.image.registry.access import Repository
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.labels import Owner


@dataclass(frozen=True)
class KubernetesCloud:
    """One cluster, for one app, and the engine that builds for it.

    context: the kubeconfig's, "" if there is none. repository: where the image is kept.
    """

    engine: Engine
    owner: Owner
    api: Kube
    space: str
    context: str
    repository: Repository

    @property
    def place(self) -> tuple[str, ...]:
        """The server, and the namespace in it."""
        return self.api.server.partition("://")[2], self.space

    def kube(self, cluster: tuple[str, ...]) -> Kube:
        """There is only this one."""
        return self.api
