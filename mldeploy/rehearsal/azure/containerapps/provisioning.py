"""Provision a change of an app: pull the image, create the revision, route the traffic.

A change that cannot be provisioned leaves revisions and traffic as they were. Whether the API then shows the former
content of the app or the refused one is not published: it shows the refused one here, which is the harder case.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mldeploy.rehearsal.azure.acr import TOKEN_USER, issue_refresh_token
from mldeploy.rehearsal.azure.arm import resource_types
from mldeploy.rehearsal.azure.arm.schema import ArmError, Json
from mldeploy.rehearsal.azure.arm.state import ArmResource
from mldeploy.rehearsal.azure.containerapps.app import PORT, StandInApp, TrafficRule
from mldeploy.rehearsal.azure.containerapps.context import ContainerAppsContext
from mldeploy.rehearsal.azure.containerapps.operations import ResourceChange
from mldeploy.rehearsal.azure.containerapps.revision import RevisionHooks, StandInRevision
from mldeploy.rehearsal.azure.containerapps.secret_values import SecretReader
from mldeploy.rehearsal.azure.containerapps.template import ReplicaPlan, read_template
from mldeploy.rehearsal.azure.registry_hosts import request_manifest
from mldeploy.rehearsal.containers.host import (
    CPU_UNITS_PER_CORE,
    ContainerHostError,
    HostContainer,
    LaunchSpec,
)
from mldeploy.rehearsal.record import LABEL

_ACTIVE_AT_MOST = 100
"""Standard: Container Apps, "Quotas": revisions of an app. That it is the active ones that count is assumed."""
_REVISION_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class Provisioner:
    """Provisions changes of apps, in threads of their own."""

    def __init__(self, context: ContainerAppsContext) -> None:
        self._context = context
        self._secrets = SecretReader(context)

    def check_secrets(self, body: Mapping[str, Any]) -> None:
        """Read the secrets by reference. Raises ArmError, 400."""
        self._secrets.check(body)

    def provision(self, app: StandInApp, change: ResourceChange, body: Json) -> None:
        """Carry out a change. It blocks until the new revision is ready or has failed; its result is in `change`.

        Source of the end of a revision that does not become ready: microsoft/azure-container-apps, issue 670, and
        many deployment logs ("Operation expired", after about 20 minutes).
        """
        failure: ArmError | None = None
        try:
            revision = self._create_revision(app, body) if body["properties"]["template"] != app.created else None
            with self._context.account.lock:
                self._route(app)
            if revision is not None and not revision.await_decision():
                failure = _operation_error(app, "Operation expired")
        except ArmError as error:
            failure = error
        with self._context.account.lock:
            change.finish(failure)

    def _create_revision(self, app: StandInApp, body: Json) -> StandInRevision | None:
        """Raises ArmError, as the operation shows it. None: the app was deleted meanwhile."""
        properties = body["properties"]
        template, configuration = properties["template"], properties.get("configuration") or {}
        ingress = configuration.get("ingress") or {}
        plan = read_template(template, int(ingress.get("targetPort") or PORT))
        with self._context.account.lock:
            suffix = template.get("revisionSuffix") or _generate_suffix(app)
            self._check_new(app, suffix)
            credentials = self._credentials(app, body, plan.image)
        self._pull(app, plan, credentials, body)
        with self._context.account.lock:
            if self._context.account.find(app.resource.id) is not app.resource:
                return None
            return self._add(app, f"{app.name}--{suffix}", plan, body)

    def _check_new(self, app: StandInApp, suffix: str) -> None:
        """Source: Azure/terraform-azurerm-avm-res-app-containerapp, issue 115. The limit's text is assumed."""
        if f"{app.name}--{suffix}" in app.revisions:
            details = f'Invalid value: "{suffix}": revision with suffix {suffix} already exists.'
            raise _operation_error(app, _invalid_field("template.revisionsuffix", details))
        active = sum(each.is_active for each in app.revisions.values())
        if active >= _ACTIVE_AT_MOST and not app.is_single:
            raise _operation_error(app, f"The maximum number of active revisions ({_ACTIVE_AT_MOST}) is reached.")

    def _credentials(self, app: StandInApp, body: Json, image: str) -> tuple[str, str]:
        """Return user and password for the pull; empty ones if the app has none for the registry."""
        server = image.partition("/")[0]
        configuration = body["properties"].get("configuration") or {}
        for each in configuration.get("registries") or ():
            if each["server"].lower() == server.lower():
                return self._registry_credentials(body, each)
        return "", ""

    def _registry_credentials(self, body: Json, registry: Json) -> tuple[str, str]:
        if not registry.get("identity"):
            return str(registry.get("username") or ""), self._secrets.read(body, registry["passwordSecretRef"])
        identity = self._context.account.find(registry["identity"])
        if identity is None:
            return TOKEN_USER, "there is no such identity"
        principal = identity.properties["principalId"]
        return TOKEN_USER, issue_refresh_token(self._context.tokens, registry["server"], principal)

    def _pull(self, app: StandInApp, plan: ReplicaPlan, credentials: tuple[str, str], body: Json) -> None:
        """Source: microsoft/azure-container-apps, issue 1061 (identity); the other texts in many deployment logs."""
        image, server = plan.image, plan.image.partition("/")[0]
        field = f"template.containers.{plan.container}.image"
        status = request_manifest(self._context.registry_hosts, image, *credentials)
        registries = (body["properties"].get("configuration") or {}).get("registries") or ()
        identity = next((each.get("identity") for each in registries if each["server"] == server), None)
        if status in (401, 403):
            what = "UNAUTHORIZED: authentication required, visit https://aka.ms/acr/authorization for more information."
            if identity:
                what = f"unable to pull image using Managed identity {identity} for registry {server}"
            raise _operation_error(app, _invalid_field(field, f'Invalid value: "{image}": {what}'))
        if status != 200:
            what = f'GET https:: MANIFEST_UNKNOWN: manifest tagged by "{image.rpartition(":")[2]}" is not found'
            raise _operation_error(app, _invalid_field(field, f'Invalid value: "{image}": {what}'))
        try:
            pulled = self._context.host.pull(image, *credentials)
        except ContainerHostError as error:
            raise _operation_error(app, _invalid_field(field, f'Invalid value: "{image}": {error}')) from error
        if pulled.architecture != "amd64":
            what = "no child with platform linux/amd64 in index"  # containerd's words
            raise _operation_error(app, _invalid_field(field, f'Invalid value: "{image}": {what}'))

    def _add(self, app: StandInApp, name: str, plan: ReplicaPlan, body: Json) -> StandInRevision:
        hooks = RevisionHooks(
            launch=lambda replica: self._launch(app, name, replica, plan),
            event=lambda replica, reason, message: app.note(name, replica, reason, message),
            ready=lambda: self._set_ready(app, name),
            is_harsh=lambda: self._context.account.conditions.is_harsh,
        )
        address = self._context.addresses.take()
        revision = app.revisions[name] = StandInRevision(name, plan, hooks, address, self._context.pace)
        address.serve(app.route_revision(name))
        app.latest, app.created = name, body["properties"]["template"]
        self._add_resource(app, name)
        revision.start()
        return revision

    def _add_resource(self, app: StandInApp, name: str) -> None:
        account = self._context.account
        created = datetime.now(UTC).isoformat(timespec="seconds")
        properties = {"createdTime": created, "template": app.created}
        identity = f"{app.resource.id}/revisions/{name}"
        account.add(ArmResource(identity, resource_types.REVISION, name, {"properties": properties}, account.now))

    def _launch(self, app: StandInApp, revision: str, replica: str, plan: ReplicaPlan) -> HostContainer:
        """Start a container with the secrets that the app has now. Raises ContainerHostError."""
        context = self._context
        with context.account.lock:
            environment = self._environment(app, revision, replica, plan)
        return context.host.start(
            LaunchSpec(
                image=plan.image,
                labels={LABEL: context.name, f"{LABEL}.app": app.name, f"{LABEL}.revision": revision},
                environment=environment,
                cpu=int(plan.cores * CPU_UNITS_PER_CORE),
                memory=int(plan.memory * 1024),
                ports=tuple({plan.port, plan.startup.port, plan.readiness.port}),
                entrypoint=plan.command,
                command=plan.arguments,
            )
        )

    def _environment(self, app: StandInApp, revision: str, replica: str, plan: ReplicaPlan) -> dict[str, str]:
        """Standard: Container Apps, "Manage environment variables", built-in environment variables."""
        environment = self._context.account.find(app.resource.properties["environmentId"])
        domain = environment.properties["defaultDomain"] if environment else ""
        own = {
            each["name"]: self._secrets.read(app.resource.body, each["secretRef"])
            if each.get("secretRef")
            else each.get("value") or ""
            for each in plan.variables
        }
        return {
            **own,
            "CONTAINER_APP_NAME": app.name,
            "CONTAINER_APP_REVISION": revision,
            "CONTAINER_APP_HOSTNAME": f"{revision}.{domain}",
            "CONTAINER_APP_ENV_DNS_SUFFIX": domain,
            "CONTAINER_APP_PORT": str(plan.port),
            "CONTAINER_APP_REPLICA_NAME": replica,
        }

    def _set_ready(self, app: StandInApp, name: str) -> None:
        """A revision is ready for the first time. In single revision mode it replaces the others."""
        with self._context.account.lock:
            names = list(app.revisions)
            if name not in names:
                return
            if app.latest_ready not in names or names.index(name) > names.index(app.latest_ready):
                app.latest_ready = name
            self._retire(app)

    def _retire(self, app: StandInApp) -> None:
        """Deactivate what a single revision replaces, and remove the oldest inactive revisions."""
        if app.is_single and app.latest_ready:
            for name, each in app.revisions.items():
                if name not in (app.latest_ready, app.latest):
                    each.deactivate()
        kept = app.configuration.get("maxInactiveRevisions")
        inactive = [name for name, each in app.revisions.items() if not each.is_active]
        for name in inactive[: max(len(inactive) - (100 if kept is None else kept), 0)]:
            revision = app.revisions.pop(name)
            self._context.addresses.release(revision.address)
            self._context.account.remove(self._context.account.get(f"{app.resource.id}/revisions/{name}"))

    def _route(self, app: StandInApp) -> None:
        app.traffic = read_traffic(() if app.is_single else app.ingress.get("traffic") or ())
        self._retire(app)


def read_traffic(traffic: Sequence[Mapping[str, Any]]) -> tuple[TrafficRule, ...]:
    """Return the rules of an ingress; all traffic to the latest revision if it has none."""
    rules = tuple(
        TrafficRule(each.get("revisionName") or "", int(each.get("weight") or 0), each.get("label") or "")
        for each in traffic
    )
    return rules or (TrafficRule("", 100),)


def _generate_suffix(app: StandInApp) -> str:
    while True:
        suffix = "".join(secrets.choice(_REVISION_LETTERS) for _ in range(7))
        if f"{app.name}--{suffix}" not in app.revisions:
            return suffix


def _invalid_field(field: str, details: str) -> str:
    """Source: microsoft/azure-container-apps, issue 1061."""
    return (
        f"The following field(s) are either invalid or missing. Field '{field}' is invalid with details: '{details}';."
    )


def _operation_error(app: StandInApp, details: str) -> ArmError:
    """Source: microsoft/azure-container-apps, issue 1061. The status of a polled result is assumed."""
    what = f"Failed to provision revision for container app '{app.name}'. Error details: {details}."
    return ArmError(400, "ContainerAppOperationError", what)
