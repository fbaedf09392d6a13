"""Checks of `mldeploy doctor` on Google Cloud: credentials, APIs, permissions and the repository."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from mldeploy.core.errors import MldeployError
from mldeploy.core.events import ignore
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Resource
from mldeploy.providers.capabilities import Finding, Fix, error, ok, warning
from mldeploy.providers.gcp.account import GcpProject
from mldeploy.providers.gcp.apis import ServiceApis
from mldeploy.providers.gcp.cloud import GcpCloud
from mldeploy.providers.gcp.gke import machines
from mldeploy.providers.gcp.gke.cloud import GkeCloud
from mldeploy.providers.gcp.gke.clusters import ClusterInfo, ClusterState, find_cluster
from mldeploy.providers.gcp.gke.settings import ACCELERATOR, GkeSettings
from mldeploy.providers.gcp.repositories import describe_repository
from mldeploy.providers.gcp.resource_manager import list_missing_permissions, list_roles
from mldeploy.providers.gcp.settings import missing_labels

C = TypeVar("C", bound=GcpCloud)

SECONDS = 30.0
"""Time limit, including retries of calls."""


def check_target(
    connect: Callable[[], C], services: Sequence[str], needed: Sequence[str], more: Callable[[C], Iterator[Finding]]
) -> Iterator[Finding]:
    """All checks of a target. Read-only. services, needed: its APIs and permissions. more: its own checks."""
    try:
        cloud = connect()
    except MldeployError as problem:
        yield error("credentials", problem.what, problem.todo)
        return
    yield from check_account(cloud.account, services)
    yield from check_permissions(cloud.account, needed)
    yield from check_repository(cloud)
    yield from more(cloud)


def check_account(account: GcpProject, services: Sequence[str]) -> Iterator[Finding]:
    """Check the credentials, the project and its APIs. Read-only."""
    yield ok("credentials", f"{account.identity.user} in {account.project}, {account.location}")
    try:
        yield from _check_apis(account, ServiceApis(account), services)
    except MldeployError as problem:
        yield error("project", problem.what, problem.todo)


def _check_apis(account: GcpProject, apis: ServiceApis, services: Sequence[str]) -> Iterator[Finding]:
    disabled = apis.list_disabled(services)
    yield ok("project", f"{account.project} accepts the credentials")
    if not disabled:
        yield ok("APIs", f"{', '.join(services)}: enabled")
        return
    names = " ".join(disabled)
    fix = Fix(f"enable {names}", lambda: apis.enable(disabled, _silent_monitor()))
    todo = f"Enable them: `gcloud services enable {names} --project {account.project}`, or --fix."
    yield error("APIs", f"not enabled: {', '.join(disabled)}", todo, fix)


def check_permissions(account: GcpProject, needed: Sequence[str]) -> Iterator[Finding]:
    """Check the permissions in the project. Grants on single resources are not visible there."""
    try:
        missing = list_missing_permissions(account, needed)
    except MldeployError as problem:
        yield warning("permissions", f"cannot be checked: {problem.what}", problem.todo)
        return
    if missing:
        todo = "Grant a role that includes them: `mldeploy policy` prints one."
        yield warning("permissions", f"missing in {account.project}: {', '.join(missing)}", todo)
    else:
        yield ok("permissions", f"all {len(needed)} granted")


def check_repository(cloud: GcpCloud) -> Iterator[Finding]:
    """Check whether the repository exists and belongs to the app. Read-only."""
    try:
        yield _repository_finding(cloud)
    except MldeployError as problem:
        yield error("repository", problem.what, problem.todo)


def _repository_finding(cloud: GcpCloud) -> Finding:
    name, repository = cloud.repository, describe_repository(cloud, cloud.repository)
    if repository is None:
        return ok("repository", f"{name} does not exist yet: `mldeploy push` creates it")
    if not repository.is_docker:
        todo = "Choose another name (`repository` in the target's table)."
        return error("repository", f"{name} exists, but is not a Docker repository", todo)
    missing = missing_labels(repository.labels, cloud.app, cloud.target)
    if missing and cloud.target == "gar":
        todo = (
            "Choose another name (`repository` in the target's table), or set these labels to let mldeploy manage it."
        )
        return error("repository", f"{name} is there, and mldeploy did not make it ({', '.join(missing)})", todo)
    return ok("repository", f"{name} is the project's, and is used" if missing else f"{name} is the app's")


def _silent_monitor() -> Monitor:
    """A monitor without listeners, for fixes outside of a deployment."""
    return Monitor(Resource("project", Key("apis")), ignore, Cancel())


ADDRESSES = "IN_USE_ADDRESSES"
CPUS = "CPUS"
SSD = "SSD_TOTAL_GB"
"""Balanced disks count, too; Hyperdisks do not. https://cloud.google.com/compute/resource-usage#disk_quota"""


def check_cluster(cloud: GkeCloud, settings: GkeSettings) -> Iterator[Finding]:
    """Check the cluster and the quotas for a new one. Read-only."""
    try:
        existing = find_cluster(cloud, cloud.cluster)
        yield _cluster_finding(cloud, settings, existing)
        if existing is None and not settings.cluster:
            yield from _check_quotas(cloud, settings)
            yield from _check_node_account(cloud, settings)
    except MldeployError as problem:
        yield error("cluster", problem.what, problem.todo)


def _cluster_finding(cloud: GkeCloud, settings: GkeSettings, existing: ClusterInfo | None) -> Finding:
    name, location = cloud.cluster, cloud.account.location
    if existing is None and settings.cluster:
        todo = "Correct `cluster` (and `region` or `zone`) in [target.gke], or remove it to create a cluster."
        return error("cluster", f"{name} does not exist in {location}", todo)
    if existing is None:
        return ok("cluster", f"{name} does not exist in {location} yet: `mldeploy deploy` creates it")
    if existing.state is not ClusterState.RUNNING:
        return warning("cluster", f"{name} {existing.state.value} {existing.complaint}".rstrip())
    if settings.cluster:
        return ok("cluster", f"{name} is running")
    if missing := existing.missing_labels(cloud.app):
        todo = "Set `cluster` in [target.gke] to use it, or rename the app."
        return error("cluster", f"{name} exists, but mldeploy did not create it ({', '.join(missing)})", todo)
    return ok("cluster", f"{name} is running and belongs to the app")


def _check_quotas(cloud: GkeCloud, settings: GkeSettings) -> Iterator[Finding]:
    """Check the quotas of the region for the nodes, their disks and their addresses."""
    region = cloud.account.region
    existing = cloud.compute.quotas(region)
    if gpu := settings.node_labels().get(ACCELERATOR, ""):
        yield check_gpu_quota(region, gpu, settings.gpu, existing)
    for metric, needed in _required_quotas(settings).items():
        used, limit = existing.get(metric, (0.0, float("inf")))
        if used + needed > limit:
            how = "a smaller `disk_size`" if metric == SSD else "fewer nodes"
            todo = f"Request an increase (console: IAM & Admin, Quotas), use {how}, or choose another region."
            what = f"{metric} in {region}: {used:g} of {limit:g} are used, and the cluster needs {needed} more"
            yield error("quota", what, todo)
        elif limit != float("inf"):
            yield ok("quota", f"{metric} in {region}: {used:g} of {limit:g} are used")


def check_gpu_quota(region: str, gpu: str, count: int, quotas: Mapping[str, tuple[float, float]]) -> Finding:
    """https://cloud.google.com/compute/resource-usage#gpu_quota: NVIDIA_L4_GPUS, NVIDIA_T4_GPUS of nvidia-tesla-t4."""
    metric = f"{gpu.replace('-tesla-', '-').replace('-', '_').upper()}_GPUS"
    if metric not in quotas:
        todo = "Choose a region that has it: https://cloud.google.com/compute/docs/gpus/gpu-regions-zones."
        return warning("GPU quota", f"{region} names no quota {metric}", todo)
    used, limit = quotas[metric]
    if used + count > limit:
        todo = "Request an increase (console: IAM & Admin, Quotas), or choose another region."
        what = f"{metric} in {region}: {used:g} of {limit:g} are used, and a pod needs {count} more"
        return error("GPU quota", what, todo)
    return ok("GPU quota", f"{metric} in {region}: {used:g} of {limit:g} are used")


NODE_ROLE = "roles/container.defaultNodeServiceAccount"
"""What the nodes need to write logs and metrics. A new project grants its default account nothing.

https://cloud.google.com/kubernetes-engine/docs/how-to/service-accounts#default-gke-service-agent
"""
_WIDER_ROLES = ("roles/container.nodeServiceAccount", "roles/editor", "roles/owner")
_NODE_ROLES = frozenset(("roles/logging.logWriter", "roles/monitoring.metricWriter"))
"""The same permissions, from two roles."""


def _check_node_account(cloud: GkeCloud, settings: GkeSettings) -> Iterator[Finding]:
    """Check whether the nodes' service account may write logs and metrics."""
    named = settings.node_service_account
    try:
        account = named or cloud.compute.default_account()
        roles = list_roles(cloud.account, account)
    except MldeployError as problem:
        yield warning("node account", f"its roles cannot be checked: {problem.what}", problem.todo)
        return
    if not roles.isdisjoint((NODE_ROLE, *_WIDER_ROLES)) or roles >= _NODE_ROLES:
        yield ok("node account", f"{account} may write logs and metrics")
        return
    command = f"gcloud projects add-iam-policy-binding {cloud.account.project}"
    todo = f"Grant it, or let an administrator: `{command} --member serviceAccount:{account} --role {NODE_ROLE}`."
    what = f"{account} has no {NODE_ROLE} in {cloud.account.project}: nodes would write no logs and metrics"
    yield warning("node account", what, todo)


def _required_quotas(settings: GkeSettings) -> dict[str, int]:
    if settings.is_autopilot:
        return {CPUS: 2, ADDRESSES: 1}
    nodes = settings.count_of_nodes * settings.zones
    solid = settings.disk_size if machines.boot_disk_type(settings.machine_type) == machines.BALANCED else 0
    return {CPUS: nodes * machines.vcpus(settings.machine_type), ADDRESSES: nodes + 1, SSD: nodes * solid}
