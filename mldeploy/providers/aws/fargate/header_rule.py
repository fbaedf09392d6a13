"""The way to one version through the load balancer: requests with a secret header go to its target group.

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
CANARY = "canary"
STABLE = "stable"
HEADER = "X-Mldeploy-Trial"
HEADERS = {TRIAL: HEADER, CANARY: "X-Mldeploy-Canary", STABLE: "X-Mldeploy-Stable"}
"""Purpose → the header that leads there."""
PRIORITIES = range(1, 101)
"""A load balancer has room for 100 rules."""


@dataclass(frozen=True)
class HeaderRoute:
    """How a request reaches the version. header, token: name and value. rule: its ARN. dns: of the load balancer."""

    rule: str
    token: Secret
    targets: str
    dns: str
    is_secure: bool
    header: str = HEADER


@translate_errors("elasticloadbalancing")
@dataclass(frozen=True, eq=False)
class HeaderRule(Step[FargateCloud, HeaderRoute]):
    """A rule of the listener that serves the app. Without a trial under way nothing is behind that for trials."""

    kind: ClassVar[str] = "trial-rule"
    title: ClassVar[str] = "Route the trial"

    app: str
    balancer: LoadBalancer
    listener: LoadBalancerListener
    """The one that forwards to the app."""
    targets: TargetGroup
    purpose: str = TRIAL

    def key(self) -> Key:
        return header_rule_key(self.app, self.purpose)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[HeaderRoute] | None:
        listener = outs.get(self.listener)
        rule = _find_rule(cloud, listener, self.purpose) if listener else None
        if rule is None:
            return None
        targets = outs.get(self.targets)
        leads = [action.get("TargetGroupArn") for action in rule["Actions"]]
        drift = (f"leads elsewhere → to the {self.purpose}",) if targets and leads != [targets] else ()
        ours = has_owner_tags(cloud, rule["RuleArn"], self.app)
        return Seen(self._build_route(rule, outs), drift, ours=ours)

    def apply(
        self, cloud: FargateCloud, outs: Outputs, seen: Seen[HeaderRoute] | None, monitor: Monitor
    ) -> HeaderRoute:
        if seen:
            action = {"Type": "forward", "TargetGroupArn": outs[self.targets]}
            cloud.elb.modify_rule(RuleArn=seen.out.rule, Actions=[action])  # type: ignore[list-item]
        else:
            self._create(cloud, outs)
        rule = _find_rule(cloud, outs[self.listener], self.purpose)
        if rule is None:
            raise RefusedError(f"listener of {self.app}", "has no room for another rule", "Remove one of its rules.")
        return self._build_route(rule, outs)

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        app, purpose = (key.scope[0], key.name) if key.scope else (key.name, TRIAL)
        rules = list(_list_owned_rules(cloud, app, purpose))
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
                    Conditions=[_build_condition(self.purpose, secrets.token_urlsafe(16))],
                    Actions=[{"Type": "forward", "TargetGroupArn": outs[self.targets]}],
                    Tags=[{"Key": key, "Value": value} for key, value in owner_tags(self.app).items()],
                )
                return
            if _find_rule(cloud, listener, self.purpose):
                return

    def _build_route(self, rule: RuleTypeDef, outs: Outputs) -> HeaderRoute:
        targets, balancer = outs.get(self.targets), outs.get(self.balancer)
        dns = balancer.dns if balancer else ""
        return HeaderRoute(
            rule["RuleArn"],
            Secret(_read_token(rule, self.purpose)),
            targets or "",
            dns,
            bool(self.listener.certificate),
            HEADERS[self.purpose],
        )


def header_rule_key(app: str, purpose: str = TRIAL) -> Key:
    return Key(app) if purpose == TRIAL else Key(purpose, (app,))


def find_token(cloud: FargateCloud, listener: str, purpose: str) -> Secret | None:
    """The value of the header that leads to the version behind a listener; None if there is no such rule."""
    rule = _find_rule(cloud, listener, purpose)
    return Secret(_read_token(rule, purpose)) if rule else None


def list_rule_purposes(cloud: FargateCloud, app: str) -> list[str]:
    """The purposes for which the app's load balancer has rules that are ours."""
    return [each for each in HEADERS if any(True for _ in _list_owned_rules(cloud, app, each))]


def _list_owned_rules(cloud: FargateCloud, app: str, purpose: str) -> Iterator[RuleTypeDef]:
    for listener in list_listeners(cloud, app):
        rule = _find_rule(cloud, listener["ListenerArn"], purpose)
        if rule is not None and has_owner_tags(cloud, rule["RuleArn"], app):
            yield rule


def _find_rule(cloud: FargateCloud, listener: str, purpose: str) -> RuleTypeDef | None:
    return next((rule for rule in _list_rules(cloud, listener) if _read_token(rule, purpose)), None)


def _list_rules(cloud: FargateCloud, listener: str) -> list[RuleTypeDef]:
    with ignore_codes("ListenerNotFound"):
        return cloud.elb.describe_rules(ListenerArn=listener)["Rules"]
    return []


def _read_token(rule: RuleTypeDef, purpose: str) -> str:
    """The header's value; "" if the rule is not one for that purpose."""
    for condition in rule.get("Conditions", ()):
        header = condition.get("HttpHeaderConfig", {})
        if header.get("HttpHeaderName", "").lower() == HEADERS[purpose].lower():
            return next(iter(header.get("Values", ())), "")
    return ""


def _build_condition(purpose: str, token: str) -> RuleConditionTypeDef:
    return {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": HEADERS[purpose], "Values": [token]}}
