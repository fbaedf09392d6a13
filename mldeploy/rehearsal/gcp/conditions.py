"""What differs between projects: their networks, and how late and how talkative their services are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mldeploy.rehearsal.gcp.errors import ApiError, Code
from mldeploy.rehearsal.gcp.project import StandInProject

SERVICE_KEYS = ("networking.gke.io/service-name", "kubernetes.io/service-name")
"""The key of a Service in the description of its forwarding rule, today and with a target pool.

https://github.com/kubernetes/ingress-gce/blob/master/pkg/utils/utils.go, L4ILBServiceDescKey
"""
NEW_PROJECT: Mapping[str, float] = {"CPUS": 12.0, "IN_USE_ADDRESSES": 8.0, "SSD_TOTAL_GB": 500.0}
"""The limits of a new project in each region. https://cloud.google.com/compute/resource-usage#view_quotas"""
LATE_SECONDS = 0.5


class ProjectConditions:
    """The conditions in the project. `reset` restores those of a new one."""

    def __init__(self, project: StandInProject) -> None:
        self.project = project
        self._networks: dict[str, Sequence[str]] = {}
        self._keys: dict[str, str] = {}
        self._unseen: set[str] = set()
        self.is_harsh = False
        self.is_domain_restricted = False
        self.service_key = ""
        self.reset()

    def reset(self) -> None:
        self._networks = {"default": ()}
        self._keys.clear()
        self._unseen.clear()
        self.is_harsh, self.service_key = False, SERVICE_KEYS[0]
        self.is_domain_restricted = False

    def toughen(self) -> None:
        """Do what real services do sometimes, always.

        A new object is missing in the first answer, a grant takes effect late, an autoscaler refuses before it adds
        the first node, an upgrade adds nodes for a while, and forwarding rules have both spellings.
        """
        self.is_harsh = True

    def restrict_domains(self) -> None:
        """Let the organization forbid members of other domains in policies, and with them `allUsers`.

        https://cloud.google.com/resource-manager/docs/organization-policy/restricting-domains
        """
        self.is_domain_restricted = True

    def set_networks(self, networks: Mapping[str, Sequence[str]]) -> None:
        """Set the networks with their subnetworks; none: in auto mode, with one for each region."""
        self._networks = dict(networks)

    @property
    def grant_seconds(self) -> float:
        """How late a grant takes effect. https://cloud.google.com/iam/docs/access-change-propagation"""
        return LATE_SECONDS if self.is_harsh else 0.0

    @property
    def surge_nodes(self) -> int:
        """How many nodes an upgrade adds. https://cloud.google.com/kubernetes-engine/docs/concepts/node-pool-upgrade-strategies"""
        return 1 if self.is_harsh else 0

    def add(self, name: str) -> None:
        """An object is created."""
        if self.is_harsh:
            self._unseen.add(name)

    def is_missing(self, name: str) -> bool:
        """Whether the first answer after its creation does not know an object yet."""
        if name not in self._unseen:
            return False
        self._unseen.discard(name)
        return True

    def service_key_of(self, uid: str) -> str:
        """The spelling in the description of the forwarding rules of a Service. uid: of the Service."""
        if not self.is_harsh:
            return self.service_key
        self._keys.setdefault(uid, SERVICE_KEYS[len(self._keys) % len(SERVICE_KEYS)])
        return self._keys[uid]

    def check_network(self, network: str, subnetwork: str) -> None:
        """Raise ApiError for a network that a cluster cannot use.

        The messages: https://github.com/agones-dev/agones/issues/1641, https://github.com/jenkins-x/jx/issues/908,
        https://github.com/opstrace/opstrace/issues/1288
        """
        for what in self._wrong_network(network or "default", subnetwork):
            raise ApiError(Code.INVALID_ARGUMENT, what)

    def _wrong_network(self, network: str, subnetwork: str) -> Iterator[str]:
        name = network.rpartition("/")[2]
        if name not in self._networks:
            yield f'project "{self.project.id}" has no network named "{name}".'
            return
        subnetworks = self._networks[name] or (name,)
        if not subnetwork and name not in subnetworks:
            yield f'Network "{name}" requires specifying a subnetwork.'
        if subnetwork and subnetwork.rpartition("/")[2] not in subnetworks:
            full = f"projects/{self.project.id}/regions/us-central1/subnetworks/{subnetwork.rpartition('/')[2]}"
            yield f'Subnetwork "{full}" is not valid for Network "{name}".'
