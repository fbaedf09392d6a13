"""The apps on Cloud Run, by the labels of their services."""

from __future__ import annotations

from collections.abc import Iterator

from google.cloud import run_v2

from mldeploy.providers.capabilities import ListedApp
from mldeploy.providers.gcp.calls import call
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.revision_spec import parse_spec
from mldeploy.providers.gcp.cloudrun.settings import TARGET, CloudRunSettings
from mldeploy.providers.gcp.errors import gcp_errors
from mldeploy.providers.gcp.settings import APP, missing_labels


def list_apps(cloud: CloudRunCloud, settings: CloudRunSettings) -> Iterator[ListedApp[CloudRunSettings]]:
    """Yield the apps of the region, with the settings of their newest revisions. Raises GcpError, DeniedError."""
    request = run_v2.ListServicesRequest(parent=cloud.parent)
    with gcp_errors(f"services in {cloud.account.region}", "run.services.list"):
        services = [*call(cloud.account.identity, cloud.services.list_services, request)]
    for service in services:
        app = service.labels.get(APP, "")
        if app == service.name.rpartition("/")[2] and not missing_labels(service.labels, app, TARGET):
            yield ListedApp(app, settings.model_copy(update=_describe_size(service)), is_sized=True)


def _describe_size(service: run_v2.Service) -> dict[str, object]:
    """What the costs follow from."""
    spec = parse_spec(service.template)
    return {
        "cpu": spec.cpu or None,
        "memory": spec.memory or None,
        "concurrency": spec.concurrency or None,
        "min": service.scaling.min_instance_count,
        "billing": "instance" if spec.always_billed else "request",
        "gpu": spec.gpu,
        "region": service.name.split("/")[3],
    }
