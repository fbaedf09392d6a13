"""The way to a trial through the load balancer: requests with a secret header go to a target group of their own.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mldeploy.config.secret import Secret
from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate.balancer import LoadBalancer, has_owner_tags
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.errors import ignore_codes, translate_errors
from mldeploy.providers.aws.fargate.listener import LoadBalancerListener, list_listeners
from mldeploy.providers.aws.fargate.tags import owner_tags
from mldeploy.providers.aws.fargate.targets import TargetGroup

if TYPE_CHECKING:
    from types_boto3_elbv2.type_defs import RuleConditionTypeDef, RuleTypeDef

TRIAL = "trial"
HEADER = "X-Mldeploy-Trial"
PRIORITIES = range(1, 101)
"""A load balancer has room for 100 rules."""


@dataclass(frozen=True)
class TrialRoute:
    """How a request reaches the trial. token: the header's value. rule: its ARN. dns: of the load balancer."""

    rule: str
    token: Secret
    targets: str
    dns: str
    is_secure: bool


@translate_errors("elasticloadbalancing")
@dataclass(frozen=True, eq=False)
class TrialRule(Step[FargateCloud, TrialRoute]):
    """A rule of the listener that serves the app. Without a trial under way nothing is behind it."""

    kind: ClassVar[str] = "trial-rule"
    title: ClassVar[str] = "Route the trial"

    app: str
    balancer: LoadBalancer
    listener: LoadBalancerListener
    """The one that forwards to the app."""
    targets: TargetGroup

    def key(self) -> Key:
        return Key(self.app)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[TrialRoute] | None:
        listener = outs.get(self.listener)
        rule = _find_rule(cloud, listener) if listener else None
        if rule is None:
            return None
        targets = outs.get(self.targets)
        leads = [action.get("TargetGroupArn") for action in rule["Actions"]]
        drift = ("leads elsewhere → to the trial",) if targets and leads != [targets] else ()
        ours = has_owner_tags(cloud, rule["RuleArn"], self.app)
        return Seen(self._build_route(rule, outs), drift, ours=ours)

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[TrialRoute] | None, monitor: Monitor) -> TrialRoute:
        if seen:
            action = {"Type": "forward", "TargetGroupArn": outs[self.targets]}
            cloud.elb.modify_rule(RuleArn=seen.out.rule, Actions=[action])  # type: ignore[list-item]
        else:
            self._create(cloud, outs)
        rule = _find_rule(cloud, outs[self.listener])
        if rule is None:
            raise RefusedError(f"listener of {self.app}", "has no room for another rule", "Remove one of its rules.")
        return self._build_route(rule, outs)

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        rules = list(_list_owned_rules(cloud, key.name))
        for rule in rules:
            with ignore_codes("RuleNotFound"):
                cloud.elb.delete_rule(RuleArn=rule["RuleArn"])
        return bool(rules)

    def _create(self, cloud: FargateCloud, outs: Outputs) -> None:
        """With the first priority that no rule has; a repeated request finds it taken by the first one."""
        listener = outs[self.listener]
        taken = {rule["Priority"] for rule in _list_rules(cloud, listener)}
        for priority in (each for each in PRIORITIES if str(each) not in taken):
            with ignore_codes("PriorityInUse"):
                cloud.elb.create_rule(
                    ListenerArn=listener,
                    Priority=priority,
                    Conditions=[_build_condition(secrets.token_urlsafe(16))],
                    Actions=[{"Type": "forward", "TargetGroupArn": outs[self.targets]}],
                    Tags=[{"Key": key, "Value": value} for key, value in owner_tags(self.app).items()],
                )
                return
            if _find_rule(cloud, listener):
                return

    def _build_route(self, rule: RuleTypeDef, outs: Outputs) -> TrialRoute:
        targets, balancer = outs.get(self.targets), outs.get(self.balancer)
        dns = balancer.dns if balancer else ""
        return TrialRoute(
            rule["RuleArn"], Secret(_read_token(rule)), targets or "", dns, bool(self.listener.certificate)
        )


def owned_rule_exists(cloud: FargateCloud, app: str) -> bool:
    """The app's load balancer has a rule for trials that is ours."""
    return any(True for _ in _list_owned_rules(cloud, app))


def _list_owned_rules(cloud: FargateCloud, app: str) -> Iterator[RuleTypeDef]:
    for listener in list_listeners(cloud, app):
        rule = _find_rule(cloud, listener["ListenerArn"])
        if rule is not None and has_owner_tags(cloud, rule["RuleArn"], app):
            yield rule


def _find_rule(cloud: FargateCloud, listener: str) -> RuleTypeDef | None:
    return next((rule for rule in _list_rules(cloud, listener) if _read_token(rule)), None)


def _list_rules(cloud: FargateCloud, listener: str) -> list[RuleTypeDef]:
    with ignore_codes("ListenerNotFound"):
        return cloud.elb.describe_rules(ListenerArn=listener)["Rules"]
    return []


def _read_token(rule: RuleTypeDef) -> str:
    """The header's value; "" if the rule is not one for trials."""
    for condition in rule.get("Conditions", ()):
        header = condition.get("HttpHeaderConfig", {})
        if header.get("HttpHeaderName", "").lower() == HEADER.lower():
            return next(iter(header.get("Values", ())), "")
    return ""


def _build_condition(token: str) -> RuleConditionTypeDef:
    return {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": HEADER, "Values": [token]}}
