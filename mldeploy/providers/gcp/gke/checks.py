"""What `mldeploy doctor` looks at besides the registry: whether a cluster can be had, or the one that is used runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mldeploy.core.errors import MldeployError
from mldeploy.providers.checks import Finding, error, ok, warning
from mldeploy.providers.gcp.gke.cloud import GkeCloud
from mldeploy.providers.gcp.gke.clusters import Found, State, find
from mldeploy.providers.gcp.gke.settings import GkeSettings

VCPUS: Mapping[str, int] = {"e2-micro": 2, "e2-small": 2, "e2-medium": 2}
"""Of machine types whose name does not end with the number."""
ADDRESSES = "IN_USE_ADDRESSES"
CPUS = "CPUS"


def cluster(cloud: GkeCloud, settings: GkeSettings) -> Iterator[Finding]:
    """Reads only."""
    try:
        found = find(cloud, cloud.cluster)
        yield _cluster(cloud, settings, found)
        if found is None and not settings.cluster:
            yield from _quotas(cloud, settings)
    except MldeployError as problem:
        yield error("cluster", problem.what, problem.todo)


def _cluster(cloud: GkeCloud, settings: GkeSettings, found: Found | None) -> Finding:
    name, place = cloud.cluster, cloud.account.location
    if found is None and settings.cluster:
        todo = "Correct `cluster` (and `region` or `zone`) in [target.gke], or leave it out: then one is made."
        return error("cluster", f"there is no {name} in {place}", todo)
    if found is None:
        return ok("cluster", f"there is no {name} in {place} yet: `mldeploy deploy` makes it")
    if found.state is not State.RUNNING:
        return warning("cluster", f"{name} {found.state.value} {found.complaint}".rstrip())
    if settings.cluster:
        return ok("cluster", f"{name} runs, and is used")
    if missing := found.missing(cloud.app):
        todo = "Name it as the one to use (`cluster` in [target.gke]), or call the app otherwise."
        return error("cluster", f"{name} is there, and mldeploy did not make it ({', '.join(missing)})", todo)
    return ok("cluster", f"{name} runs, and is the app's")


def _quotas(cloud: GkeCloud, settings: GkeSettings) -> Iterator[Finding]:
    """Whether the nodes, and an address for each, are within what the region allows the project."""
    region = cloud.account.region
    found = cloud.compute.quotas(region)
    for metric, needed in _needed(settings).items():
        used, limit = found.get(metric, (0.0, float("inf")))
        if used + needed > limit:
            todo = "Ask for more (console: IAM & Admin, Quotas), use fewer nodes, or another region."
            what = f"{metric} in {region}: {used:g} of {limit:g} are used, and the cluster needs {needed} more"
            yield error("quota", what, todo)
        elif limit != float("inf"):
            yield ok("quota", f"{metric} in {region}: {used:g} of {limit:g} are used")


def _needed(settings: GkeSettings) -> dict[str, int]:
    if settings.is_autopilot:
        return {CPUS: 2, ADDRESSES: 1}
    nodes = settings.count_of_nodes * settings.zones
    last = settings.machine_type.rpartition("-")[2]
    each = VCPUS.get(settings.machine_type) or (int(last) if last.isdigit() else 1)
    return {CPUS: nodes * each, ADDRESSES: nodes + 1}
