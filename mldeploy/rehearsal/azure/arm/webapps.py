"""Sites and slots: create, update, list, swap, delete. Standard: App Service REST API, "Web Apps"."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

from mldeploy.rehearsal.azure.arm import resource_types, site_schemas
from mldeploy.rehearsal.azure.arm.identities import resolve_identity
from mldeploy.rehearsal.azure.arm.long_running import accept_operation, results_of
from mldeploy.rehearsal.azure.arm.plans import get_plan, get_sku, list_sites
from mldeploy.rehearsal.azure.arm.resources import check_name, describe, list_resources, put_resource
from mldeploy.rehearsal.azure.arm.routes import GROUP, SUBSCRIPTION, ArmRequest, ArmResponse, ArmRoute
from mldeploy.rehearsal.azure.arm.schema import ArmError, Json, SiteError, validate
from mldeploy.rehearsal.azure.arm.state import ArmResource, SubscriptionState, not_found_error
from mldeploy.rehearsal.azure.sites.site import StandInSites

_TYPE = "Microsoft.Web/sites"
SITE_PATH = f"{GROUP}/providers/{_TYPE}/{{site}}"
SLOT_PATH = f"{SITE_PATH}/slots/{{slot}}"
_READ_ONLY = ("state", "defaultHostName")
_SHOWN = ("linuxFxVersion", "acrUseManagedIdentityCreds", "alwaysOn", "http20Enabled", "numberOfWorkers")
_PATTERN = r"[A-Za-z0-9]([A-Za-z0-9-]{0,58}[A-Za-z0-9])?"


class WebApps:
    """The operations on sites and slots. sites: the stand-in sites."""

    def __init__(self, sites: StandInSites) -> None:
        self._sites = sites

    @property
    def routes(self) -> Iterator[ArmRoute]:
        available = f"{SUBSCRIPTION}/providers/Microsoft.Web/checknameavailability"
        needed = "Microsoft.Web/checknameavailability/read"
        yield ArmRoute(f"POST {available}", resource_types.SITE, _check_name, needed, read_only=True)
        yield ArmRoute(f"GET {SUBSCRIPTION}/providers/{_TYPE}", resource_types.SITE, self._list)
        yield ArmRoute(f"GET {GROUP}/providers/{_TYPE}", resource_types.SITE, self._list)
        yield ArmRoute(f"GET {SITE_PATH}/slots", resource_types.SLOT, self._list_slots)
        yield ArmRoute(f"POST {SITE_PATH}/slotsswap", resource_types.SITE, self._swap)
        for path, kind in ((SITE_PATH, resource_types.SITE), (SLOT_PATH, resource_types.SLOT)):
            yield ArmRoute(f"PUT {path}", kind, self._put)
            yield ArmRoute(f"PATCH {path}", kind, self._patch)
            yield ArmRoute(f"GET {path}", kind, self._get)
            yield ArmRoute(f"DELETE {path}", kind, self._delete)

    def _put(self, request: ArmRequest) -> ArmResponse:
        account, slot = request.account, request.parameters.get("slot")
        validate(request.body, site_schemas.SITE)
        known = account.find(request.path)
        if known is None:
            (_check_new_slot if slot else _check_new_site)(request)
        before = self._copy_state(known)
        config, plan = _extract_config(request, known)
        _check_config(plan, config)
        request.body["identity"] = resolve_identity(account, request.body.get("identity"))
        _authorize_linked(request, plan)
        result = put_resource(
            request, resource_types.SLOT if slot else resource_types.SITE, site_schemas.SITE, merged=_READ_ONLY
        )
        if result.new:
            result.resource.name = f"{request['site']}/{slot}" if slot else request["site"]
            self._sites.create(result.resource)
        result.resource.properties["serverFarmId"] = plan.id
        self._configure(result.resource, config)
        self._restart_if_changed(result.resource, before)
        body = self._describe(result.resource)
        if not result.new:
            return ArmResponse(200, body)
        return accept_operation(request, lambda: body, results_of(result.resource), body)

    def _patch(self, request: ArmRequest) -> ArmResponse:
        validate(request.body, site_schemas.PATCH)
        resource = request.resource
        before = self._copy_state(resource)
        properties = request.body.get("properties") or {}
        config = properties.pop("siteConfig", None) or {}
        _check_config(get_plan(request.account, resource), config)
        resource.properties.update(properties)
        if "identity" in request.body:
            resource.body["identity"] = resolve_identity(request.account, request.body["identity"])
        self._configure(resource, config)
        self._restart_if_changed(resource, before)
        return ArmResponse(200, self._describe(resource))

    def _configure(self, resource: ArmResource, config: Json) -> None:
        """Merge a configuration into the site's; app settings replace all existing ones."""
        site, config = self._sites[resource], dict(config)
        if (settings := config.pop("appSettings", None)) is not None:
            site.settings = {each["name"]: each.get("value") or "" for each in settings}
        site.config.update({name: value for name, value in config.items() if value is not None})

    def _copy_state(self, resource: ArmResource | None) -> object:
        """Return the state whose change restarts a site: all but the tags."""
        if resource is None:
            return None
        site, body = self._sites[resource], resource.body
        return deepcopy((site.config, site.settings, body.get("identity"), body["properties"]))

    def _restart_if_changed(self, resource: ArmResource, before: object) -> None:
        site = self._sites[resource]
        if before != self._copy_state(resource) or not site.is_up:
            site.restart()

    def _get(self, request: ArmRequest) -> ArmResponse:
        if request.account.is_first("answer about", request.resource):  # not replicated yet
            raise not_found_error(request.path)
        return ArmResponse(200, self._describe(request.resource))

    def _list(self, request: ArmRequest) -> ArmResponse:
        return list_resources(request, resource_types.SITE, self._describe)

    def _list_slots(self, request: ArmRequest) -> ArmResponse:
        site = request.account.get(request.strip_ending("/slots"))
        slots = request.account.list_resources(resource_types.SLOT, within=site.id)
        return ArmResponse(200, {"value": [self._describe(each) for each in slots]})

    def _delete(self, request: ArmRequest) -> ArmResponse:
        """Delete a site, and its plan if that is empty, unless the request disables this."""
        resource = request.account.find(request.path)
        if resource is None:
            return ArmResponse(204)
        plan = get_plan(request.account, resource)
        request.account.remove(resource)
        keeps = request.query.get("deleteEmptyServerFarm", "true").lower() == "false"
        if resource.kind is resource_types.SITE and not keeps and not list_sites(request.account, plan):
            request.account.remove(plan)
        return ArmResponse(200)

    def _swap(self, request: ArmRequest) -> ArmResponse:
        validate(request.body, site_schemas.SWAP)
        production = request.account.get(request.strip_ending("/slotsswap"))
        slot = request.account.get(f"{production.id}/slots/{request.body['targetSlot']}")
        one, other = self._sites[production], self._sites[slot]
        if not other.is_up:
            what = f"Cannot swap site slots for site '{production.name}'"
            raise SiteError(409, "Conflict", f"{what} because the '{slot.name}' slot did not respond to http ping.")
        one.swap(other)
        return accept_operation(request, lambda: None, results_of(production))

    def _describe(self, resource: ArmResource) -> Json:
        site, body = self._sites[resource], describe(resource)
        config = {name: site.config.get(name) for name in _SHOWN}
        more = {"hostNames": [site.host], "enabled": True, "availabilityState": "Normal", "siteConfig": config}
        return {**body, "properties": {**body["properties"], **more, "resourceGroup": resource.id.split("/")[4]}}


def _extract_config(request: ArmRequest, known: ArmResource | None) -> tuple[Json, ArmResource]:
    """Remove the site configuration from the request body. Return it and the plan. Raises ArmError."""
    properties: Json = request.body["properties"]
    config: Json = properties.pop("siteConfig", None) or {}
    parent = request.account.get(request.path.rpartition("/slots/")[0]) if "slot" in request.parameters else known
    plan = properties.get("serverFarmId") or (parent.properties["serverFarmId"] if parent else "")
    resource = request.account.find(plan)
    if resource is None or resource.kind is not resource_types.PLAN:
        what = f"Cannot find ServerFarm with name {plan.rpartition('/')[2]}."
        raise SiteError(404 if plan else 400, "NotFound" if plan else "BadRequest", what)
    return config, resource


def _authorize_linked(request: ArmRequest, plan: ArmResource) -> None:
    """Check the permissions on the plan and the identities that a site names. Raises ArmError, 403."""
    account, action = request.account, f"{_TYPE}/slots/write" if "slot" in request.parameters else f"{_TYPE}/write"
    account.authorize_linked(action, "Microsoft.Web/serverfarms/join/action", plan.id)
    for each in (request.body["identity"] or {}).get("userAssignedIdentities") or ():
        account.authorize_linked(action, "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", each)


def _check_config(plan: ArmResource, config: Json) -> None:
    """Check a configuration against the plan's SKU. Raises ArmError."""
    sku, image = get_sku(plan), str(config.get("linuxFxVersion") or "")
    if config.get("alwaysOn") and not sku.always_on:
        what = "There was a conflict. AlwaysOn cannot be set for this site as the plan does not allow it."
        raise SiteError(409, "Conflict", what)
    if image and (not plan.properties.get("reserved") or "|" not in image):
        raise SiteError(400, "BadRequest", "The parameter LinuxFxVersion has an invalid value.")


def _check_new_site(request: ArmRequest) -> None:
    name = request["site"]
    limits = "It is to have 1 to 60 letters, digits and hyphens, and not to begin or end with a hyphen."
    check_name(name, _PATTERN, "BadRequest", f"The site name '{name}' is invalid. {limits}")
    if _is_name_used(request.account, name):
        raise SiteError(409, "Conflict", f"Website with given name {name} already exists.")


def _check_new_slot(request: ArmRequest) -> None:
    site = request.account.get(request.path.rpartition("/slots/")[0])
    sku, others = (
        get_sku(get_plan(request.account, site)),
        list(request.account.list_resources(resource_types.SLOT, within=site.id)),
    )
    if len(others) >= sku.slots:
        what = "Cannot complete the operation because the site will exceed the number of slots allowed for the"
        raise SiteError(409, "Conflict", f"{what} '{sku.tier}' SKU.")


def _check_name(request: ArmRequest) -> ArmResponse:
    validate(request.body, site_schemas.NAME)
    name = request.body["name"]
    if request.body["type"] not in ("Site", _TYPE, "Slot", f"{_TYPE}/slots"):
        raise ArmError(400, "BadRequest", f"The parameter type has an invalid value: {request.body['type']}.")
    try:
        check_name(name, _PATTERN, "Invalid", f"The site name '{name}' is invalid.")
    except ArmError as refusal:
        return ArmResponse(200, {"nameAvailable": False, "reason": "Invalid", "message": refusal.message})
    if _is_name_used(request.account, name):
        what = f"Hostname '{name}' already exists. Please select a different name."
        return ArmResponse(200, {"nameAvailable": False, "reason": "AlreadyExists", "message": what})
    return ArmResponse(200, {"nameAvailable": True, "reason": "", "message": ""})


def _is_name_used(account: SubscriptionState, name: str) -> bool:
    """Return whether a site name is in use. Names are globally unique."""
    ours = any(each.name.lower() == name.lower() for each in account.list_resources(resource_types.SITE))
    return ours or (_TYPE.lower(), name.lower()) in account.conditions.taken
