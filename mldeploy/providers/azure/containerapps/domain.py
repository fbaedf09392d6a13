"""A host name of the user's own: its DNS records, a managed certificate, and the binding to the app.

https://learn.microsoft.com/azure/container-apps/custom-domains-managed-certificates
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from azure.mgmt.appcontainers.models import (
    Configuration,
    ContainerApp,
    ContainerAppProperties,
    CustomDomain,
    Ingress,
    ManagedCertificate,
    ManagedCertificateProperties,
)

from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.azure.cloud import enum_text
from mldeploy.providers.azure.containerapps import apps
from mldeploy.providers.azure.containerapps.app import ContainerAppStep
from mldeploy.providers.azure.containerapps.apps import AppInfo, app_exists, describe_app
from mldeploy.providers.azure.containerapps.cloud import ContainerAppsCloud
from mldeploy.providers.azure.containerapps.environment import AppsEnvironment, EnvironmentInfo
from mldeploy.providers.azure.containerapps.settings import ContainerAppsSettings
from mldeploy.providers.azure.errors import AzureError, ignore_not_found, translate_errors
from mldeploy.providers.azure.tags import resource_name
from mldeploy.providers.azure.waiting import run_operation, wait_until_gone

READY, PASSED = "Succeeded", "Passed"
DNS_POLL_SECONDS = 10.0
_BOUND, _UNBOUND = "SniEnabled", "Disabled"


@dataclass(frozen=True)
class DnsRecord:
    """A record that the user creates."""

    type: str
    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.type} {self.name} → {self.value}"


def required_records(domain: str, app: AppInfo, environment: EnvironmentInfo) -> tuple[DnsRecord, DnsRecord]:
    """The records of a domain: a zone's apex cannot have a CNAME."""
    ownership = DnsRecord("TXT", f"asuid.{domain}", app.verification)
    if _is_apex(domain):
        return DnsRecord("A", domain, environment.address), ownership
    return DnsRecord("CNAME", domain, app.fqdn), ownership


def _is_apex(domain: str) -> bool:
    return domain.count(".") == 1


@translate_errors
@dataclass(frozen=True, eq=False)
class ManagedCertificateStep(Step[ContainerAppsCloud, str]):
    """A certificate that Azure issues and renews. Its output is the certificate's id."""

    kind: ClassVar[str] = "managed-certificate"
    title: ClassVar[str] = "Get the certificate"

    domain: str
    settings: ContainerAppsSettings
    environment: AppsEnvironment
    app: ContainerAppStep

    def key(self) -> Key:
        within = self.environment.key()
        name = resource_name(f"{self.app.project.app.name}-{self.domain.replace('.', '-')}")
        return Key(name, (*within.scope, within.name))

    def probe(self, cloud: ContainerAppsCloud, outs: Outputs) -> Seen[str] | None:
        existing = _get_certificate(cloud, self.key())
        if existing is None or existing.properties is None:
            return None
        state = enum_text(existing.properties.provisioning_state)
        drift = () if state == READY else (f"state {state or 'unknown'} → {READY}",)
        return Seen(existing.id or "", drift, ours=cloud.owns(existing.tags))

    def apply(self, cloud: ContainerAppsCloud, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        """Raises AzureError if the DNS records are missing, or if no certificate was issued for them."""
        environment, key = outs[self.environment], self.key()
        app = describe_app(cloud, self.app.key()) or outs[self.app].info
        records = required_records(self.domain, app, environment)
        if self.domain not in app.hosts:
            self._wait_for_records(cloud, app, records, monitor)
            set_hosts(cloud, monitor, app, {**app.hosts, self.domain: ""})
        properties = ManagedCertificateProperties(
            subject_name=self.domain, domain_control_validation="HTTP" if _is_apex(self.domain) else "CNAME"
        )
        model = ManagedCertificate(location=environment.region, tags=cloud.owner_tags, properties=properties)
        monitor.progress(Progress("", "waiting for the certificate: this takes up to 20 minutes"))
        begin = partial(
            cloud.apps.managed_certificates.begin_create_or_update, key.scope[0], key.scope[1], key.name, model
        )
        created = run_operation(monitor, key.name, begin)
        state = enum_text(created.properties.provisioning_state) if created.properties else ""
        if state != READY:
            why = (created.properties.error if created.properties else "") or f"its state is {state or 'unknown'}"
            raise AzureError(self.domain, f"no certificate was issued: {why}", _advise(records))
        return created.id or ""

    @staticmethod
    def undo(cloud: ContainerAppsCloud, key: Key, monitor: Monitor) -> bool:
        if not certificate_exists(cloud, key):
            return False
        ignore_not_found(partial(cloud.apps.managed_certificates.delete, key.scope[0], key.scope[1], key.name))
        wait_until_gone(monitor, key.name, lambda: _get_certificate(cloud, key) is None)
        return True

    def _wait_for_records(
        self, cloud: ContainerAppsCloud, app: AppInfo, records: tuple[DnsRecord, ...], monitor: Monitor
    ) -> None:
        analyse = partial(
            cloud.apps.container_apps.list_custom_host_name_analysis,
            cloud.group,
            app.name,
            custom_hostname=self.domain,
        )
        is_told = False
        for _ in monitor.attempts(every=DNS_POLL_SECONDS, within=self.settings.rollout_timeout):
            analysis = analyse()
            if enum_text(analysis.custom_domain_verification_test) == PASSED:
                return
            if not is_told:
                monitor.note(f"{self.domain}: {_advise(records)}", warning=True)
                is_told = True
            monitor.progress(Progress("", f"waiting for the DNS records of {self.domain}"))
        what = f"its DNS records are not there after {self.settings.rollout_timeout} s"
        raise AzureError(self.domain, what, f"{_advise(records)} Then deploy again.")


@translate_errors
@dataclass(frozen=True, eq=False)
class DomainBinding(Step[ContainerAppsCloud, str]):
    """The app answers by the domain, with the certificate. Its output is the address of the environment's ingress."""

    kind: ClassVar[str] = "domain-binding"
    title: ClassVar[str] = "Bind the domain"

    domain: str
    environment: AppsEnvironment
    app: ContainerAppStep
    certificate: ManagedCertificateStep

    def key(self) -> Key:
        within = self.app.key()
        return Key(self.domain, (*within.scope, within.name))

    def probe(self, cloud: ContainerAppsCloud, outs: Outputs) -> Seen[str] | None:
        running, certificate = outs.get(self.app), outs.get(self.certificate)
        environment = outs.get(self.environment)
        if running is None or certificate is None or environment is None:
            return None
        bound = running.info.hosts.get(self.domain, "")
        return Seen(environment.address) if bound and bound.lower() == certificate.lower() else None

    def apply(self, cloud: ContainerAppsCloud, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        app = describe_app(cloud, self.app.key()) or outs[self.app].info
        set_hosts(cloud, monitor, app, {**app.hosts, self.domain: outs[self.certificate]})
        return outs[self.environment].address

    @staticmethod
    def undo(cloud: ContainerAppsCloud, key: Key, monitor: Monitor) -> bool:
        at = Key(key.scope[-1], key.scope[:-1])
        app = describe_app(cloud, at) if app_exists(cloud, at) else None
        if app is None or key.name not in app.hosts:
            return False
        set_hosts(cloud, monitor, app, {name: each for name, each in app.hosts.items() if name != key.name})
        return True


def set_hosts(cloud: ContainerAppsCloud, monitor: Monitor, app: AppInfo, hosts: dict[str, str]) -> None:
    """Set the custom host names, each with the id of its certificate (none: empty). Raises SDK errors."""
    domains = [
        CustomDomain(name=name, certificate_id=certificate, binding_type=_BOUND)
        if certificate
        else CustomDomain(name=name, binding_type=_UNBOUND)
        for name, certificate in hosts.items()
    ]
    properties = ContainerAppProperties(configuration=Configuration(ingress=Ingress(custom_domains=domains)))
    apps.update_app(cloud, monitor, app, ContainerApp(location=app.region, properties=properties))


def certificate_exists(cloud: ContainerAppsCloud, key: Key) -> bool:
    """Whether the app owns this certificate."""
    existing = _get_certificate(cloud, key)
    return existing is not None and cloud.owns(existing.tags)


def _get_certificate(cloud: ContainerAppsCloud, key: Key) -> ManagedCertificate | None:
    return ignore_not_found(partial(cloud.apps.managed_certificates.get, key.scope[0], key.scope[1], key.name))


def _advise(records: tuple[DnsRecord, ...]) -> str:
    return f"Create these DNS records: {'; '.join(map(str, records))}."
