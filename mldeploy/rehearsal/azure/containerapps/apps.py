"""Container apps: create, update, start, stop, delete. Standard: Container Apps REST API, "Container Apps"."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from mldeploy.rehearsal.azure.arm import resource_types
from mldeploy.rehearsal.azure.arm.identities import resolve_identity
from mldeploy.rehearsal.azure.arm.long_running import begin_deletion
from mldeploy.rehearsal.azure.arm.resources import describe_with_state, list_resources, put_resource
from mldeploy.rehearsal.azure.arm.routes import GROUP, SUBSCRIPTION, ArmRequest, ArmResponse, ArmRoute
from mldeploy.rehearsal.azure.arm.schema import ArmError, Json, validate
from mldeploy.rehearsal.azure.arm.state import ArmResource
from mldeploy.rehearsal.azure.containerapps import operations, schemas
from mldeploy.rehearsal.azure.containerapps.app import StandInApp, run_later
from mldeploy.rehearsal.azure.containerapps.app_checks import check_app, check_app_name, find_environment
from mldeploy.rehearsal.azure.containerapps.context import ContainerAppsContext
from mldeploy.rehearsal.azure.containerapps.domains import check_domains, verification_id
from mldeploy.rehearsal.azure.containerapps.ingress import RevisionIngress
from mldeploy.rehearsal.azure.containerapps.operations import AppOperation, ResourceChange
from mldeploy.rehearsal.azure.containerapps.provisioning import Provisioner
from mldeploy.rehearsal.azure.containerapps.template import show_template

_TYPE = "Microsoft.App/containerApps"
APP_PATH = f"{GROUP}/providers/{_TYPE}/{{app}}"
LOG_AUDIENCE = "https://azurecontainerapps.dev"
_LIST_SECRETS = "/listSecrets"


class ContainerApps:
    """The operations on apps, and the apps by resource."""

    def __init__(self, context: ContainerAppsContext) -> None:
        self._context = context
        self._apps: dict[str, StandInApp] = {}
        self._provisioner = Provisioner(context)

    def __getitem__(self, resource: ArmResource) -> StandInApp:
        """Return the app of a resource. The caller holds the account's lock."""
        return self._apps[resource.id.lower()]

    def host_of(self, resource: ArmResource) -> str:
        """Return where an app answers, HOST:PORT."""
        return self[resource].host

    def scale_down(self) -> None:
        """Let every revision be as after its cooldown period."""
        with self._context.account.lock:
            for revision in [revision for app in self._apps.values() for revision in app.revisions.values()]:
                revision.scale_to(revision.plan.least)

    @property
    def routes(self) -> Iterator[ArmRoute]:
        kind = resource_types.CONTAINER_APP
        yield ArmRoute(f"GET {SUBSCRIPTION}/providers/{_TYPE}", kind, self._list)
        yield ArmRoute(f"GET {GROUP}/providers/{_TYPE}", kind, self._list)
        yield ArmRoute(f"PUT {APP_PATH}", kind, self._put)
        yield ArmRoute(f"PATCH {APP_PATH}", kind, self._patch)
        yield ArmRoute(f"GET {APP_PATH}", kind, self._get)
        yield ArmRoute(f"DELETE {APP_PATH}", kind, self._delete)
        yield ArmRoute(f"POST {APP_PATH}{_LIST_SECRETS}", kind, self._list_secrets, read_only=True)
        yield ArmRoute(f"POST {APP_PATH}/getAuthtoken", kind, self._get_token, read_only=True)
        yield ArmRoute(f"POST {APP_PATH}/start", kind, self._start)
        yield ArmRoute(f"POST {APP_PATH}/stop", kind, self._stop)

    def _put(self, request: ArmRequest) -> ArmResponse:
        schemas.drop_read_only(request.body)
        validate(request.body, schemas.APP)
        known = request.account.find(request.path)
        if known is None:
            check_app_name(request["app"])
        else:
            check_idle(known)
        self._prepare(request, request.body, known)
        result = put_resource(request, resource_types.CONTAINER_APP, schemas.APP, merged=("runningStatus",))
        if result.new:
            self._open(result.resource)
        operation = self._apply(request, result.resource)
        answer = ArmResponse(201 if result.new else 200, self._describe(result.resource))
        return operation.add_status(request, answer)

    def _patch(self, request: ArmRequest) -> ArmResponse:
        """Merge the request into the app, list by list. Standard: RFC 7396."""
        schemas.drop_read_only(request.body)
        validate(request.body, schemas.APP_PATCH)
        resource = request.resource
        check_idle(resource)
        merged = merge_patch({name: each for name, each in resource.body.items() if name != "etag"}, request.body)
        merged["location"] = resource.body["location"]
        self._prepare(request, merged, resource)
        resource.body = merged
        return self._apply(request, resource).accept(request)

    def _prepare(self, request: ArmRequest, body: Json, known: ArmResource | None) -> None:
        """Check a complete body, and fill in what the API adds. Raises ArmError."""
        properties = body["properties"]
        properties["environmentId"] = properties.pop("managedEnvironmentId", None) or properties.get("environmentId")
        if not body.get("location"):
            raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
        environment = find_environment(request.account, body)
        properties["environmentId"] = environment.id
        properties.setdefault("workloadProfileName", None)
        check_app(request, body, self[known].revisions if known else None)
        check_domains(request.account, environment, known, body)
        body["identity"] = resolve_identity(request.account, body.get("identity"))
        _authorize_linked(request, environment, body)
        self._provisioner.check_secrets(body)

    def _open(self, resource: ArmResource) -> None:
        app = self._apps[resource.id.lower()] = StandInApp(self._context, resource, self._context.addresses.take())
        resource.properties["runningStatus"] = "Running"

        def close() -> None:
            self._apps.pop(resource.id.lower(), None)
            app.close()

        resource.on_removed = close

    def _apply(self, request: ArmRequest, resource: ArmResource) -> AppOperation:
        """Begin the change of an app whose resource has the new content."""
        change = ResourceChange(request.account, resource)
        app = self[resource]
        run_later(lambda: self._provisioner.provision(app, change, deepcopy(resource.body)))
        return AppOperation(operations.APP, resource, change, lambda: self._describe(resource))

    def _get(self, request: ArmRequest) -> ArmResponse:
        return ArmResponse(200, self._describe(request.resource))

    def _list(self, request: ArmRequest) -> ArmResponse:
        return list_resources(request, resource_types.CONTAINER_APP, self._describe)

    def _delete(self, request: ArmRequest) -> ArmResponse:
        resource = request.account.find(request.path)
        if resource is None:
            return ArmResponse(204)
        check_idle(resource)
        answer = AppOperation(operations.APP, resource).accept(request)
        begin_deletion(request, resource)
        return answer

    def _list_secrets(self, request: ArmRequest) -> ArmResponse:
        resource = request.account.get(request.strip_ending(_LIST_SECRETS))
        secrets = (resource.properties.get("configuration") or {}).get("secrets") or ()
        return ArmResponse(200, {"value": [dict(each) for each in secrets]})

    def _get_token(self, request: ArmRequest) -> ArmResponse:
        """Issue the token of the log stream. Standard: azure-rest-api-specs, `ContainerApps_GetAuthToken`."""
        resource = request.account.get(request.strip_ending("/getAuthtoken"))
        token = self._context.tokens.issue(LOG_AUDIENCE, app=resource.id.lower())
        expires = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        body = {"id": resource.id, "name": resource.name, "type": resource.kind.name}
        properties = {"token": token, "expires": expires}
        return ArmResponse(200, {**body, "location": resource.body["location"], "properties": properties})

    def _start(self, request: ArmRequest) -> ArmResponse:
        return self._switch(request, "/start", "Running")

    def _stop(self, request: ArmRequest) -> ArmResponse:
        return self._switch(request, "/stop", "Stopped")

    def _switch(self, request: ArmRequest, ending: str, status: str) -> ArmResponse:
        resource = request.account.get(request.strip_ending(ending))
        check_idle(resource)
        app = self[resource]
        if resource.properties["runningStatus"] != status:
            resource.properties["runningStatus"] = status
            for each in app.revisions.values():
                if status == "Stopped":
                    each.scale_to(0)
                elif each.is_active:
                    each.start()
        request.account.begin_change(resource, "InProgress")
        return AppOperation(operations.APP, resource, result=lambda: self._describe(resource)).accept(request)

    def _describe(self, resource: ArmResource) -> Json:
        body, app = describe_with_state(resource), self[resource]
        properties = body["properties"]
        latest = app.revisions.get(app.latest)
        domain = self._domain(resource)
        described = {
            **properties,
            "managedEnvironmentId": properties["environmentId"],
            "latestRevisionName": app.latest or None,
            "latestReadyRevisionName": app.latest_ready or None,
            "latestRevisionFqdn": latest.host if latest else None,
            "customDomainVerificationId": verification_id(),
            "configuration": _describe_configuration(app),
            "template": show_template(properties["template"]),
            "outboundIpAddresses": ["20.0.0.1"],
            "eventStreamEndpoint": f"{self._context.url}{stream_path(resource.id)}/eventstream",
            "workloadProfileName": properties.get("workloadProfileName") or ("Consumption" if domain else None),
        }
        described_body = {**body, "properties": described}
        return _spell_otherwise(described_body) if self._context.account.conditions.is_harsh else described_body

    def _domain(self, resource: ArmResource) -> str:
        environment = self._context.account.find(resource.properties["environmentId"])
        return str(environment.properties["defaultDomain"]) if environment else ""

    def find_host(self, environment: ArmResource, host: str) -> RevisionIngress | None:
        """Return the application of a host name of an environment: an app, a revision, a label or a custom domain."""
        with self._context.account.lock:
            domain = f".{environment.properties['defaultDomain']}"
            for app in list(self._apps.values()):
                if app.resource.properties["environmentId"].lower() != environment.id.lower():
                    continue
                if (found := _route_host(app, host, domain)) is not None:
                    return found
        return None

    def list_certified(self, environment: ArmResource) -> frozenset[str]:
        """Return the custom domains of an environment's apps that have a certificate."""
        with self._context.account.lock:
            return frozenset(
                each["name"].lower()
                for app in self._apps.values()
                if app.resource.properties["environmentId"].lower() == environment.id.lower()
                for each in app.ingress.get("customDomains") or ()
                if each.get("certificateId")
            )


def _route_host(app: StandInApp, host: str, domain: str) -> RevisionIngress | None:
    domains = [each["name"].lower() for each in app.ingress.get("customDomains") or ()]
    name = host.removesuffix(domain)
    if host in domains or (host.endswith(domain) and name == app.name):
        return RevisionIngress(app, app.choose, lambda: host)
    if not host.endswith(domain):
        return None
    revision = name if "---" not in name else app.labels().get(name.removeprefix(f"{app.name}---"), "")
    if revision not in app.revisions or not name.startswith(f"{app.name}--"):
        return None
    return app.route_revision(revision)


def _spell_otherwise(body: Json) -> Json:
    """Spell id and region as the API does, too. Source: microsoft/azure-container-apps, issue 1174."""
    region = {"westeurope": "West Europe", "northeurope": "North Europe"}.get(body["location"], body["location"])
    return {**body, "id": body["id"].replace("/containerApps/", "/containerapps/"), "location": region}


def check_idle(resource: ArmResource) -> None:
    """Raises ArmError, 409, while an operation on the app runs.

    Source: microsoft/azure-container-apps, issue 1731, and the same answer in other logs (`OperationId`).
    """
    if resource.state in ("InProgress", "Deleting"):
        what = f"Cannot modify a container app '{resource.name}' because there is an active provisioning operation"
        raise ArmError(409, "ContainerAppOperationInProgress", f"{what} in progress.")


def stream_path(resource_id: str) -> str:
    """Return the path of an app's log streams. Standard: Azure CLI, `containerapp logs show`."""
    return re.sub(r"/providers/Microsoft\.App", "", resource_id, flags=re.IGNORECASE)


def merge_patch(target: Json, patch: Json) -> Json:
    """Merge a patch into a JSON object. Standard: RFC 7396."""
    merged = deepcopy(target)
    for name, each in patch.items():
        if each is None:
            merged.pop(name, None)
        elif isinstance(each, dict) and isinstance(merged.get(name), dict):
            merged[name] = merge_patch(merged[name], each)
        else:
            merged[name] = deepcopy(each)
    return merged


def format_created(seconds: float) -> str:
    """Return a time as the API writes it."""
    return datetime.fromtimestamp(seconds or time.time(), UTC).isoformat(timespec="seconds")


def _authorize_linked(request: ArmRequest, environment: ArmResource, body: Mapping[str, Any]) -> None:
    """Check the permissions on the environment and the identities that an app names. Raises ArmError, 403."""
    account, action = request.account, f"{_TYPE}/write"
    account.authorize_linked(action, "Microsoft.App/managedEnvironments/join/action", environment.id)
    for each in (body.get("identity") or {}).get("userAssignedIdentities") or ():
        account.authorize_linked(action, "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", each)


def _describe_configuration(app: StandInApp) -> Json:
    """Return the configuration as the API shows it: without the secrets' values."""
    configuration = dict(app.configuration)
    secrets = [
        {name: each[name] for name in ("name", "keyVaultUrl", "identity") if each.get(name)}
        for each in configuration.get("secrets") or ()
    ]
    registries = [
        {"server": "", "username": "", "passwordSecretRef": "", "identity": "", **each}
        for each in configuration.get("registries") or ()
    ]
    ingress = dict(app.ingress)
    if ingress:
        defaults = {"exposedPort": 0, "transport": "Auto", "allowInsecure": False, "customDomains": None}
        more = {"ipSecurityRestrictions": None, "corsPolicy": None, "stickySessions": None}
        ingress = {**defaults, **more, "clientCertificateMode": None, "additionalPortMappings": None, **ingress}
        ingress["fqdn"] = app.host
        ingress["traffic"] = ingress.get("traffic") or [{"weight": 100, "latestRevision": True}]
    shown = {"activeRevisionsMode": "Single", "maxInactiveRevisions": 100, "dapr": None, "runtime": None}
    return {
        **shown,
        "service": None,
        "identitySettings": [],
        **configuration,
        "secrets": secrets or None,
        "registries": registries or None,
        "ingress": ingress or None,
    }
