"""The apps on Fargate, by the tags of their services.

https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.providers.aws.errors import aws_errors
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.aws.fargate.tags import TARGET, read_tags
from mldeploy.providers.aws.fargate.task_spec import parse_task_spec
from mldeploy.providers.aws.fargate.tasks import describe_service
from mldeploy.providers.aws.tags import APP_TAG, TARGET_TAG
from mldeploy.providers.capabilities import ListedApp


def list_apps(cloud: FargateCloud, settings: FargateSettings) -> Iterator[ListedApp[FargateSettings]]:
    """Yield the apps of the region, with the settings of their tasks. The list of what is tagged may be stale."""
    with aws_errors("AWS resources by tag", "tag"):
        pages = cloud.tagging.get_paginator("get_resources").paginate(
            TagFilters=[{"Key": TARGET_TAG, "Values": [TARGET]}], ResourceTypeFilters=["ecs:service"]
        )
        tags = [read_tags(each["Tags"]) for page in pages for each in page["ResourceTagMappingList"]]
    for app in sorted({each.get(APP_TAG, "") for each in tags} - {""}):
        listed = _describe_app(cloud, app, settings)
        if listed is not None:
            yield listed


def _describe_app(cloud: FargateCloud, app: str, settings: FargateSettings) -> ListedApp[FargateSettings] | None:
    with aws_errors(app, "ecs"):
        state = describe_service(cloud, app)
        if state is None or not state.ours:
            return None
        definition = cloud.ecs.describe_task_definition(taskDefinition=state.newest.revision)["taskDefinition"]
    spec = parse_task_spec(definition)
    runs = {
        "cpu": spec.size.cpu,
        "memory": spec.size.memory,
        "instances": state.desired or None,
        "ingress": "load-balancer" if state.target_groups else "public-ip",
        "domain": "",
        "certificate": "",
    }
    return ListedApp(app, settings.model_copy(update=runs), is_sized=bool(state.desired))
