"""Route 53: zones and records, with the refusals of the real one.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.elbv2.models import elbv2_backends
from moto.route53 import urls
from moto.route53.exceptions import Route53ClientError
from moto.route53.models import FakeZone, RecordSet, Route53Backend, route53_backends

ALONE = "CNAME"
"""No other record may have the name of a CNAME: RFC 1034, 3.6.2."""
OWN = ("NS", "SOA")
ZONE = "example.com."
"""A name for documentation (RFC 2606)."""


class InvalidBatchError(Route53ClientError):
    """The change batch contains a change that is not possible. None of its changes is made."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidChangeBatch", f"[{message}]")


class RehearsedRoute53(Route53Backend):
    """moto's backend, which refuses what Route 53 refuses, in the words that users report.

    https://github.com/boto/boto/issues/2887, https://github.com/kubernetes-sigs/external-dns/issues/732 and
    https://github.com/barnybug/cli53/issues/213
    """

    @property
    def _url_module(self) -> SimpleNamespace:
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=urls.url_paths)

    def change_resource_record_sets(self, zoneid: str, change_list: list[dict[str, Any]]) -> None:
        zone = self.get_hosted_zone(zoneid)
        for change in change_list:
            _check_change(zone, change["Action"], change["ResourceRecordSet"])
        super().change_resource_record_sets(zoneid, change_list)


def _check_change(zone: FakeZone, action: str, record: Mapping[str, Any]) -> None:
    name, kind = absolute(record["Name"]), record["Type"]
    same_name = [each for each in zone.rrsets if absolute(each.name) == name]
    same = [each for each in same_name if each.type == kind]
    label = f"[name='{name}', type='{kind}']"
    if action == "CREATE" and same:
        raise InvalidBatchError(f"Tried to create resource record set {label} but it already exists")
    if action == "DELETE" and not same:
        raise InvalidBatchError(f"Tried to delete resource record set {label} but it was not found")
    if action == "DELETE" and _values(same[0]) != _sent_values(record):
        what = "but the values provided do not match the current values"
        raise InvalidBatchError(f"Tried to delete resource record set {label} {what}")
    others = [each for each in same_name if each.type != kind and ALONE in (kind, each.type)]
    if action != "DELETE" and others:
        what = f"RRSet of type {kind} with DNS name {name} is not permitted as it conflicts with other records"
        raise InvalidBatchError(f"{what} with the same DNS name in zone {zone.name}")
    alias = record.get("AliasTarget")
    if action != "DELETE" and alias and not _is_balancer(alias):
        what = f"Tried to create an alias that targets {alias['DNSName']}, type {kind} in zone {alias['HostedZoneId']}"
        raise InvalidBatchError(f"{what}, but the alias target name does not lie within the target zone")


def _values(record: RecordSet) -> tuple[str, ...]:
    if record.alias_target:
        return (absolute(record.alias_target["DNSName"]),)
    return tuple(record.records or ())


def _sent_values(record: Mapping[str, Any]) -> tuple[str, ...]:
    if record.get("AliasTarget"):
        return (absolute(record["AliasTarget"]["DNSName"]),)
    return tuple(each["Value"] for each in record.get("ResourceRecords") or ())


def _is_balancer(alias: Mapping[str, Any]) -> bool:
    balancers = (each for regions in elbv2_backends[ACCOUNT].values() for each in regions.load_balancers.values())
    return any(
        absolute(each.dns_name) == absolute(alias["DNSName"]) and each.canonical_hosted_zone_id == alias["HostedZoneId"]
        for each in balancers
    )


def absolute(name: str) -> str:
    """A name in lower case, with the dot at its end."""
    return f"{name.lower().rstrip('.')}."


def list_zones() -> Sequence[FakeZone]:
    """All zones."""
    return list(route53_backends[ACCOUNT]["aws"].zones.values())


def list_records() -> Iterator[tuple[FakeZone, RecordSet]]:
    """All records, except those that every zone has."""
    for zone in list_zones():
        yield from ((zone, record) for record in list(zone.rrsets) if record.type not in OWN)


def find_values(name: str, kind: str) -> Sequence[str]:
    """The values of a record in a public zone, as a resolver sees them."""
    for zone, record in list_records():
        if not zone.private_zone and record.type == kind and absolute(record.name) == absolute(name):
            return record.records or ()
    return ()


def begin() -> None:
    """Begin anew after a reset, with a public zone in the account."""
    backend = route53_backends[ACCOUNT]["aws"]
    if isinstance(backend, RehearsedRoute53):
        backend.create_hosted_zone(ZONE, private_zone=False)


def install() -> None:
    """Install this backend in moto, for this process."""
    route53_backends.backend = RehearsedRoute53
