"""The removal of a service, of the app's own or of its canary's."""

from __future__ import annotations

from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.errors import ignore_codes, wait_until_gone
from mldeploy.providers.aws.fargate.tags import resource_name
from mldeploy.providers.aws.fargate.tasks import describe_service, list_tasks, service_name


def delete_service(cloud: FargateCloud, app: str, monitor: Monitor, purpose: str = "") -> bool:
    """Stop every task of a service of ours, and return once their network interfaces are released.

    May be repeated; False if there is no such service. Raises LeftoversError, CancelledError on a stop.
    """
    state = describe_service(cloud, app, purpose)
    if state is None or not state.ours:
        return False
    name = service_name(app, purpose)
    interfaces = [task.interface for task in list_tasks(cloud, app, purpose=purpose) if task.interface]
    with ignore_codes("ServiceNotFoundException", "ServiceNotActiveException", "ClusterNotFoundException"):
        if state.status != "DRAINING":
            cloud.ecs.delete_service(cluster=resource_name(app), service=name, force=True)
    monitor.progress(Progress("", "waiting until its tasks have stopped"))
    wait_until_gone(
        monitor,
        name,
        lambda: describe_service(cloud, app, purpose) is None and not list_tasks(cloud, app, purpose=purpose),
    )
    monitor.progress(Progress("", "waiting until the network interfaces are released"))
    wait_until_gone(monitor, name, lambda: not _are_attached(cloud, interfaces))
    return True


def _are_attached(cloud: FargateCloud, interfaces: list[str]) -> bool:
    if not interfaces:
        return False
    with ignore_codes("InvalidNetworkInterfaceID.NotFound"):
        filters = [{"Name": "network-interface-id", "Values": interfaces}]
        return bool(cloud.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"])  # type: ignore[arg-type]
    return False
