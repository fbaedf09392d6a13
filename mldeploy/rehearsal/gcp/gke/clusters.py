"""Create, describe, change and delete clusters. https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from google.cloud import container_v1 as gke

from mldeploy.rehearsal.containers.host import PublicAddressPool
from mldeploy.rehearsal.gateway.proxy import StandInObject
from mldeploy.rehearsal.gcp.artifacts.repositories import wrong_labels
from mldeploy.rehearsal.gcp.compute.api import ComputeResource, RegionQuotas, load_balancer_resources
from mldeploy.rehearsal.gcp.conditions import ProjectConditions
from mldeploy.rehearsal.gcp.errors import ApiError, Code, permission_denied
from mldeploy.rehearsal.gcp.gke.control_plane import ControlPlaneFactory, ControlPlaneSpec
from mldeploy.rehearsal.gcp.gke.operations import CONTAINER, SERVICE, FailedError, Operations
from mldeploy.rehearsal.gcp.gke.stored_cluster import (
    StoredCluster,
    check_cluster,
    create_cluster,
    quota_usage,
    set_labels,
    wrong_count,
)
from mldeploy.rehearsal.gcp.iam import ProjectIam
from mldeploy.rehearsal.gcp.project import ProjectLocation
from mldeploy.rehearsal.gcp.rpc.server import Method, Methods

Status, PoolStatus = gke.Cluster.Status, gke.NodePool.Status
CREATE_PHASES, DELETE_PHASES, CHANGE_PHASES = 5, 3, 1
FAILED_PRECONDITION = 9
COMPUTE = "compute.googleapis.com"


class Clusters:
    """All clusters. planes: starts control planes. addresses: for their APIs.

    require: raises ApiError if an API is not enabled.
    """

    def __init__(
        self,
        operations: Operations,
        quotas: RegionQuotas,
        planes: ControlPlaneFactory,
        addresses: PublicAddressPool,
        require: Callable[[str], None],
        conditions: ProjectConditions,
        iam: ProjectIam,
    ) -> None:
        self._conditions = conditions
        self._iam = iam
        self._project = conditions.project
        self._require = require
        self._operations = operations
        self._quotas = quotas
        self._planes = planes
        self._addresses = addresses
        self._clusters: dict[str, StoredCluster] = {}
        self._leftovers: list[ComputeResource] = []

    def reset(self) -> None:
        """Stop and delete all clusters. No operation may be running."""
        for stored in list(self._clusters.values()):
            self._stop(stored)
        self._clusters.clear()
        self._leftovers.clear()

    def contents(self) -> Iterator[StandInObject]:
        """List clusters and the objects in them."""
        for stored in list(self._clusters.values()):
            cluster = stored.cluster
            yield StandInObject("container:cluster", cluster.name, dict(cluster.resource_labels))
            for thing in stored.plane.contents() if stored.plane else ():
                yield StandInObject(thing.kind, f"{cluster.name}/{thing.name}", thing.tags)

    def pieces(self) -> Iterator[ComputeResource]:
        """List the clusters' Compute Engine resources, and leftovers of deleted clusters."""
        yield from list(self._leftovers)
        for stored in list(self._clusters.values()):
            yield from stored.disks()
            yield from self._balancers(stored)

    def clear(self, piece: ComputeResource) -> bool:
        """Delete a leftover. Returns False if the resource is not a leftover."""
        if piece not in self._leftovers:
            return False
        self._leftovers.remove(piece)
        return True

    def used(self, region: str) -> Mapping[str, float]:
        """Return the usage of a region's quotas."""
        total: Counter[str] = Counter()
        for stored in list(self._clusters.values()):
            if stored.location.region == region:
                total.update({name: int(amount) for name, amount in stored.used.items()})
        return {name: float(amount) for name, amount in total.items()}

    @property
    def methods(self) -> Methods:
        update = "container.clusters.update"
        return {
            f"{SERVICE}/CreateCluster": Method(
                CONTAINER, "container.clusters.create", gke.CreateClusterRequest, self._create
            ),
            f"{SERVICE}/GetCluster": Method(CONTAINER, "container.clusters.get", gke.GetClusterRequest, self._get),
            f"{SERVICE}/ListClusters": Method(
                CONTAINER, "container.clusters.list", gke.ListClustersRequest, self._list
            ),
            f"{SERVICE}/DeleteCluster": Method(
                CONTAINER, "container.clusters.delete", gke.DeleteClusterRequest, self._delete
            ),
            f"{SERVICE}/UpdateCluster": Method(CONTAINER, update, gke.UpdateClusterRequest, self._update),
            f"{SERVICE}/SetLabels": Method(CONTAINER, update, gke.SetLabelsRequest, self._label),
            f"{SERVICE}/SetNodePoolSize": Method(CONTAINER, update, gke.SetNodePoolSizeRequest, self._resize),
        }

    def _create(self, request: gke.CreateClusterRequest) -> gke.Operation:
        location = self._parse_location(request.parent, "container.clusters.create")
        check_cluster(self._project, location, request.cluster)
        self._conditions.check_network(request.cluster.network, request.cluster.subnetwork)
        self._require(COMPUTE)  # its nodes are machines there
        stored = create_cluster(self._project, location, request.cluster)
        self._iam.require_act_as(stored.account)
        if stored.name in self._clusters:
            raise ApiError(Code.ALREADY_EXISTS, f"Already exists: {stored.name}.")
        self._quotas.require(stored.used, self.used(location.region))
        stored.surge = self._conditions.surge_nodes
        self._clusters[stored.name] = stored
        self._conditions.add(stored.name)
        return self._operations.begin(
            "CREATE_CLUSTER", stored.name, CREATE_PHASES, lambda: self._start(stored), lambda why: _broken(stored, why)
        )

    def _get(self, request: gke.GetClusterRequest) -> gke.Cluster:
        stored = self._find(request.name, "container.clusters.get")
        if self._conditions.is_missing(stored.name):
            raise ApiError(Code.NOT_FOUND, f"Not found: {request.name}.")
        return stored.described()

    def _list(self, request: gke.ListClustersRequest) -> gke.ListClustersResponse:
        location = self._parse_location(request.parent, "container.clusters.list")
        clusters = (
            each for _, each in sorted(self._clusters.items()) if location.location in ("-", each.cluster.location)
        )
        return gke.ListClustersResponse(clusters=[each.described() for each in clusters])

    def _delete(self, request: gke.DeleteClusterRequest) -> gke.Operation:
        stored = self._find_idle(request.name, "container.clusters.delete")
        stored.cluster.status = Status(Status.STOPPING)
        return self._operations.begin(
            "DELETE_CLUSTER", stored.name, DELETE_PHASES, lambda: self._remove(stored), lambda why: _broken(stored, why)
        )

    def _update(self, request: gke.UpdateClusterRequest) -> gke.Operation:
        stored = self._find_idle(request.name, "container.clusters.update")
        if "desired_release_channel" not in request.update:
            raise ApiError(Code.UNIMPLEMENTED, "Of updates only that of the release channel is rehearsed.")
        channel = gke.ReleaseChannel(request.update.desired_release_channel)

        def change() -> None:
            stored.cluster.release_channel = channel

        return self._operations.begin("UPDATE_CLUSTER", stored.name, CHANGE_PHASES, change, _unchanged)

    def _label(self, request: gke.SetLabelsRequest) -> gke.Operation:
        stored = self._find_idle(request.name, "container.clusters.update")
        if request.label_fingerprint != stored.cluster.label_fingerprint:
            raise ApiError(Code.FAILED_PRECONDITION, "Labels could not be set due to fingerprint mismatch.")
        for what in wrong_labels(request.resource_labels):
            raise ApiError(Code.INVALID_ARGUMENT, what)
        labels = dict(request.resource_labels)
        return self._operations.begin(
            "SET_LABELS", stored.name, CHANGE_PHASES, lambda: set_labels(stored.cluster, labels), _unchanged
        )

    def _resize(self, request: gke.SetNodePoolSizeRequest) -> gke.Operation:
        name, _, pool_name = request.name.rpartition("/nodePools/")
        stored = self._find_idle(name, "container.clusters.update")
        pool = next((each for each in stored.cluster.node_pools if each.name == pool_name), None)
        if pool is None:
            raise ApiError(Code.NOT_FOUND, f"Not found: {request.name}.")
        for what in wrong_count(request.node_count):
            raise ApiError(Code.INVALID_ARGUMENT, what)
        self._require_more(stored, pool, request.node_count)

        def resize() -> None:
            pool.initial_node_count = request.node_count

        return self._operations.begin("SET_NODE_POOL_SIZE", stored.name, CHANGE_PHASES, resize, _unchanged)

    def _require_more(self, stored: StoredCluster, pool: gke.NodePool, count: int) -> None:
        """Raise ApiError if the quotas do not allow the additional nodes."""
        added = gke.NodePool(pool)
        added.initial_node_count = max(0, count - pool.initial_node_count)
        more = quota_usage(gke.Cluster(node_pools=[added], locations=stored.cluster.locations))
        self._quotas.require(more, self.used(stored.location.region))

    def _start(self, stored: StoredCluster) -> None:
        """Start the cluster. Raises FailedError if its API cannot listen."""
        cluster, address = stored.cluster, self._addresses.take()
        account = self._project.nodes if stored.account == "default" else stored.account
        is_autopilot = cluster.autopilot.enabled
        spec = ControlPlaneSpec(cluster.name, address, account, stored.nodes, is_autopilot, *stored.machine.room)
        try:
            stored.plane = self._planes.start(spec)
        except OSError as error:
            self._addresses.give_back(address)
            what = f"The rehearsal cannot listen on {address}: {error}. Run it as root, or allow low ports to all: "
            raise FailedError(FAILED_PRECONDITION, f"{what}sysctl net.ipv4.ip_unprivileged_port_start=80") from error
        certificate = base64.b64encode(self._planes.authority).decode()
        cluster.master_auth = gke.MasterAuth(cluster_ca_certificate=certificate)
        cluster.endpoint = address
        for pool in cluster.node_pools:
            pool.status = PoolStatus(PoolStatus.RUNNING)
        cluster.status = Status(Status.RUNNING)

    def _remove(self, stored: StoredCluster) -> None:
        """Delete the cluster. The load balancers of its Services stay as leftovers, as in GKE."""
        self._leftovers.extend(self._balancers(stored))
        self._stop(stored)
        self._clusters.pop(stored.name, None)

    def _balancers(self, stored: StoredCluster) -> Iterator[ComputeResource]:
        for each in stored.plane.balancers() if stored.plane else ():
            key = self._conditions.service_key_of(each.uid)
            yield from load_balancer_resources(
                stored.location.region, each.uid, each.service, each.address, each.port, key
            )

    def _stop(self, stored: StoredCluster) -> None:
        if stored.plane is not None:
            stored.plane.stop()
            stored.plane = None
            self._addresses.give_back(stored.cluster.endpoint)

    def _find_idle(self, name: str, permission: str) -> StoredCluster:
        """Find a cluster. Raises ApiError while an operation on it is running."""
        stored = self._find(name, permission)
        self._operations.require_idle(stored.name, stored.cluster.name)
        return stored

    def _find(self, name: str, permission: str) -> StoredCluster:
        location = self._parse_location(name, permission)
        known = f"projects/{self._project.id}/locations/{location.location}/{location.rest}"
        with suppress(KeyError):
            return self._clusters[known]
        raise ApiError(Code.NOT_FOUND, f"Not found: {name}.")

    def _parse_location(self, name: str, permission: str) -> ProjectLocation:
        location = ProjectLocation.of(name)
        if not self._project.is_called(location.project):
            raise permission_denied(permission, f"projects/{location.project}")
        return location


def _broken(stored: StoredCluster, why: FailedError) -> None:
    stored.cluster.status, stored.cluster.status_message = Status(Status.ERROR), why.message


def _unchanged(_why: FailedError) -> None:
    """A failed change has no effect on the cluster."""
