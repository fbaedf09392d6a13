"""Managed environments. Standard: Container Apps REST API, "Managed Environments"."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from mldeploy.rehearsal.azure.arm import resource_types
from mldeploy.rehearsal.azure.arm.long_running import begin_deletion
from mldeploy.rehearsal.azure.arm.resources import (
    check_name,
    check_tags,
    describe_with_state,
    list_resources,
    put_resource,
)
from mldeploy.rehearsal.azure.arm.routes import GROUP, SUBSCRIPTION, ArmRequest, ArmResponse, ArmRoute
from mldeploy.rehearsal.azure.arm.schema import ArmError, Json, validate
from mldeploy.rehearsal.azure.arm.state import ArmResource, SubscriptionState
from mldeploy.rehearsal.azure.containerapps import operations, schemas
from mldeploy.rehearsal.azure.containerapps.apps import ContainerApps
from mldeploy.rehearsal.azure.containerapps.context import ContainerAppsContext
from mldeploy.rehearsal.azure.containerapps.domains import verification_id
from mldeploy.rehearsal.azure.containerapps.ingress import EnvironmentIngress

_TYPE = "Microsoft.App/managedEnvironments"
_DEFAULT_LIMIT = 50
ENVIRONMENT_PATH = f"{GROUP}/providers/{_TYPE}/{{environment}}"
_READ_ONLY = ("defaultDomain", "staticIp", "customDomainConfiguration", "workloadProfiles", "appLogsConfiguration")
_CONSUMPTION = {"name": "Consumption", "workloadProfileType": "Consumption"}
_PROFILES = ("Consumption", "D4", "D8", "D16", "D32", "E4", "E8", "E16", "E32")
"""Standard: Container Apps, "Workload profiles", without GPUs."""
_DESTINATIONS = ("", "none", "log-analytics", "azure-monitor")


class ManagedEnvironments:
    """The operations on environments. apps: the apps in them."""

    def __init__(self, context: ContainerAppsContext, apps: ContainerApps) -> None:
        self._context = context
        self._apps = apps

    @property
    def routes(self) -> Iterator[ArmRoute]:
        kind = resource_types.ENVIRONMENT
        usages = f"{SUBSCRIPTION}/providers/Microsoft.App/locations/{{location}}/usages"
        yield ArmRoute(f"GET {usages}", resource_types.ENVIRONMENT, _list_usages)
        yield ArmRoute(f"GET {SUBSCRIPTION}/providers/{_TYPE}", kind, _list)
        yield ArmRoute(f"GET {GROUP}/providers/{_TYPE}", kind, _list)
        yield ArmRoute(f"PUT {ENVIRONMENT_PATH}", kind, self._put)
        yield ArmRoute(f"PATCH {ENVIRONMENT_PATH}", kind, self._patch)
        yield ArmRoute(f"GET {ENVIRONMENT_PATH}", kind, _get)
        yield ArmRoute(f"DELETE {ENVIRONMENT_PATH}", kind, self._delete)

    def _put(self, request: ArmRequest) -> ArmResponse:
        schemas.drop_read_only(request.body)
        known = request.account.find(request.path)
        _check(request, known)
        result = put_resource(request, resource_types.ENVIRONMENT, schemas.ENVIRONMENT, merged=_READ_ONLY)
        if result.new:
            self._open(result.resource)
        request.account.begin_change(result.resource, "Waiting" if result.new else "UpgradeRequested")
        answer = ArmResponse(201 if result.new else 200, _describe(result.resource))
        return operations.AppOperation(operations.ENVIRONMENT, result.resource).add_status(request, answer)

    def _open(self, resource: ArmResource) -> None:
        """Give an environment its domain and address. Its domain has a generated part, as on Azure."""
        properties = resource.properties
        unique = f"{secrets.choice(_ADJECTIVES)}{secrets.choice(_NOUNS)}-{secrets.token_hex(4)}"
        domain = f"{unique}.{resource.body['location']}.azurecontainerapps.io"
        ingress = EnvironmentIngress(
            self._context.public,
            self._context.authority,
            domain,
            lambda host: self._apps.find_host(resource, host),
            lambda: self._apps.list_certified(resource),
        )
        resource.on_removed = ingress.close
        if not properties.get("workloadProfiles"):
            properties["workloadProfiles"] = [_CONSUMPTION]
        properties.setdefault("appLogsConfiguration", {"destination": None})
        properties["customDomainConfiguration"] = {
            "customDomainVerificationId": verification_id(),
            "dnsSuffix": None,
        }
        properties.update(defaultDomain=domain, staticIp=ingress.address)

    def _patch(self, request: ArmRequest) -> ArmResponse:
        schemas.drop_read_only(request.body)
        validate(request.body, schemas.ENVIRONMENT)
        resource = request.resource
        _check(request, resource)
        check_tags(request.body.get("tags") or {})
        if request.body.get("tags") is not None:
            resource.body["tags"] = request.body["tags"]
        resource.properties.update(request.body.get("properties") or {})
        request.account.begin_change(resource, "UpgradeRequested")
        return operations.AppOperation(operations.ENVIRONMENT, resource, result=lambda: _describe(resource)).accept(
            request
        )

    def _delete(self, request: ArmRequest) -> ArmResponse:
        """Source: `ManagedEnvironmentHasContainerApps`, 409, in logs of failed clean-ups; issue 1012 has its form."""
        resource = request.account.find(request.path)
        if resource is None:
            return ArmResponse(204)
        count = len(list(list_apps(request.account, resource)))
        if not count and request.account.is_first("deletion of", resource):  # the app was deleted a moment ago
            count = 1
        if count:
            what = f"The specified environment {resource.name} cannot be deleted because it still contains"
            raise ArmError(409, "ManagedEnvironmentHasContainerApps", f"{what} {count} ContainerApps.")
        _check_idle(resource)
        operation = operations.AppOperation(operations.ENVIRONMENT, resource)
        answer = operation.accept(request)
        begin_deletion(request, resource)
        return answer


def list_apps(account: SubscriptionState, environment: ArmResource) -> Iterator[ArmResource]:
    """Yield the apps of an environment."""
    for each in account.list_resources(resource_types.CONTAINER_APP):
        if each.properties["environmentId"].lower() == environment.id.lower():
            yield each


def _check(request: ArmRequest, known: ArmResource | None) -> None:
    """The rules are those of the documentation; the words are assumed, but for the 409."""
    name = request["environment"]
    limits = "It must consist of lower case alphanumeric characters or '-', and start with a letter."
    text = f"Invalid managed environment name '{name}'. {limits} The length must not be more than 60 characters."
    check_name(name, r"[a-z](?!.*--)[a-z0-9-]{0,58}[a-z0-9]", "ManagedEnvironmentInvalidName", text)
    if known is None:
        _check_quota(request)
    else:
        _check_idle(known)
    properties = request.body.get("properties") or {}
    for each in properties.get("workloadProfiles") or ():
        if each["workloadProfileType"] not in _PROFILES:
            what = f"The workload profile type '{each['workloadProfileType']}' is not supported in the location."
            raise ArmError(400, "WorkloadProfileTypeNotSupported", what)
    logs = properties.get("appLogsConfiguration") or {}
    if (logs.get("destination") or "") not in _DESTINATIONS:
        what = f"The logs destination '{logs['destination']}' is not supported."
        raise ArmError(400, "InvalidRequestParameterWithDetails", what)
    if logs.get("destination") == "log-analytics" and not logs.get("logAnalyticsConfiguration"):
        what = "LogAnalyticsConfiguration.CustomerId is invalid. LogAnalyticsConfiguration must be provided."
        raise ArmError(400, "InvalidRequestParameterWithDetails", what)


def _list_usages(request: ArmRequest) -> ArmResponse:
    """Source: azure-rest-api-specs, Microsoft.App, `Usages_List`. The limit without one of a test is assumed."""
    account = request.account
    entry: Json = {
        "name": {"value": "ManagedEnvironmentCount", "localizedValue": "Managed Environment Count"},
        "unit": "Count",
        "currentValue": len(list(account.list_resources(resource_types.ENVIRONMENT))),
        "limit": account.conditions.limits.get(_TYPE, _DEFAULT_LIMIT),
    }
    return ArmResponse(200, {"value": [entry]})


def _check_quota(request: ArmRequest) -> None:
    """Source: answers of the service in deployment logs, `MaxNumberOfRegionalEnvironmentsInSubExceeded`.

    Its status is assumed.
    """
    limit = request.account.conditions.limits.get(_TYPE)
    if limit is not None and len(list(request.account.list_resources(resource_types.ENVIRONMENT))) >= limit:
        what = f"The subscription cannot have more than {limit} Container App Environments in"
        region = str(request.body.get("location") or "")
        raise ArmError(400, "MaxNumberOfRegionalEnvironmentsInSubExceeded", f"{what} {region}.")


def _check_idle(environment: ArmResource) -> None:
    """Source: microsoft/azure-container-apps, issue 701 (`ManagedEnvironmentOperationInProgress`)."""
    if environment.state not in ("Succeeded", "Failed"):
        what = f"Cannot modify Container Apps environment {environment.name} because another operation is in progress."
        raise ArmError(409, "ManagedEnvironmentOperationInProgress", what)


def _get(request: ArmRequest) -> ArmResponse:
    return ArmResponse(200, _describe(request.resource))


def _list(request: ArmRequest) -> ArmResponse:
    return list_resources(request, resource_types.ENVIRONMENT, _describe)


def _describe(resource: ArmResource) -> Json:
    body = describe_with_state(resource)
    properties = {**body["properties"], "zoneRedundant": bool(resource.properties.get("zoneRedundant"))}
    logs = dict(properties["appLogsConfiguration"] or {})
    if analytics := logs.get("logAnalyticsConfiguration"):
        logs["logAnalyticsConfiguration"] = {"customerId": analytics["customerId"]}  # the key is never returned
    state = "ScheduledForDelete" if resource.state == "Deleting" else resource.state
    return {**body, "properties": {**properties, "appLogsConfiguration": logs, "provisioningState": state}}


_ADJECTIVES = ("brave", "calm", "gentle", "happy", "kind", "polite", "proud", "wonderful")
_NOUNS = ("coast", "desert", "field", "forest", "hill", "meadow", "plant", "river")
