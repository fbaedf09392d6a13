"""Clusters: made, described, changed and removed. https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from google.cloud import container_v1 as gke

from mldeploy.rehearsal.containers.network import Addresses
from mldeploy.rehearsal.door.interface import Thing
from mldeploy.rehearsal.gcp.artifacts.checks import wrong_labels
from mldeploy.rehearsal.gcp.compute.quotas import Quotas
from mldeploy.rehearsal.gcp.compute.things import Piece, balancer
from mldeploy.rehearsal.gcp.gke.checks import check, wrong_count
from mldeploy.rehearsal.gcp.gke.described import Kept, filled, labelled, taken
from mldeploy.rehearsal.gcp.gke.operations import CONTAINER, SERVICE, FailedError, Operations
from mldeploy.rehearsal.gcp.gke.plane import Planes, Wanted
from mldeploy.rehearsal.gcp.project import Place, Project
from mldeploy.rehearsal.gcp.refusals import ApiError, Code, denied
from mldeploy.rehearsal.gcp.rpc.method import Method, Methods

Status, PoolStatus = gke.Cluster.Status, gke.NodePool.Status
CREATE_PHASES, DELETE_PHASES, CHANGE_PHASES = 5, 3, 1
FAILED_PRECONDITION = 9
COMPUTE = "compute.googleapis.com"


class Clusters:
    """planes: make what stands behind a cluster. addresses: where their APIs can answer.

    require: raises ApiError where an API is not enabled.
    """

    def __init__(
        self,
        project: Project,
        operations: Operations,
        quotas: Quotas,
        planes: Planes,
        addresses: Addresses,
        require: Callable[[str], None],
    ) -> None:
        self._project = project
        self._require = require
        self._operations = operations
        self._quotas = quotas
        self._planes = planes
        self._addresses = addresses
        self._kept: dict[str, Kept] = {}
        self._left: list[Piece] = []

    def reset(self) -> None:
        """Call it only when no operation goes on any more."""
        for kept in list(self._kept.values()):
            self._stop(kept)
        self._kept.clear()
        self._left.clear()

    def contents(self) -> Iterator[Thing]:
        """Clusters, and what somebody has made in them."""
        for kept in list(self._kept.values()):
            cluster = kept.cluster
            yield Thing("container:cluster", cluster.name, dict(cluster.resource_labels))
            for thing in kept.plane.contents() if kept.plane else ():
                yield Thing(thing.kind, f"{cluster.name}/{thing.name}", thing.tags)

    def pieces(self) -> Iterator[Piece]:
        """What of them is in Compute Engine, and what clusters that are gone have left there."""
        yield from list(self._left)
        for kept in list(self._kept.values()):
            yield from kept.disks()
            yield from _balancers(kept)

    def clear(self, piece: Piece) -> bool:
        """Remove something that is left over; False if it is not."""
        if piece not in self._left:
            return False
        self._left.remove(piece)
        return True

    def used(self, region: str) -> Mapping[str, float]:
        """What they take of a region's quotas."""
        total: Counter[str] = Counter()
        for kept in list(self._kept.values()):
            if kept.place.region == region:
                total.update({name: int(amount) for name, amount in kept.used.items()})
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
        place = self._place(request.parent, "container.clusters.create")
        check(self._project, place, request.cluster)
        self._require(COMPUTE)  # its nodes are machines there
        kept = filled(self._project, place, request.cluster)
        if kept.name in self._kept:
            raise ApiError(Code.ALREADY_EXISTS, f"Already exists: {kept.name}.")
        self._quotas.require(kept.used, self.used(place.region))
        self._kept[kept.name] = kept
        return self._operations.begin(
            "CREATE_CLUSTER", kept.name, CREATE_PHASES, lambda: self._come_up(kept), lambda why: _broken(kept, why)
        )

    def _get(self, request: gke.GetClusterRequest) -> gke.Cluster:
        return self._find(request.name, "container.clusters.get").described()

    def _list(self, request: gke.ListClustersRequest) -> gke.ListClustersResponse:
        place = self._place(request.parent, "container.clusters.list")
        found = (each for _, each in sorted(self._kept.items()) if place.location in ("-", each.cluster.location))
        return gke.ListClustersResponse(clusters=[each.described() for each in found])

    def _delete(self, request: gke.DeleteClusterRequest) -> gke.Operation:
        kept = self._idle(request.name, "container.clusters.delete")
        kept.cluster.status = Status(Status.STOPPING)
        return self._operations.begin(
            "DELETE_CLUSTER", kept.name, DELETE_PHASES, lambda: self._go(kept), lambda why: _broken(kept, why)
        )

    def _update(self, request: gke.UpdateClusterRequest) -> gke.Operation:
        kept = self._idle(request.name, "container.clusters.update")
        if "desired_release_channel" not in request.update:
            raise ApiError(Code.UNIMPLEMENTED, "Of updates only that of the release channel is rehearsed.")
        channel = gke.ReleaseChannel(request.update.desired_release_channel)

        def change() -> None:
            kept.cluster.release_channel = channel

        return self._operations.begin("UPDATE_CLUSTER", kept.name, CHANGE_PHASES, change, _unchanged)

    def _label(self, request: gke.SetLabelsRequest) -> gke.Operation:
        kept = self._idle(request.name, "container.clusters.update")
        if request.label_fingerprint != kept.cluster.label_fingerprint:
            raise ApiError(Code.FAILED_PRECONDITION, "Labels could not be set due to fingerprint mismatch.")
        for what in wrong_labels(request.resource_labels):
            raise ApiError(Code.INVALID_ARGUMENT, what)
        labels = dict(request.resource_labels)
        return self._operations.begin(
            "SET_LABELS", kept.name, CHANGE_PHASES, lambda: labelled(kept.cluster, labels), _unchanged
        )

    def _resize(self, request: gke.SetNodePoolSizeRequest) -> gke.Operation:
        name, _, pool_name = request.name.rpartition("/nodePools/")
        kept = self._idle(name, "container.clusters.update")
        pool = next((each for each in kept.cluster.node_pools if each.name == pool_name), None)
        if pool is None:
            raise ApiError(Code.NOT_FOUND, f"Not found: {request.name}.")
        for what in wrong_count(request.node_count):
            raise ApiError(Code.INVALID_ARGUMENT, what)
        self._require_more(kept, pool, request.node_count)

        def resize() -> None:
            pool.initial_node_count = request.node_count

        return self._operations.begin("SET_NODE_POOL_SIZE", kept.name, CHANGE_PHASES, resize, _unchanged)

    def _require_more(self, kept: Kept, pool: gke.NodePool, count: int) -> None:
        """Raises ApiError if the quotas do not allow so many nodes more."""
        added = gke.NodePool(pool)
        added.initial_node_count = max(0, count - pool.initial_node_count)
        more = taken(gke.Cluster(node_pools=[added], locations=kept.cluster.locations))
        self._quotas.require(more, self.used(kept.place.region))

    def _come_up(self, kept: Kept) -> None:
        """Raises FailedError if its API cannot be listened for."""
        cluster, address = kept.cluster, self._addresses.take()
        account = self._project.nodes if kept.account == "default" else kept.account
        wanted = Wanted(cluster.name, address, account, kept.nodes, *kept.machine.room)
        try:
            kept.plane = self._planes.start(wanted)
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

    def _go(self, kept: Kept) -> None:
        """What it has in Compute Engine for its Services stays: nobody is there any more to remove it."""
        self._left.extend(_balancers(kept))
        self._stop(kept)
        self._kept.pop(kept.name, None)

    def _stop(self, kept: Kept) -> None:
        if kept.plane is not None:
            kept.plane.stop()
            kept.plane = None
            self._addresses.give_back(kept.cluster.endpoint)

    def _idle(self, name: str, permission: str) -> Kept:
        """Raises ApiError while something is being done to it."""
        kept = self._find(name, permission)
        self._operations.require_idle(kept.name, kept.cluster.name)
        return kept

    def _find(self, name: str, permission: str) -> Kept:
        place = self._place(name, permission)
        known = f"projects/{self._project.id}/locations/{place.location}/{place.rest}"
        with suppress(KeyError):
            return self._kept[known]
        raise ApiError(Code.NOT_FOUND, f"Not found: {name}.")

    def _place(self, name: str, permission: str) -> Place:
        place = Place.of(name)
        if not self._project.is_called(place.project):
            raise denied(permission, f"projects/{place.project}")
        return place


def _balancers(kept: Kept) -> Iterator[Piece]:
    for each in kept.plane.balancers() if kept.plane else ():
        yield from balancer(kept.place.region, each.uid, each.service, each.address, each.port)


def _broken(kept: Kept, why: FailedError) -> None:
    kept.cluster.status, kept.cluster.status_message = Status(Status.ERROR), why.message


def _unchanged(_why: FailedError) -> None:
    """A change that fails leaves a cluster as it was."""
