"""The listeners of the load balancer: on which port it answers, and what it does with a request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mldeploy.config.errors import ConfigError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate import balancer
from mldeploy.providers.aws.fargate.answers import passing, speaking_to
from mldeploy.providers.aws.fargate.balancer import LoadBalancer, tagged
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.settings import TABLE
from mldeploy.providers.aws.fargate.tags import belonging
from mldeploy.providers.aws.fargate.targets import TargetGroup

if TYPE_CHECKING:
    from types_boto3_elbv2.type_defs import (
        ActionOutputTypeDef,
        ActionTypeDef,
        CreateListenerInputTypeDef,
        ListenerTypeDef,
    )

HTTP, HTTPS = 80, 443
TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
"""TLS 1.2 and 1.3. https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html"""


@speaking_to("elasticloadbalancing")
@dataclass(frozen=True, eq=False)
class Listener(Step[FargateCloud, str]):
    """The load balancer answers on a port: for the app, or to send people to HTTPS. Its output is the ARN."""

    kind: ClassVar[str] = "listener"
    title: ClassVar[str] = "Open the load balancer's port"

    app: str
    port: int
    certificate: str
    """ARN; "" on the port without encryption."""
    redirects: bool
    balancer: LoadBalancer
    targets: TargetGroup

    def key(self) -> Key:
        return Key(str(self.port), (self.app,))

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[str] | None:
        found = find(cloud, self.key())
        if found is None:
            return None
        arn = found["ListenerArn"]
        return Seen(arn, tuple(self._drift(found, outs)), ours=tagged(cloud, arn, self.app))

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        """Raises ConfigError if the certificate is not there."""
        wanted = self._wanted(outs)
        with passing("CertificateNotFound"):
            return self._modify(cloud, seen.out, wanted) if seen else self._create(cloud, wanted)
        what = f"there is no certificate {self.certificate} in {cloud.account.region}"
        todo = "A certificate is of one region: request it there in ACM, or import it; then name its ARN."
        raise ConfigError(f"{TABLE}.certificate", what, todo)

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        found = find(cloud, key)
        if found is None or not tagged(cloud, found["ListenerArn"], key.scope[0]):
            return False
        with passing("ListenerNotFound"):
            cloud.elb.delete_listener(ListenerArn=found["ListenerArn"])
        return True

    def _create(self, cloud: FargateCloud, wanted: CreateListenerInputTypeDef) -> str:
        with passing("DuplicateListener"):
            return cloud.elb.create_listener(**wanted)["Listeners"][0]["ListenerArn"]
        found = find(cloud, self.key())
        return found["ListenerArn"] if found else ""

    def _modify(self, cloud: FargateCloud, arn: str, wanted: CreateListenerInputTypeDef) -> str:
        changed = {key: value for key, value in wanted.items() if key not in ("LoadBalancerArn", "Tags")}
        cloud.elb.modify_listener(ListenerArn=arn, **changed)  # type: ignore[arg-type]
        return arn

    def _wanted(self, outs: Outputs) -> CreateListenerInputTypeDef:
        plain: CreateListenerInputTypeDef = {
            "LoadBalancerArn": outs[self.balancer].arn,
            "Port": self.port,
            "Protocol": "HTTPS" if self.certificate else "HTTP",
            "DefaultActions": [self._action(outs[self.targets])],
            "Tags": [{"Key": key, "Value": value} for key, value in belonging(self.app).items()],
        }
        if not self.certificate:
            return plain
        return {**plain, "Certificates": [{"CertificateArn": self.certificate}], "SslPolicy": TLS_POLICY}

    def _action(self, targets: str) -> ActionTypeDef:
        if not self.redirects:
            return {"Type": "forward", "TargetGroupArn": targets}
        return {
            "Type": "redirect",
            "RedirectConfig": {"Protocol": "HTTPS", "Port": str(HTTPS), "StatusCode": "HTTP_301"},
        }

    def _drift(self, found: ListenerTypeDef, outs: Outputs) -> Iterator[str]:
        targets = outs.get(self.targets)
        if targets and not _does(found["DefaultActions"], self._action(targets)):
            yield "sends to HTTPS → sends to the app" if not self.redirects else "sends to the app → sends to HTTPS"
        certificates = [each["CertificateArn"] for each in found.get("Certificates", ())]
        if certificates != ([self.certificate] if self.certificate else []):
            yield f"certificate {' '.join(certificates) or 'none'} → {self.certificate or 'none'}"


def find(cloud: FargateCloud, key: Key) -> ListenerTypeDef | None:
    """What listens on that port of the app's load balancer."""
    return next((each for each in _all(cloud, key.scope[0]) if str(each["Port"]) == key.name), None)


def ports(cloud: FargateCloud, app: str) -> list[str]:
    """The ports on which listeners of ours are."""
    return [str(each["Port"]) for each in _all(cloud, app) if tagged(cloud, each["ListenerArn"], app)]


def _all(cloud: FargateCloud, app: str) -> list[ListenerTypeDef]:
    found = balancer.find(cloud, app)
    if found is None:
        return []
    with passing("LoadBalancerNotFound"):
        return cloud.elb.describe_listeners(LoadBalancerArn=found["LoadBalancerArn"])["Listeners"]
    return []


def _does(found: list[ActionOutputTypeDef], wanted: ActionTypeDef) -> bool:
    if len(found) != 1 or found[0]["Type"] != wanted["Type"]:
        return False
    return found[0].get("TargetGroupArn") == wanted.get("TargetGroupArn") or wanted["Type"] == "redirect"
