"""A canary on Fargate: a second service behind a target group of its own, and that group's weight in the listener.

https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ForwardActionConfig.html

Its target group is made first and deleted last, so it also holds what is known of the canary: a tag with its state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.errors import ignore_codes
from mldeploy.providers.aws.fargate.header_rule import CANARY, STABLE, HeaderRule, header_rule_key
from mldeploy.providers.aws.fargate.listener import list_listeners, read_weights
from mldeploy.providers.aws.fargate.service_removal import delete_service
from mldeploy.providers.aws.fargate.tags import is_owned, read_tags
from mldeploy.providers.aws.fargate.targets import TargetGroup, find_target_group, target_group_key
from mldeploy.providers.aws.fargate.task_definition import drop_candidates, revision_number
from mldeploy.providers.aws.fargate.tasks import ServiceState, describe_service
from mldeploy.providers.errors import canary_stands

if TYPE_CHECKING:
    from types_boto3_elbv2.type_defs import ActionTypeDef, ListenerTypeDef

STATE_TAG = "mldeploy:canary"
"""A tag on the canary's target group. Without it, the candidate was not examined to the end, and is no canary."""
EXAMINED, ABORTED, PROMOTED = "examined", "aborted", "promoted"
WHOLE = 100
SETTLE_SECONDS = 5.0
"""So long a load balancer may still send requests by its earlier weights. Assumed: docs/first-account.md."""
SESSION_SECONDS = 86400
"""How long a visitor stays with one version, where sessions are kept: as long as a target's own cookie by default."""


@dataclass(frozen=True)
class CanaryInfo:
    """What there is of a canary. group: the ARN of its target group. service: None before it is made, and afterwards.

    state: EXAMINED while it stands; ABORTED or PROMOTED while it is removed; "" before it has passed.
    """

    group: str
    state: str
    service: ServiceState | None

    @property
    def stands(self) -> bool:
        return self.state == EXAMINED and self.service is not None and self.service.status == "ACTIVE"


def service_key(app: str) -> Key:
    return Key(CANARY, (app,))


def find_canary(cloud: FargateCloud, app: str) -> CanaryInfo | None:
    """What there is of the app's canary; None for nothing. Without one, a single request."""
    group = find_target_group(cloud, app, CANARY)
    if group is None:
        return None
    arn, tags = group["TargetGroupArn"], {}
    with ignore_codes("TargetGroupNotFound"):
        for each in cloud.elb.describe_tags(ResourceArns=[arn])["TagDescriptions"]:
            tags = read_tags(each.get("Tags", ()))
    if not is_owned(tags, app):
        return None
    service = describe_service(cloud, app, CANARY)
    return CanaryInfo(arn, tags.get(STATE_TAG, ""), service if service and service.ours else None)


def settle_canary(cloud: FargateCloud, app: str, monitor: Monitor) -> None:
    """Remove what an interrupted command has left of a canary. Raises RefusedError if one stands."""
    info = find_canary(cloud, app)
    if info is None:
        return
    if info.stands and info.service:
        raise canary_stands(app, str(revision_number(info.service.newest.revision)))
    remove_canary(cloud, app, info, PROMOTED if info.state == PROMOTED else ABORTED, monitor)


def set_state(cloud: FargateCloud, group: str, state: str) -> None:
    """Note the canary's state."""
    cloud.elb.add_tags(ResourceArns=[group], Tags=[{"Key": STATE_TAG, "Value": state}])


def read_percent(cloud: FargateCloud, app: str, group: str) -> float:
    """The share of the requests that the canary's target group gets."""
    listener = _find_serving_listener(cloud, app)
    weights = read_weights(listener["DefaultActions"]) if listener else {}
    total = sum(weights.values())
    return WHOLE * weights.get(group, 0) / total if total else 0.0


def send_share(cloud: FargateCloud, app: str, group: str, percent: int, *, sticky: bool = False) -> bool:
    """Let the listener send the canary this share, 0 to 100. False if it did already.

    sticky: a visitor stays with one version. The load balancer refuses several groups that keep their visitors
    otherwise.
    """
    listener, stable = _find_serving_listener(cloud, app), find_target_group(cloud, app)
    if listener is None or stable is None or read_percent(cloud, app, group) == percent:
        return False
    action = _build_action(stable["TargetGroupArn"], group, percent, sticky=sticky)
    cloud.elb.modify_listener(ListenerArn=listener["ListenerArn"], DefaultActions=[action])
    return True


def _build_action(stable: str, group: str, percent: int, *, sticky: bool) -> ActionTypeDef:
    """With 0 %, exactly the action of a listener without a canary."""
    if not percent:
        return {"Type": "forward", "TargetGroupArn": stable}
    action: ActionTypeDef = {
        "Type": "forward",
        "ForwardConfig": {
            "TargetGroups": [
                {"TargetGroupArn": stable, "Weight": WHOLE - percent},
                {"TargetGroupArn": group, "Weight": percent},
            ]
        },
    }
    if sticky:
        action["ForwardConfig"]["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": SESSION_SECONDS}
    return action


def remove_canary(
    cloud: FargateCloud, app: str, info: CanaryInfo, state: str, monitor: Monitor, keep: str = ""
) -> None:
    """Give the serving version every request, and remove the canary. state: ABORTED or PROMOTED. May be repeated.

    An aborted one leaves no revision but `keep`. The target group, which shows that something is left, is deleted last.
    """
    retire_service(cloud, app, info, state, monitor, keep)
    for purpose in (CANARY, STABLE):
        HeaderRule.undo(cloud, header_rule_key(app, purpose), monitor)
    TargetGroup.undo(cloud, target_group_key(app, CANARY), monitor)


def retire_service(
    cloud: FargateCloud, app: str, info: CanaryInfo, state: str, monitor: Monitor, keep: str = ""
) -> None:
    """Take the requests from the canary's service and delete it; if `state` is ABORTED, its revision as well.

    keep: the ARN of a revision that is the next canary's.
    """
    moved = send_share(cloud, app, info.group, 0)
    set_state(cloud, info.group, state)
    if moved:
        monitor.progress(Progress("", "waiting until the load balancer sends it no more requests"))
        monitor.wait(SETTLE_SECONDS)
    delete_service(cloud, app, monitor, CANARY)
    serving = describe_service(cloud, app)
    if state == ABORTED and serving is not None:
        drop_candidates(cloud, app, revision_number(serving.newest.revision), keep)


def _find_serving_listener(cloud: FargateCloud, app: str) -> ListenerTypeDef | None:
    """The listener that forwards to the app; with a certificate another one sends people to it."""
    return next((each for each in list_listeners(cloud, app) if read_weights(each["DefaultActions"])), None)


def find_serving_listener_arn(cloud: FargateCloud, app: str) -> str:
    """The ARN of the listener that forwards to the app; "" if none does."""
    listener = _find_serving_listener(cloud, app)
    return listener["ListenerArn"] if listener else ""
