"""A service account of a rehearsed cluster that may do exactly what `mldeploy policy` prints."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.secret import Secret
from mldeploy.providers.kubernetes.api import KubeClient
from mldeploy.providers.kubernetes.kubeconfig import authenticate
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.permissions import build_policy
from mldeploy.rehearsal.kubernetes import KubernetesRehearsal
from tests.kubernetes.stand_in import StandIn
from tests.rehearsal.kubernetes.cluster import GATEWAYS, RBAC, Cluster

ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
BOTH = ("Role", "ClusterRole")


def deployer_endpoints(cluster: Cluster) -> Endpoints:
    """Create the account, and return the cluster's endpoints with its token. Nothing is allowed to it yet."""
    cluster.ask("POST", ACCOUNTS, {"metadata": {"name": "deployer"}})
    token = cluster.ask("POST", f"{ACCOUNTS}/deployer/token", {"spec": {}})["status"]["token"]
    given = cluster.rehearsal.endpoints
    others = (each for each in given.credentials if each[0] != "token")
    return replace(given, credentials=(*others, ("token", Secret(token))))


def grant(
    cluster: Cluster,
    app: str,
    without: frozenset[tuple[str, str]] = frozenset(),
    *,
    kinds: Collection[str] = BOTH,
) -> None:
    """Create the app's namespace, and allow what its policy does, except for some verbs on some resources."""
    cluster.create_space(app)
    for role in json.loads(json.dumps(build_policy(Owner(app, "kubernetes"), app)))["items"]:
        for rule in role["rules"]:
            rule["verbs"] = [each for each in rule["verbs"] if (each, rule["resources"][0]) not in without]
        role["rules"] = [rule for rule in role["rules"] if rule["verbs"]]
        kind, name = role["kind"], role["metadata"]["name"]
        if kind not in kinds:
            continue
        inside = f"/namespaces/{app}" if kind == "Role" else ""
        cluster.ask("POST", f"{RBAC}{inside}/{kind.lower()}s", role)
        subject = {"kind": "ServiceAccount", "name": "deployer", "namespace": "default"}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
        binding = {"metadata": {"name": name}, "subjects": [subject], "roleRef": reference}
        cluster.ask("POST", f"{RBAC}{inside}/{kind.lower()}bindings", binding)


@dataclass(frozen=True)
class Restricted(StandIn):
    """For a service account with the printed Role alone."""

    app: str = ""
    _given: list[Endpoints] = field(default_factory=list)

    @property
    def endpoints(self) -> Endpoints:
        return self._given[-1] if self._given else self.rehearsal.endpoints

    @property
    def kube(self) -> KubeClient:
        """An administrator's."""
        return authenticate("", self.rehearsal.endpoints).kube

    def reset(self) -> None:
        super().reset()
        with Cluster.of(self.rehearsal) as cluster:
            self._given.append(deployer_endpoints(cluster))
            grant(cluster, self.app, kinds=["Role"])


def add_gateway(rehearsal: KubernetesRehearsal) -> None:
    """Create a Gateway that everybody may use, as an administrator."""
    listener = {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}
    public = {"metadata": {"name": "public"}, "spec": {"gatewayClassName": "nginx", "listeners": [listener]}}
    with Cluster.of(rehearsal) as cluster:
        cluster.create_space("infra")
        cluster.ask("POST", f"{GATEWAYS}/namespaces/infra/gateways", public)
