"""Custom domains of apps: their DNS records and managed certificates.

Standard: Container Apps, "Custom domain names and free managed certificates".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

from mldeploy.rehearsal.azure.arm import resource_types
from mldeploy.rehearsal.azure.arm.resources import describe_with_state, list_resources, put_resource
from mldeploy.rehearsal.azure.arm.routes import GROUP, ArmRequest, ArmResponse, ArmRoute
from mldeploy.rehearsal.azure.arm.schema import ArmError, Json, validate
from mldeploy.rehearsal.azure.arm.state import SUBSCRIPTION as OURS
from mldeploy.rehearsal.azure.arm.state import ArmResource, SubscriptionState
from mldeploy.rehearsal.azure.containerapps import operations, schemas

_TYPE = "Microsoft.App/managedEnvironments"
_CERTIFICATES = f"{GROUP}/providers/{_TYPE}/{{environment}}/managedCertificates"
_ANALYSIS = "/listCustomHostNameAnalysis"


def verification_id() -> str:
    """Return the subscription's id for TXT records. Standard: REST API, "Get Custom Domain Verification Id"."""
    return hashlib.sha256(f"customdomain{OURS}".encode()).hexdigest().upper()


def check_domains(account: SubscriptionState, environment: ArmResource, known: ArmResource | None, body: Json) -> None:
    """Check the custom domains of an app. Raises ArmError, 400."""
    bound = {name for name, _ in list_domains(known)} if known else set()
    for domain in ((body["properties"].get("configuration") or {}).get("ingress") or {}).get("customDomains") or ():
        name = domain["name"].lower()
        if name not in bound:
            _check_ownership(account, name)
        if other := _find_other(account, name, known):
            what = f"The custom domain '{name}' is already used by the container app '{other}'."
            raise ArmError(400, "CustomHostNameAlreadyInUse", what)  # assumed
        if domain.get("bindingType", "").lower() == "snienabled" or domain.get("certificateId"):
            _check_certificate(account, environment, domain)


def _check_ownership(account: SubscriptionState, name: str) -> None:
    """Source: Azure/azure-cli, issue 28680; the code `InvalidCustomHostNameValidation` from a log of activities."""
    if verification_id() not in look_up(account, "TXT", f"asuid.{name}"):
        what = f"A TXT record pointing from asuid.{name} to {verification_id()} was not found."
        raise ArmError(400, "InvalidCustomHostNameValidation", what)


def _check_certificate(account: SubscriptionState, environment: ArmResource, domain: Json) -> None:
    """The texts are assumed."""
    certificate = account.find(domain.get("certificateId") or "")
    within = f"{environment.id}/managedCertificates/".lower()
    if certificate is None or not certificate.id.lower().startswith(within):
        what = f"The certificate '{domain.get('certificateId')}' does not exist in environment '{environment.name}'."
        raise ArmError(400, "CertificateNotFound", what)
    if certificate.state != "Succeeded" or certificate.properties["subjectName"].lower() != domain["name"].lower():
        what = f"The certificate '{certificate.name}' is not provisioned for '{domain['name']}'."
        raise ArmError(400, "CertificateInvalid", what)


def _find_other(account: SubscriptionState, name: str, known: ArmResource | None) -> str:
    for app in account.list_resources(resource_types.CONTAINER_APP):
        if app is not known and name in [each for each, _ in list_domains(app)]:
            return app.name
    return ""


def list_domains(app: ArmResource) -> Iterator[tuple[str, str]]:
    """Yield the custom domains of an app, and the ids of their certificates."""
    ingress = (app.properties.get("configuration") or {}).get("ingress") or {}
    for each in ingress.get("customDomains") or ():
        yield each["name"].lower(), (each.get("certificateId") or "").lower()


def look_up(account: SubscriptionState, kind: str, name: str) -> Sequence[str]:
    """Return the DNS records that a test has set. kind: `TXT`."""
    return account.conditions.records.get((kind, name.lower()), ())


class ManagedCertificates:
    """The operations on managed certificates, and the analysis of a host name.

    host_of: returns where an app answers in the rehearsal.
    """

    def __init__(self, host_of: Callable[[ArmResource], str]) -> None:
        self._host_of = host_of

    @property
    def routes(self) -> Iterator[ArmRoute]:
        kind, one = resource_types.MANAGED_CERTIFICATE, f"{_CERTIFICATES}/{{certificate}}"
        app = f"{GROUP}/providers/Microsoft.App/containerApps/{{app}}"
        yield ArmRoute(f"GET {_CERTIFICATES}", kind, _list)
        yield ArmRoute(f"PUT {one}", kind, self._put)
        yield ArmRoute(f"GET {one}", kind, lambda request: ArmResponse(200, _describe(request.resource)))
        yield ArmRoute(f"DELETE {one}", kind, _delete)
        yield ArmRoute(f"POST {app}{_ANALYSIS}", resource_types.CONTAINER_APP, _analyse, read_only=True)

    def _put(self, request: ArmRequest) -> ArmResponse:
        """Source of `ManagedCertNoUpdate`: azure-rest-api-specs, `ManagedCertificate_CreateOrUpdate`.

        Source of `RequireCustomHostnameInEnvironment`: answers of the service in deployment logs.
        """
        schemas.drop_read_only(request.body)
        validate(request.body, schemas.MANAGED_CERTIFICATE)
        account, known = request.account, request.account.find(request.path)
        environment = account.get(request.path.rpartition("/managedCertificates/")[0])
        properties = request.body["properties"]
        if known is not None and {name: known.properties.get(name) for name in properties} != properties:
            what = "Properties of managed certificates cannot be updated."
            more = "Please delete the current resource and retry or use a different resource id."
            raise ArmError(400, "ManagedCertNoUpdate", f"{what} {more}")
        subject = properties["subjectName"].lower()
        if known is None and _find_app(account, environment, subject) is None:
            what = f"Creating managed certificate requires hostname '{subject}' added as a custom hostname to a"
            more = f"container app or route in environment '{environment.name}'"
            raise ArmError(400, "RequireCustomHostnameInEnvironment", f"{what} {more}")
        result = put_resource(request, resource_types.MANAGED_CERTIFICATE, schemas.MANAGED_CERTIFICATE)
        return self._validate_control(request, environment, result.resource, new=result.new)

    def _validate_control(
        self, request: ArmRequest, environment: ArmResource, resource: ArmResource, *, new: bool
    ) -> ArmResponse:
        """Let the certificate be issued if its domain points here; the operation fails otherwise."""
        account, subject = request.account, resource.properties["subjectName"]
        resource.properties["validationToken"] = f"_{hashlib.sha256(resource.id.encode()).hexdigest()[:32]}"
        change = operations.ResourceChange(account, resource, "Pending")
        app = _find_app(account, environment, subject.lower())
        failure = None if app and self._points_here(account, environment, app, resource) else _control_error(subject)
        change.finish(failure)
        answer = ArmResponse(201 if new else 200, _describe(resource))
        return operations.AppOperation(operations.CERTIFICATE, resource, change).add_status(request, answer)

    def _points_here(
        self, account: SubscriptionState, environment: ArmResource, app: ArmResource, certificate: ArmResource
    ) -> bool:
        """Whether the records of a domain prove its control, as its certificate is to be validated."""
        subject = certificate.properties["subjectName"]
        method = certificate.properties["domainControlValidation"].upper()
        if method == "HTTP":
            return environment.properties["staticIp"] in look_up(account, "A", subject)
        if method == "TXT":
            return certificate.properties["validationToken"] in look_up(account, "TXT", f"_dnsauth.{subject}")
        targets = {f"{app.name}.{environment.properties['defaultDomain']}", self._host_of(app)}
        return bool(targets & set(look_up(account, "CNAME", subject)))


def _control_error(subject: str) -> ArmError:
    """The text is assumed."""
    what = f"Failed to validate the domain control of '{subject}': its DNS records do not point to the container app."
    return ArmError(400, "FailedDomainControlValidation", what)


def _find_app(account: SubscriptionState, environment: ArmResource, subject: str) -> ArmResource | None:
    for app in account.list_resources(resource_types.CONTAINER_APP):
        ours = app.properties["environmentId"].lower() == environment.id.lower()
        if ours and subject in [name for name, _ in list_domains(app)]:
            return app
    return None


def _delete(request: ArmRequest) -> ArmResponse:
    """Source of `CertificateInUse`, 400: a deployment log; its words are assumed."""
    resource = request.account.find(request.path)
    if resource is None:
        return ArmResponse(204)
    for app in request.account.list_resources(resource_types.CONTAINER_APP):
        for name, certificate in list_domains(app):
            if certificate == resource.id.lower():
                what = f"The certificate '{resource.name}' is used by '{name}' of the container app '{app.name}'."
                raise ArmError(400, "CertificateInUse", what)
    request.account.remove(resource)
    return ArmResponse(200)


def _list(request: ArmRequest) -> ArmResponse:
    return list_resources(request, resource_types.MANAGED_CERTIFICATE, _describe)


def _describe(resource: ArmResource) -> Json:
    return describe_with_state(resource)


def _analyse(request: ArmRequest) -> ArmResponse:
    """Analyse a host name. Standard: azure-rest-api-specs, `ContainerApps_ListCustomHostNameAnalysis`."""
    account, name = request.account, request.query.get("customHostname", "").lower()
    app = account.get(request.strip_ending(_ANALYSIS))
    bound, other = name in [each for each, _ in list_domains(app)], _find_other(account, name, app)
    records = {kind: list(look_up(account, kind, name)) for kind in ("A", "CNAME")}
    texts = list(look_up(account, "TXT", f"asuid.{name}"))
    passed = verification_id() in texts
    failure = (
        {}
        if passed
        else {
            "code": "InvalidCustomHostNameValidation",
            "message": f"A TXT record pointing from asuid.{name} to {verification_id()} was not found.",
        }
    )
    body: Json = {
        "hostName": name,
        "isHostnameAlreadyVerified": bound,
        "customDomainVerificationTest": "Passed" if passed else "Failed",
        "customDomainVerificationFailureInfo": failure,
        "hasConflictOnManagedEnvironment": bool(other),
        "conflictingContainerAppResourceId": other,
        "cNameRecords": records["CNAME"],
        "txtRecords": texts,
        "aRecords": records["A"],
        "alternateCNameRecords": [],
        "alternateTxtRecords": [],
    }
    return ArmResponse(200, body)
