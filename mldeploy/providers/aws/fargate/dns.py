"""The DNS zone of a domain, and its records, in Route 53.

https://docs.aws.amazon.com/Route53/latest/APIReference/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate.balancer import find_balancer
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.errors import ignore_codes, translate_errors
from mldeploy.providers.aws.fargate.settings import TABLE

if TYPE_CHECKING:
    from types_boto3_elbv2.type_defs import LoadBalancerTypeDef
    from types_boto3_route53 import Route53Client
    from types_boto3_route53.type_defs import ResourceRecordSetOutputTypeDef, ResourceRecordSetTypeDef

ADDRESSES = ("A", "AAAA", "CNAME")
PAGE = "10"


@dataclass(frozen=True)
class HostedZoneInfo:
    """A public zone of the account. id: "" if none of them holds the domain."""

    id: str
    name: str


@translate_errors("route53")
@dataclass(frozen=True, eq=False)
class HostedZone(Step[FargateCloud, HostedZoneInfo]):
    """The zone that holds the domain, if it is in this account. Nobody else's record has the domain's name."""

    kind: ClassVar[str] = "hosted-zone"
    title: ClassVar[str] = "Find the DNS zone"
    journaled: ClassVar[bool] = False

    app: str
    domain: str

    def key(self) -> Key:
        return Key(self.domain)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[HostedZoneInfo]:
        """Raises RefusedError if the domain leads elsewhere, or if several zones could hold it."""
        zone = find_zone(cloud.dns, self.domain)
        if zone is None:
            return Seen(HostedZoneInfo("", ""), ours=False)
        check_records(cloud.dns, zone, self.domain, find_balancer(cloud, self.app))
        return Seen(zone, ours=False)

    def apply(
        self, cloud: FargateCloud, outs: Outputs, seen: Seen[HostedZoneInfo] | None, monitor: Monitor
    ) -> HostedZoneInfo:
        raise AssertionError("it is never missing, and never changed")

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """The zone was there before us."""
        return False


def find_zone(dns: Route53Client, domain: str) -> HostedZoneInfo | None:
    """The public zone of the account that holds the domain; None if there is none.

    Raises RefusedError if several zones have that name.
    """
    labels = domain.split(".")
    for name in (".".join(labels[start:]) for start in range(len(labels) - 1)):
        zones = dns.list_hosted_zones_by_name(DNSName=name, MaxItems=PAGE)["HostedZones"]
        public = [
            each["Id"].rpartition("/")[2]
            for each in zones
            if each["Name"].rstrip(".") == name and not each.get("Config", {}).get("PrivateZone")
        ]
        if len(public) > 1:
            what = f"this account has {len(public)} public zones called {name}: {', '.join(public)}"
            todo = f"Delete those that are not in use, or request a certificate yourself: {TABLE}.certificate."
            raise RefusedError(domain, what, todo)
        if public:
            return HostedZoneInfo(public[0], name)
    return None


def check_records(dns: Route53Client, zone: HostedZoneInfo, domain: str, balancer: LoadBalancerTypeDef | None) -> None:
    """Raises RefusedError if a record with the domain's name leads elsewhere than to the app's load balancer."""
    for record in list_records(dns, zone, domain):
        if record["Type"] in ADDRESSES and not leads_to(record, balancer):
            what = f"leads to {target_of(record)} already ({record['Type']} in the zone {zone.name})"
            todo = "Delete that record, or choose another `domain`. mldeploy does not overwrite it."
            raise RefusedError(domain, what, todo)


def list_records(dns: Route53Client, zone: HostedZoneInfo, name: str) -> Iterator[ResourceRecordSetOutputTypeDef]:
    """The records with exactly this name."""
    with ignore_codes("NoSuchHostedZone"):
        listed = dns.list_resource_record_sets(HostedZoneId=zone.id, StartRecordName=name, MaxItems=PAGE)
        for record in listed["ResourceRecordSets"]:
            if normalize(record["Name"]) == normalize(name):
                yield record


def change_record(
    dns: Route53Client, zone: HostedZoneInfo, action: Literal["CREATE", "DELETE"], record: ResourceRecordSetTypeDef
) -> None:
    """Send one change. Raises ClientError: InvalidChangeBatch if the record is there already, or not there."""
    batch = {"Comment": "mldeploy", "Changes": [{"Action": action, "ResourceRecordSet": record}]}
    dns.change_resource_record_sets(HostedZoneId=zone.id, ChangeBatch=batch)  # type: ignore[arg-type]


def leads_to(record: ResourceRecordSetOutputTypeDef, balancer: LoadBalancerTypeDef | None) -> bool:
    """Whether a record leads to the load balancer, as an alias or a CNAME."""
    return balancer is not None and normalize(target_of(record)) == normalize(balancer["DNSName"])


def target_of(record: ResourceRecordSetOutputTypeDef) -> str:
    """Where a record leads."""
    alias = record.get("AliasTarget")
    if alias:
        return alias["DNSName"]
    return ", ".join(each["Value"] for each in record.get("ResourceRecords", ()))


def normalize(name: str) -> str:
    """A name as it is compared: Route 53 ends names with a dot, and puts `dualstack.` before aliases in its console."""
    return name.lower().rstrip(".").removeprefix("dualstack.")
