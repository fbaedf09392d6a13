"""The certificate of the app's domain: requested from ACM, validated by a DNS record, renewed by AWS.

https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.errors import AwsError
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.dns import (
    HostedZone,
    HostedZoneInfo,
    change_record,
    find_zone,
    list_records,
    normalize,
    target_of,
)
from mldeploy.providers.aws.fargate.errors import ignore_codes, translate_errors, wait_until_gone
from mldeploy.providers.aws.fargate.settings import TABLE
from mldeploy.providers.aws.fargate.tags import is_owned, owner_tags, read_tags

if TYPE_CHECKING:
    from types_boto3_acm.literals import CertificateStatusType
    from types_boto3_route53.type_defs import ResourceRecordSetTypeDef

ISSUED, PENDING = "ISSUED", "PENDING_VALIDATION"
LISTED: tuple[CertificateStatusType, ...] = ("PENDING_VALIDATION", "ISSUED", "FAILED", "VALIDATION_TIMED_OUT")
RECORD_TAG = "mldeploy:validation-zone"
"""A tag on the certificate: mldeploy has created the record that validates it, in this zone."""
POLL_SECONDS = 2.0
RECORD_SECONDS = 60.0
"""So long ACM may take to name the record."""
TTL = 300


@dataclass(frozen=True)
class ValidationRecord:
    """The CNAME by which ACM recognizes who owns the domain."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"CNAME {self.name.rstrip('.')} → {self.value.rstrip('.')}"

    @property
    def record_set(self) -> ResourceRecordSetTypeDef:
        return {"Name": self.name, "Type": "CNAME", "TTL": TTL, "ResourceRecords": [{"Value": self.value}]}


@dataclass(frozen=True)
class CertificateInfo:
    """A certificate of ours. record: None while ACM has not named it. failure: why none was issued."""

    arn: str
    status: str
    record: ValidationRecord | None
    failure: str
    zone: str
    """The zone in which we have made its record; "" for none."""


@translate_errors("acm")
@dataclass(frozen=True, eq=False)
class DomainCertificate(Step[FargateCloud, str]):
    """A certificate for the domain is issued. Its output is the ARN."""

    kind: ClassVar[str] = "certificate"
    title: ClassVar[str] = "Get the certificate"

    app: str
    domain: str
    timeout: int
    """Seconds to wait for its validation."""
    zone: HostedZone

    def key(self) -> Key:
        return Key(self.domain, (self.app,))

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[str] | None:
        known = _choose(list(list_certificates(cloud, self.app, self.domain)))
        if known is None:
            return None
        return Seen(known.arn, () if known.status == ISSUED else (f"{known.status} → {ISSUED}",))

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        """Raises AwsError if it is not validated in time, or refused: which record is missing, or why."""
        for each in list_certificates(cloud, self.app, self.domain):
            if each.status not in (ISSUED, PENDING):
                _delete(cloud, each)
        known = _choose(list(list_certificates(cloud, self.app, self.domain)))
        arn = known.arn if known else self._request(cloud)
        record = self._await_record(cloud, arn, monitor)
        zone = outs[self.zone]
        if zone.id:
            self._write_record(cloud, arn, zone, record)
        elif not known or known.status != ISSUED:
            monitor.note(f"{self.domain}: no zone of this account holds it. Create this DNS record: {record}.")
        self._await_issue(cloud, arn, zone, record, monitor)
        return arn

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """Waits until no listener has it any more. The record goes only if mldeploy made it."""
        owned = list(list_certificates(cloud, key.scope[0], key.name))
        for each in owned:
            _delete_record(cloud, key.name, each)
            wait_until_gone(monitor, f"certificate of {key.name}", lambda each=each: _try_delete(cloud, each))  # type: ignore[misc]
        return bool(owned)

    def _request(self, cloud: FargateCloud) -> str:
        return cloud.acm.request_certificate(
            DomainName=self.domain,
            ValidationMethod="DNS",
            IdempotencyToken=uuid.uuid4().hex,  # for repetitions of this call alone: it is found by its tags later
            Tags=[{"Key": key, "Value": value} for key, value in owner_tags(self.app).items()],
        )["CertificateArn"]

    def _await_record(self, cloud: FargateCloud, arn: str, monitor: Monitor) -> ValidationRecord:
        for _ in monitor.attempts(every=POLL_SECONDS, within=RECORD_SECONDS):
            info = _describe(cloud, arn)
            if info and info.record:
                return info.record
        raise AwsError(self.domain, "ACM does not say how the certificate is validated", "Deploy again.")

    def _write_record(self, cloud: FargateCloud, arn: str, zone: HostedZoneInfo, record: ValidationRecord) -> None:
        """Raises RefusedError if another record is in its place."""
        there = [each for each in list_records(cloud.dns, zone, record.name) if each["Type"] == "CNAME"]
        if there and normalize(target_of(there[0])) != normalize(record.value):
            what = f"the zone {zone.name} has another record at {record.name}"
            raise RefusedError(self.domain, what, f"Replace it: {record}. Then deploy again.")
        if there:
            return
        cloud.acm.add_tags_to_certificate(CertificateArn=arn, Tags=[{"Key": RECORD_TAG, "Value": zone.id}])
        with ignore_codes("InvalidChangeBatch"):  # it was made a moment ago
            change_record(cloud.dns, zone, "CREATE", record.record_set)

    def _await_issue(
        self, cloud: FargateCloud, arn: str, zone: HostedZoneInfo, record: ValidationRecord, monitor: Monitor
    ) -> None:
        for _ in monitor.attempts(every=POLL_SECONDS, within=self.timeout):
            info = _describe(cloud, arn)
            if info and info.status == ISSUED:
                return
            if info and info.status != PENDING:
                todo = f"Check `domain` in [{TABLE}] and the CAA records of its zone. Then deploy again."
                raise AwsError(self.domain, f"ACM issued no certificate: {info.failure or info.status}", todo)
            where = f"the zone {zone.name}" if zone.id else "its DNS zone"
            monitor.progress(Progress("", f"waiting until ACM sees {record.name.rstrip('.')} in {where}"))
        what = f"its certificate is not validated after {self.timeout} s"
        raise AwsError(self.domain, what, f"{_advise(zone, record)} Then deploy again: the request stays for 72 hours.")


def list_certificates(cloud: FargateCloud, app: str, domain: str) -> Iterator[CertificateInfo]:
    """The certificates of ours for a domain."""
    pages = cloud.acm.get_paginator("list_certificates").paginate(CertificateStatuses=list(LISTED))
    for arn in [
        each["CertificateArn"]
        for page in pages
        for each in page["CertificateSummaryList"]
        if each.get("DomainName") == domain
    ]:
        info = _describe(cloud, arn, app)
        if info is not None:
            yield info


def _describe(cloud: FargateCloud, arn: str, app: str = "") -> CertificateInfo | None:
    """None if it is gone, or is not the app's."""
    with ignore_codes("ResourceNotFoundException"):
        tags = read_tags(cloud.acm.list_tags_for_certificate(CertificateArn=arn)["Tags"]) if app else {}
        if app and not is_owned(tags, app):
            return None
        detail = cloud.acm.describe_certificate(CertificateArn=arn)["Certificate"]
        options = next(iter(detail.get("DomainValidationOptions", ())), None)
        named = options.get("ResourceRecord") if options else None
        record = ValidationRecord(named["Name"], named["Value"]) if named else None
        status = detail.get("Status", "")
        return CertificateInfo(arn, status, record, detail.get("FailureReason", ""), tags.get(RECORD_TAG, ""))
    return None


def read_domains(cloud: FargateCloud, arns: Iterable[str]) -> set[str]:
    """The domains of certificates. The list of what is tagged may be stale: what is gone is left out."""
    domains = set()
    for arn in arns:
        with ignore_codes("ResourceNotFoundException"):
            domains.add(cloud.acm.describe_certificate(CertificateArn=arn)["Certificate"]["DomainName"])
    return domains


def _choose(known: list[CertificateInfo]) -> CertificateInfo | None:
    """An issued one before one that waits."""
    usable = [each for each in known if each.status in (ISSUED, PENDING)]
    return next(iter(sorted(usable, key=lambda each: (each.status != ISSUED, each.arn))), None)


def _delete_record(cloud: FargateCloud, domain: str, certificate: CertificateInfo) -> None:
    record, zone = certificate.record, find_zone(cloud.dns, domain) if certificate.zone else None
    if record is None or zone is None or zone.id != certificate.zone:
        return
    for each in list_records(cloud.dns, zone, record.name):
        if each["Type"] == "CNAME" and normalize(target_of(each)) == normalize(record.value):
            with ignore_codes("InvalidChangeBatch"):  # somebody was faster
                change_record(cloud.dns, zone, "DELETE", each)  # type: ignore[arg-type]


def _delete(cloud: FargateCloud, certificate: CertificateInfo) -> None:
    with ignore_codes("ResourceNotFoundException"):
        cloud.acm.delete_certificate(CertificateArn=certificate.arn)


def _try_delete(cloud: FargateCloud, certificate: CertificateInfo) -> bool:
    with ignore_codes("ResourceInUseException"):
        _delete(cloud, certificate)
        return True
    return False


def _advise(zone: HostedZoneInfo, record: ValidationRecord) -> str:
    if not zone.id:
        return f"Create this DNS record: {record}."
    return (
        f"The record is in the zone {zone.name} ({zone.id}) of this account: {record}. See whether the domain uses the "
        f"name servers of that zone: `dig NS {zone.name}`."
    )
