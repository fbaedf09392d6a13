"""The steps that see to the cluster: the app's own, or one that is there already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from google.api_core import exceptions as api
from google.cloud.container_v1 import types

from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.gcp.calls import call
from mldeploy.providers.gcp.errors import AGAIN, GcpError, gcp_errors
from mldeploy.providers.gcp.gke import spec
from mldeploy.providers.gcp.gke.access import kube_of
from mldeploy.providers.gcp.gke.cloud import GkeCloud
from mldeploy.providers.gcp.gke.clusters import Found, State, find, path, where
from mldeploy.providers.gcp.gke.operations import failure, finish
from mldeploy.providers.gcp.gke.removal import gone, removed
from mldeploy.providers.gcp.gke.settings import TARGET, GkeSettings
from mldeploy.providers.gcp.labels import belonging
from mldeploy.providers.gcp.waiting import paced
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.cluster import ClusterStep


@dataclass(frozen=True, eq=False)
class GkeCluster(ClusterStep[GkeCloud]):
    """The app's own cluster runs. It is removed with the app, after all that is in it."""

    kind: ClassVar[str] = "gke-cluster"
    title: ClassVar[str] = "Create the GKE cluster"

    app: str
    settings: GkeSettings

    @property
    def scope(self) -> tuple[str, ...]:
        return (self.app,)

    def key(self) -> Key:
        return Key(self.app)

    def probe(self, cloud: GkeCloud, outs: Outputs) -> Seen[Kube] | None:
        """One that comes, goes, or never came up is none yet: nothing in it can be asked, and it is waited for."""
        found = find(cloud, self.app)
        if found is None or found.state is not State.RUNNING:
            return None
        kube, missing = kube_of(cloud.account.identity, found), found.missing(self.app)
        if missing:
            return Seen(kube, missing, ours=False)
        return Seen(kube, tuple(self._drift(found)), tuple(self._fixed(found)))

    def apply(self, cloud: GkeCloud, outs: Outputs, seen: Seen[Kube] | None, monitor: Monitor) -> Kube:
        """Raises GcpError if the cluster does not come up, with Google's reason; RefusedError if it is others'."""
        found = self._usable(cloud, monitor)
        if found is None:
            self._create(cloud, monitor)
            found = self._arrived(cloud, monitor)
        if found.missing(self.app):
            raise RefusedError(where(self.app), "has just been made by somebody else", "Choose another app name.")
        self._mend(cloud, found, monitor)
        return kube_of(cloud.account.identity, found)

    @staticmethod
    def undo(cloud: GkeCloud, key: Key, monitor: Monitor) -> bool:
        """Remove the cluster, its load balancers before it. Raises LeftoversError if anything billed is left."""
        return removed(cloud, key.name, monitor)

    def _usable(self, cloud: GkeCloud, monitor: Monitor) -> Found | None:
        """The cluster if it runs or comes up by itself; None once there is surely none."""
        found = find(cloud, self.app)
        if found is None or found.missing(self.app) or found.state is State.RUNNING:
            return found
        if found.state is State.COMING:
            return self._arrived(cloud, monitor)
        monitor.progress(Progress("", "waiting until the one before it is gone"))
        gone(cloud, self.app, monitor)
        return None

    def _create(self, cloud: GkeCloud, monitor: Monitor) -> None:
        """Labelled in the same call. If it is there by now, an attempt whose answer was lost made it, or others did."""
        labels = belonging(self.app, TARGET)
        made = spec.cluster(self.app, cloud.account.project, self.settings, labels)
        parent = f"projects/{cloud.account.project}/locations/{cloud.account.location}"
        request = types.CreateClusterRequest(parent=parent, cluster=made)
        with gcp_errors(where(self.app), "container.clusters.create"):
            try:
                operation = call(cloud.account.identity, cloud.clusters.create_cluster, request)
            except api.Conflict:
                return
        finish(cloud, monitor, operation, self.settings.cluster_timeout)

    def _arrived(self, cloud: GkeCloud, monitor: Monitor) -> Found:
        """Wait for a cluster whose operation may be nobody's any more: the one who began it may have been killed."""
        for elapsed in paced(monitor, self.settings.cluster_timeout):
            found = find(cloud, self.app)
            if found is not None and (found.state is State.RUNNING or found.missing(self.app)):
                return found
            if found is not None and found.state is State.BROKEN:
                raise failure("create cluster", found.complaint)
            monitor.progress(Progress("", f"the cluster is being made, {elapsed:.0f} s"))
        raise GcpError(where(self.app), f"does not run after {self.settings.cluster_timeout} s", AGAIN)

    def _drift(self, found: Found) -> Iterator[str]:
        wanted = self._wanted_nodes(found)
        if wanted is not None:
            yield f"{found.nodes} nodes → {wanted * found.zones}"
        if found.channel != self.settings.release_channel:
            yield f"release channel {found.channel} → {self.settings.release_channel}"

    def _fixed(self, found: Found) -> Iterator[str]:
        if found.is_autopilot != self.settings.is_autopilot:
            yield "Autopilot → standard" if found.is_autopilot else "standard → Autopilot"
        elif not found.is_autopilot and found.machine_type not in ("", self.settings.machine_type):
            yield f"machine type {found.machine_type} → {self.settings.machine_type}"

    def _wanted_nodes(self, found: Found) -> int | None:
        """In each zone, if they are to be others; None if that is as it should be, or nobody has said a number."""
        wanted = self.settings.nodes
        if wanted is None or found.is_autopilot or found.nodes == wanted * found.zones:
            return None
        return wanted

    def _mend(self, cloud: GkeCloud, found: Found, monitor: Monitor) -> None:
        nodes, channel = self._wanted_nodes(found), self.settings.release_channel
        identity, whole = cloud.account.identity, path(cloud, self.app)
        if nodes is not None:
            request = types.SetNodePoolSizeRequest(name=f"{whole}/nodePools/{spec.POOL}", node_count=nodes)
            with gcp_errors(where(self.app), "container.clusters.update"):
                operation = call(identity, cloud.clusters.set_node_pool_size, request)
            finish(cloud, monitor, operation, self.settings.cluster_timeout)
        if found.channel != channel:
            update = types.ClusterUpdate(desired_release_channel=types.ReleaseChannel(channel=spec.CHANNELS[channel]))
            with gcp_errors(where(self.app), "container.clusters.update"):
                asked = types.UpdateClusterRequest(name=whole, update=update)
                operation = call(identity, cloud.clusters.update_cluster, asked)
            finish(cloud, monitor, operation, self.settings.cluster_timeout)


@dataclass(frozen=True, eq=False)
class SharedCluster(ClusterStep[GkeCloud]):
    """A cluster that is there already, whoever made it: it is used, never changed, and never removed."""

    kind: ClassVar[str] = "gke-shared-cluster"
    title: ClassVar[str] = "Find the GKE cluster"
    stays: ClassVar[bool] = True

    name: str

    @property
    def scope(self) -> tuple[str, ...]:
        return (self.name,)

    def key(self) -> Key:
        return Key(self.name)

    def probe(self, cloud: GkeCloud, outs: Outputs) -> Seen[Kube] | None:
        """Raises AbsentError if there is none, GcpError if it does not run."""
        found = find(cloud, self.name)
        if found is None:
            what = f"there is none of this name in {cloud.account.location} of {cloud.account.project}"
            todo = "Correct `cluster` (and `region` or `zone`) in [target.gke], or leave it out: then one is made."
            raise AbsentError(where(self.name), what, todo)
        if found.state is not State.RUNNING:
            raise GcpError(where(self.name), found.state.value, "Wait until it runs, or name another one.")
        return Seen(kube_of(cloud.account.identity, found), ours=False)

    def apply(self, cloud: GkeCloud, outs: Outputs, seen: Seen[Kube] | None, monitor: Monitor) -> Kube:
        """There is nothing to do: what is not there has been said."""
        if seen is None:
            raise AbsentError(where(self.name), "is gone", "Name another one: `cluster` in [target.gke].")
        return seen.out

    @staticmethod
    def undo(cloud: GkeCloud, key: Key, monitor: Monitor) -> bool:
        """It is not ours."""
        return False
