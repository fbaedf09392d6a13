"""What a cluster is to be: pure. https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters"""

from __future__ import annotations

from collections.abc import Mapping

from google.cloud.container_v1 import types

from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.providers.gcp.identity import SCOPES

POOL = "default-pool"
"""GKE's own name for a cluster's first node pool."""
CHANNELS: Mapping[str, int] = {
    "rapid": types.ReleaseChannel.Channel.RAPID,
    "regular": types.ReleaseChannel.Channel.REGULAR,
    "stable": types.ReleaseChannel.Channel.STABLE,
    "extended": types.ReleaseChannel.Channel.EXTENDED,
}


def cluster(name: str, project: str, settings: GkeSettings, labels: Mapping[str, str]) -> types.Cluster:
    """The cluster as it is asked for. The labels go from it to its nodes and their disks."""
    made = types.Cluster(
        name=name,
        description="Made by mldeploy",
        resource_labels=dict(labels),
        release_channel=types.ReleaseChannel(channel=CHANNELS[settings.release_channel]),
        network=settings.network,
        ip_allocation_policy=types.IPAllocationPolicy(use_ip_aliases=True),
        workload_identity_config=types.WorkloadIdentityConfig(workload_pool=f"{project}.svc.id.goog"),
    )
    if settings.is_autopilot:
        made.autopilot = types.Autopilot(enabled=True)
        made.autoscaling = types.ClusterAutoscaling(
            autoprovisioning_node_pool_defaults=types.AutoprovisioningNodePoolDefaults(
                service_account=settings.node_service_account, oauth_scopes=SCOPES
            )
        )
    else:
        made.node_pools = [_pool(settings)]
    return made


def _pool(settings: GkeSettings) -> types.NodePool:
    config = types.NodeConfig(
        machine_type=settings.machine_type,
        service_account=settings.node_service_account,
        oauth_scopes=SCOPES,
        workload_metadata_config=types.WorkloadMetadataConfig(mode=types.WorkloadMetadataConfig.Mode.GKE_METADATA),
        shielded_instance_config=types.ShieldedInstanceConfig(
            enable_secure_boot=True, enable_integrity_monitoring=True
        ),
    )
    return types.NodePool(
        name=POOL,
        initial_node_count=settings.count_of_nodes,
        config=config,
        management=types.NodeManagement(auto_upgrade=True, auto_repair=True),
    )
