"""The record that leads from the app's domain to its load balancer.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/routing-to-elb-load-balancer.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate.balancer import LoadBalancer, find_balancer, has_owner_tags
from mldeploy.providers.aws.fargate.certificate import DomainCertificate, list_certificates
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.dns import (
    HostedZone,
    change_record,
    check_records,
    find_zone,
    leads_to,
    list_records,
)
from mldeploy.providers.aws.fargate.errors import ignore_codes, translate_errors

if TYPE_CHECKING:
    from types_boto3_elbv2.type_defs import LoadBalancerTypeDef
    from types_boto3_route53.type_defs import ResourceRecordSetOutputTypeDef, ResourceRecordSetTypeDef


@translate_errors("route53")
@dataclass(frozen=True, eq=False)
class DomainRecord(Step[FargateCloud, str]):
    """The domain leads to the load balancer. Its output is the name of the zone; "" if that is not in this account."""

    kind: ClassVar[str] = "domain-record"
    title: ClassVar[str] = "Point the domain to the load balancer"

    app: str
    domain: str
    zone: HostedZone
    balancer: LoadBalancer
    certificate: DomainCertificate
    """The domain leads here once it can be answered for."""

    def key(self) -> Key:
        return Key(self.domain, (self.app,))

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[str] | None:
        zone = outs.get(self.zone)
        if zone is None:
            return None
        if not zone.id:
            return Seen("", ours=False)  # its record is the user's
        existing = find_balancer(cloud, self.app)
        there = [each for each in list_records(cloud.dns, zone, self.domain) if leads_to(each, existing)]
        return Seen(zone.name, ours=_is_alias(there[0])) if there else None

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        """Raises RefusedError if the domain leads elsewhere meanwhile."""
        zone, balancer = outs[self.zone], find_balancer(cloud, self.app)
        check_records(cloud.dns, zone, self.domain, balancer)
        if balancer is not None and not list(list_records(cloud.dns, zone, self.domain)):
            change_record(cloud.dns, zone, "CREATE", _build_alias(self.domain, balancer))
        return zone.name

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """An alias of the app's own load balancer leads nowhere without it, whoever made it."""
        app, domain = key.scope[0], key.name
        zone, owned = find_zone(cloud.dns, domain), _find_alias(cloud, app, domain)
        if zone is None or owned is None:
            return False
        with ignore_codes("InvalidChangeBatch"):  # somebody was faster
            change_record(cloud.dns, zone, "DELETE", owned)  # type: ignore[arg-type]
        return True


def list_domains(cloud: FargateCloud, app: str, domains: set[str]) -> dict[str, bool]:
    """Of these domains those for which the app has a certificate, and whether an alias leads to its load balancer."""
    return {
        each: _find_alias(cloud, app, each) is not None
        for each in sorted(domains)
        if any(True for _ in list_certificates(cloud, app, each))
    }


def _find_alias(cloud: FargateCloud, app: str, domain: str) -> ResourceRecordSetOutputTypeDef | None:
    balancer, zone = find_balancer(cloud, app), find_zone(cloud.dns, domain)
    if zone is None or balancer is None or not has_owner_tags(cloud, balancer["LoadBalancerArn"], app):
        return None
    listed = list_records(cloud.dns, zone, domain)
    return next((each for each in listed if _is_alias(each) and leads_to(each, balancer)), None)


def _is_alias(record: ResourceRecordSetOutputTypeDef) -> bool:
    return record["Type"] == "A" and "AliasTarget" in record


def _build_alias(domain: str, balancer: LoadBalancerTypeDef) -> ResourceRecordSetTypeDef:
    return {
        "Name": domain,
        "Type": "A",
        "AliasTarget": {
            "HostedZoneId": balancer["CanonicalHostedZoneId"],
            "DNSName": balancer["DNSName"],
            "EvaluateTargetHealth": False,
        },
    }
