"""ACM: a certificate is issued once its validation record is in a public zone of the stand-in's Route 53.

https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from moto.acm import urls
from moto.acm.exceptions import CertificateNotFound
from moto.acm.models import AWSCertificateManagerBackend, CertBundle, acm_backends
from moto.core.exceptions import AWSError
from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.elbv2.models import elbv2_backends

from mldeploy.rehearsal.aws.route53 import find_values

ISSUED, PENDING = "ISSUED", "PENDING_VALIDATION"
DOMAIN_LENGTH = 64
"""Octets of the first domain name. Standard: ACM API reference, RequestCertificate."""


class CertificateInUseError(AWSError):
    """https://github.com/hashicorp/terraform-provider-aws/issues/3866"""

    TYPE = "ResourceInUseException"


class InvalidCertificateParameterError(AWSError):
    """The words are assumed."""

    TYPE = "InvalidParameterException"


class RehearsedACM(AWSCertificateManagerBackend):
    """moto's backend, whose certificates wait for their record and cannot be deleted while a listener has them."""

    @property
    def _url_module(self) -> SimpleNamespace:
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=urls.url_paths)

    def request_certificate(self, domain_name: str, *args: Any, **others: Any) -> str:
        if len(domain_name) > DOMAIN_LENGTH:
            raise InvalidCertificateParameterError("The first domain name can be up to 64 characters long")
        return super().request_certificate(domain_name, *args, **others)

    def get_certificate(self, arn: str) -> CertBundle:
        """A certificate that was issued stays issued, also without its record."""
        known = self._certificates.get(arn)
        if known is None:
            raise CertificateNotFound(arn=arn, account_id=self.account_id)
        if known.type == "AMAZON_ISSUED" and known.status == PENDING and all(map(_is_validated, _records(known))):
            known.status = ISSUED
        known.in_use_by = list(_list_users(self.region_name, arn))
        return known

    def delete_certificate(self, arn: str) -> None:
        if self.get_certificate(arn).in_use_by:
            raise CertificateInUseError(f"Certificate {arn} in account {self.account_id} is in use.")
        super().delete_certificate(arn)


def _records(certificate: CertBundle) -> Iterator[dict[str, str]]:
    for each in certificate.describe()["Certificate"].get("DomainValidationOptions", ()):
        yield each["ResourceRecord"]


def _is_validated(record: dict[str, str]) -> bool:
    return record["Value"] in find_values(record["Name"], "CNAME")


def _list_users(region: str, arn: str) -> Iterator[str]:
    """The load balancers of which a listener has the certificate."""
    for balancer in list(elbv2_backends[ACCOUNT][region].load_balancers.values()):
        if any(arn in (listener.certificate, *listener.certificates) for listener in list(balancer.listeners.values())):
            yield balancer.arn


def find_names(region: str, arn: str) -> tuple[str, ...]:
    """The domain names of a certificate that a listener may have; none if it is not issued."""
    try:
        certificate = acm_backends[ACCOUNT][region].get_certificate(arn)
    except CertificateNotFound:
        return ()
    return tuple(certificate.sans) or (str(certificate.common_name),) if certificate.status == ISSUED else ()


def install() -> None:
    """Install this backend in moto, for this process."""
    acm_backends.backend = RehearsedACM
