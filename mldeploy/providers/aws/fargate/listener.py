"""The listeners of the load balancer: on which port it answers, and what it does with a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mldeploy.config.errors import ConfigError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate import balancer
from mldeploy.providers.aws.fargate.balancer import LoadBalancer, has_owner_tags
from mldeploy.providers.aws.fargate.certificate import DomainCertificate
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.errors import ignore_codes, translate_errors
from mldeploy.providers.aws.fargate.settings import TABLE
from mldeploy.providers.aws.fargate.tags import owner_tags
from mldeploy.providers.aws.fargate.targets import TargetGroup

if TYPE_CHECKING:
    from types_boto3_elbv2.type_defs import (
        ActionOutputTypeDef,
        ActionTypeDef,
        CreateListenerInputTypeDef,
        ListenerTypeDef,
    )

HTTP, HTTPS = 80, 443
PAIR = 2
TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
"""TLS 1.2 and 1.3. https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html"""


@translate_errors("elasticloadbalancing")
@dataclass(frozen=True, eq=False)
class LoadBalancerListener(Step[FargateCloud, str]):
    """The load balancer answers on a port: for the app, or to send people to HTTPS. Its output is the ARN."""

    kind: ClassVar[str] = "listener"
    title: ClassVar[str] = "Open the load balancer's port"

    app: str
    port: int
    certificate: str | DomainCertificate
    """ARN, or who gets one; "" on the port without encryption."""
    redirects: bool
    balancer: LoadBalancer
    targets: TargetGroup

    def key(self) -> Key:
        return Key(str(self.port), (self.app,))

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[str] | None:
        existing = find_listener(cloud, self.key())
        if existing is None:
            return None
        arn = existing["ListenerArn"]
        return Seen(arn, tuple(self._drift(existing, outs)), ours=has_owner_tags(cloud, arn, self.app))

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        """Raises ConfigError if the certificate is not there."""
        request = self._build_request(outs)
        with ignore_codes("CertificateNotFound"):
            return self._modify(cloud, seen.out, request) if seen else self._create(cloud, request)
        what = f"there is no certificate {self._find_certificate(outs)} in {cloud.account.region}"
        todo = "A certificate is of one region: request it there in ACM, or import it; then name its ARN."
        raise ConfigError(f"{TABLE}.certificate", what, todo)

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        existing = find_listener(cloud, key)
        if existing is None or not has_owner_tags(cloud, existing["ListenerArn"], key.scope[0]):
            return False
        with ignore_codes("ListenerNotFound"):
            cloud.elb.delete_listener(ListenerArn=existing["ListenerArn"])
        return True

    def _create(self, cloud: FargateCloud, request: CreateListenerInputTypeDef) -> str:
        with ignore_codes("DuplicateListener"):
            return cloud.elb.create_listener(**request)["Listeners"][0]["ListenerArn"]
        existing = find_listener(cloud, self.key())
        return existing["ListenerArn"] if existing else ""

    def _modify(self, cloud: FargateCloud, arn: str, request: CreateListenerInputTypeDef) -> str:
        changed = {key: value for key, value in request.items() if key not in ("LoadBalancerArn", "Tags")}
        cloud.elb.modify_listener(ListenerArn=arn, **changed)  # type: ignore[arg-type]
        return arn

    def _build_request(self, outs: Outputs) -> CreateListenerInputTypeDef:
        plain: CreateListenerInputTypeDef = {
            "LoadBalancerArn": outs[self.balancer].arn,
            "Port": self.port,
            "Protocol": "HTTPS" if self.certificate else "HTTP",
            "DefaultActions": [self._build_action(outs[self.targets])],
            "Tags": [{"Key": key, "Value": value} for key, value in owner_tags(self.app).items()],
        }
        if not self.certificate:
            return plain
        return {**plain, "Certificates": [{"CertificateArn": self._find_certificate(outs)}], "SslPolicy": TLS_POLICY}

    def _find_certificate(self, outs: Outputs) -> str:
        """The ARN; "" for none, and while it is not requested yet."""
        return self.certificate if isinstance(self.certificate, str) else outs.get(self.certificate) or ""

    def _build_action(self, targets: str) -> ActionTypeDef:
        if not self.redirects:
            return {"Type": "forward", "TargetGroupArn": targets}
        return {
            "Type": "redirect",
            "RedirectConfig": {"Protocol": "HTTPS", "Port": str(HTTPS), "StatusCode": "HTTP_301"},
        }

    def _drift(self, existing: ListenerTypeDef, outs: Outputs) -> Iterator[str]:
        targets = outs.get(self.targets)
        if targets and not _has_action(existing["DefaultActions"], self._build_action(targets)):
            yield "sends to HTTPS → sends to the app" if not self.redirects else "sends to the app → sends to HTTPS"
        certificates = [each["CertificateArn"] for each in existing.get("Certificates", ())]
        desired = self._find_certificate(outs)
        if certificates != ([desired] if desired else []):
            yield f"certificate {' '.join(certificates) or 'none'} → {desired or 'none'}"


def find_listener(cloud: FargateCloud, key: Key) -> ListenerTypeDef | None:
    """What listens on that port of the app's load balancer."""
    return next((each for each in list_listeners(cloud, key.scope[0]) if str(each["Port"]) == key.name), None)


def list_owned_ports(cloud: FargateCloud, app: str) -> list[str]:
    """The ports on which listeners of ours are."""
    return [str(each["Port"]) for each in list_listeners(cloud, app) if has_owner_tags(cloud, each["ListenerArn"], app)]


def list_listeners(cloud: FargateCloud, app: str) -> list[ListenerTypeDef]:
    """What listens on the ports of the app's load balancer."""
    load_balancer = balancer.find_balancer(cloud, app)
    if load_balancer is None:
        return []
    with ignore_codes("LoadBalancerNotFound"):
        return cloud.elb.describe_listeners(LoadBalancerArn=load_balancer["LoadBalancerArn"])["Listeners"]
    return []


def read_weights(actions: Iterable[ActionOutputTypeDef]) -> dict[str, int]:
    """The target groups that the first action forwards to, by ARN, with their weights; empty if it does not."""
    action = next(iter(actions), None)
    if action is None or action["Type"] != "forward":
        return {}
    groups = action.get("ForwardConfig", {}).get("TargetGroups", ())
    weights = {each["TargetGroupArn"]: each.get("Weight", 1) for each in groups if "TargetGroupArn" in each}
    return weights or {action.get("TargetGroupArn", ""): 1}


def _has_action(actions: list[ActionOutputTypeDef], desired: ActionTypeDef) -> bool:
    if len(actions) != 1 or actions[0]["Type"] != desired["Type"]:
        return False
    if desired["Type"] == "redirect":
        return True
    leads = read_weights(actions)  # beside the app's own group there may be that of a canary
    return desired["TargetGroupArn"] in leads and len(leads) <= PAIR
