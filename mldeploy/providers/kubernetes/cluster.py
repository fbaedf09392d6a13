"""The seam between what runs in a cluster and where the cluster comes from."""

from __future__ import annotations

from abc import abstractmethod
from typing import Generic, Protocol

from mldeploy.core.step import CloudT_contra, Step
from mldeploy.image.cloud import HasEngine
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.labels import Owner


class HasCluster(HasEngine, Protocol):
    """What the steps in a cluster need of a target's cloud."""

    @property
    def owner(self) -> Owner:
        """Whose everything is that is made there: the app, on this target."""

    def kube(self, cluster: tuple[str, ...]) -> Kube | None:
        """The API of a cluster for a removal; None if that cluster is surely gone, and with it all that was in it.

        cluster: what its step's `scope` says. It may ask the platform. Raises MldeployError on any doubt.
        """


class ClusterStep(Step[CloudT_contra, Kube], Generic[CloudT_contra]):
    """A cluster whose API answers; its output is a client for it."""

    @property
    @abstractmethod
    def scope(self) -> tuple[str, ...]:
        """Begins the keys of all that is in it, so that `HasCluster.kube` finds it again. Pure.

        Empty where the cloud knows only one.
        """
