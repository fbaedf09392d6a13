"""From a task to the address at which it answers: task → network interface → public IP."""

from __future__ import annotations

from collections.abc import Iterable

from mldeploy.providers.aws.fargate import balancer, listener
from mldeploy.providers.aws.fargate.answers import passing
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.task_definition import describe
from mldeploy.providers.aws.fargate.tasks import Task, service, tasks


def url_of(cloud: FargateCloud, app: str, domain: str) -> str:
    """Where the app answers now: at its load balancer, or at the newest of its healthy tasks; "" while none runs.

    domain: the host name that leads to the load balancer, for which its certificate is.
    """
    running = [task for task in tasks(cloud, app) if task.status == "RUNNING"]
    state = service(cloud, app)
    if running and state and state.target_groups:
        return balanced_url(cloud, app, domain)
    return next((url for url in urls(cloud, app, running).values() if url), "")


def balanced_url(cloud: FargateCloud, app: str, domain: str) -> str:
    """Where the load balancer answers; "" if there is none."""
    found = balancer.find(cloud, app)
    if found is None:
        return ""
    if domain and str(listener.HTTPS) in listener.ports(cloud, app):
        return f"https://{domain}"
    return f"http://{found['DNSName']}"


def urls(cloud: FargateCloud, app: str, running: Iterable[Task]) -> dict[str, str]:
    """Where each task answers, "" if nowhere, by its ARN; the healthy ones first. The port is its own revision's."""
    ordered = sorted(running, key=lambda task: task.health == "HEALTHY", reverse=True)
    ips = public_ips(cloud, ordered)
    ports = {revision: describe(cloud, revision, app)[0].port for revision in {task.revision for task in ordered}}
    return {task.arn: f"http://{ips[task.arn]}:{ports[task.revision]}" if task.arn in ips else "" for task in ordered}


def public_ips(cloud: FargateCloud, tasks: Iterable[Task]) -> dict[str, str]:
    """The public IP of each task that has one, by the task's ARN."""
    interfaces = {task.interface: task.arn for task in tasks if task.interface}
    if not interfaces:
        return {}
    with passing("InvalidNetworkInterfaceID.NotFound"):  # one that is just going takes the others' answer with it
        return _ips(cloud, interfaces)
    found: dict[str, str] = {}
    for interface, arn in interfaces.items():
        with passing("InvalidNetworkInterfaceID.NotFound"):
            found |= _ips(cloud, {interface: arn})
    return found


def _ips(cloud: FargateCloud, interfaces: dict[str, str]) -> dict[str, str]:
    found = cloud.ec2.describe_network_interfaces(NetworkInterfaceIds=list(interfaces))["NetworkInterfaces"]
    ips = {interfaces[each["NetworkInterfaceId"]]: each.get("Association", {}).get("PublicIp", "") for each in found}
    return {arn: ip for arn, ip in ips.items() if ip}
