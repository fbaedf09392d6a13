"""Sites and their slots: how they come into being, change, are exchanged and go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy

from mldeploy.rehearsal.azure.arm import kinds, webshapes
from mldeploy.rehearsal.azure.arm.account import Account, Resource
from mldeploy.rehearsal.azure.arm.errors import ArmError, SiteError
from mldeploy.rehearsal.azure.arm.identities import assigned
from mldeploy.rehearsal.azure.arm.long import with_location
from mldeploy.rehearsal.azure.arm.plans import plan_of, sites_on, sku_of
from mldeploy.rehearsal.azure.arm.routes import GROUP, SUBSCRIPTION, Answer, Question, Route
from mldeploy.rehearsal.azure.arm.shape import Json, check
from mldeploy.rehearsal.azure.arm.tracked import check_name, keep, shown
from mldeploy.rehearsal.azure.sites.sites import Sites

_TYPE = "Microsoft.Web/sites"
PLACE = f"{GROUP}/providers/{_TYPE}/{{site}}"
SLOT = f"{PLACE}/slots/{{slot}}"
_MINE = ("state", "defaultHostName")
_SHOWN = ("linuxFxVersion", "acrUseManagedIdentityCreds", "alwaysOn", "http20Enabled", "numberOfWorkers")
_PATTERN = r"[A-Za-z0-9]([A-Za-z0-9-]{0,58}[A-Za-z0-9])?"


class WebApps:
    """Answers for sites and slots. sites: what runs for them."""

    def __init__(self, sites: Sites) -> None:
        self._sites = sites

    @property
    def routes(self) -> Iterator[Route]:
        available = f"{SUBSCRIPTION}/providers/Microsoft.Web/checknameavailability"
        yield Route(f"POST {available}", kinds.SITE, _check_name, reads=True)
        yield Route(f"GET {SUBSCRIPTION}/providers/{_TYPE}", kinds.SITE, self._list)
        yield Route(f"GET {GROUP}/providers/{_TYPE}", kinds.SITE, self._list)
        yield Route(f"GET {PLACE}/slots", kinds.SLOT, self._list_slots)
        yield Route(f"POST {PLACE}/slotsswap", kinds.SITE, self._swap)
        for place, kind in ((PLACE, kinds.SITE), (SLOT, kinds.SLOT)):
            yield Route(f"PUT {place}", kind, self._put)
            yield Route(f"PATCH {place}", kind, self._patch)
            yield Route(f"GET {place}", kind, self._get)
            yield Route(f"DELETE {place}", kind, self._delete)

    def _put(self, asked: Question) -> Answer:
        account, slot = asked.account, asked.parameters.get("slot")
        check(asked.body, webshapes.SITE)
        known = account.find(asked.path)
        if known is None:
            (_check_new_slot if slot else _check_new_site)(asked)
        before = self._state(known)
        config, plan = _taken_out(asked, known)
        _check_config(plan, config)
        asked.body["identity"] = assigned(account, asked.body.get("identity"))
        kept = keep(asked, kinds.SLOT if slot else kinds.SITE, webshapes.SITE, merged=_MINE)
        if kept.new:
            kept.resource.name = f"{asked['site']}/{slot}" if slot else asked["site"]
            self._sites.come(kept.resource)
        kept.resource.properties["serverFarmId"] = plan.id
        self._configure(kept.resource, config)
        self._renew_if(kept.resource, before)
        body = self._shown(kept.resource)
        return with_location(asked, lambda: body, _TYPE, body) if kept.new else Answer(200, body)

    def _patch(self, asked: Question) -> Answer:
        check(asked.body, webshapes.PATCH)
        resource = asked.resource
        before = self._state(resource)
        properties = asked.body.get("properties") or {}
        config = properties.pop("siteConfig", None) or {}
        _check_config(plan_of(asked.account, resource), config)
        resource.properties.update(properties)
        if "identity" in asked.body:
            resource.body["identity"] = assigned(asked.account, asked.body["identity"])
        self._configure(resource, config)
        self._renew_if(resource, before)
        return Answer(200, self._shown(resource))

    def _configure(self, resource: Resource, config: Json) -> None:
        """What is said is taken; app settings replace all that there were."""
        site, config = self._sites[resource], dict(config)
        if (settings := config.pop("appSettings", None)) is not None:
            site.settings = {each["name"]: each.get("value") or "" for each in settings}
        site.config.update({name: value for name, value in config.items() if value is not None})

    def _state(self, resource: Resource | None) -> object:
        """What a site is restarted for when it changes: all but its tags."""
        if resource is None:
            return None
        site, body = self._sites[resource], resource.body
        return deepcopy((site.config, site.settings, body.get("identity"), body["properties"]))

    def _renew_if(self, resource: Resource, before: object) -> None:
        site = self._sites[resource]
        if before != self._state(resource) or not site.is_up:
            site.renew()

    def _get(self, asked: Question) -> Answer:
        return Answer(200, self._shown(asked.resource))

    def _list(self, asked: Question) -> Answer:
        within = asked.path[: asked.path.lower().index("/providers/")]
        return self._listed(list(asked.account.of(kinds.SITE, within=within)))

    def _list_slots(self, asked: Question) -> Answer:
        site = asked.account.need(asked.cut("/slots"))
        return self._listed(list(asked.account.of(kinds.SLOT, within=site.id)))

    def _listed(self, found: Sequence[Resource]) -> Answer:
        return Answer(200, {"value": [self._shown(each) for each in found]})

    def _delete(self, asked: Question) -> Answer:
        """A plan that is empty then goes, too, unless the caller says otherwise."""
        found = asked.account.find(asked.path)
        if found is None:
            return Answer(204)
        plan = plan_of(asked.account, found)
        asked.account.remove(found)
        keeps = asked.query.get("deleteEmptyServerFarm", "true").lower() == "false"
        if found.kind is kinds.SITE and not keeps and not sites_on(asked.account, plan):
            asked.account.remove(plan)
        return Answer(200)

    def _swap(self, asked: Question) -> Answer:
        check(asked.body, webshapes.SWAP)
        production = asked.account.need(asked.cut("/slotsswap"))
        slot = asked.account.need(f"{production.id}/slots/{asked.body['targetSlot']}")
        one, other = self._sites[production], self._sites[slot]
        if not other.is_up:
            what = f"Cannot swap site slots for site '{production.name}'"
            raise SiteError(409, "Conflict", f"{what} because the '{slot.name}' slot did not respond to http ping.")
        one.swap(other)
        return with_location(asked, lambda: None, _TYPE)

    def _shown(self, resource: Resource) -> Json:
        site, body = self._sites[resource], shown(resource)
        config = {name: site.config.get(name) for name in _SHOWN}
        more = {"hostNames": [site.host], "enabled": True, "availabilityState": "Normal", "siteConfig": config}
        return {**body, "properties": {**body["properties"], **more, "resourceGroup": resource.id.split("/")[4]}}


def _taken_out(asked: Question, known: Resource | None) -> tuple[Json, Resource]:
    """The site's configuration, without which the rest is kept, and its plan. Raises ArmError."""
    properties: Json = asked.body["properties"]
    config: Json = properties.pop("siteConfig", None) or {}
    parent = asked.account.need(asked.path.rpartition("/slots/")[0]) if "slot" in asked.parameters else known
    plan = properties.get("serverFarmId") or (parent.properties["serverFarmId"] if parent else "")
    found = asked.account.find(plan)
    if found is None or found.kind is not kinds.PLAN:
        what = f"Cannot find ServerFarm with name {plan.rpartition('/')[2]}."
        raise SiteError(404 if plan else 400, "NotFound" if plan else "BadRequest", what)
    return config, found


def _check_config(plan: Resource, config: Json) -> None:
    """Raises ArmError where the plan's SKU cannot do that."""
    sku, image = sku_of(plan), str(config.get("linuxFxVersion") or "")
    if config.get("alwaysOn") and not sku.always_on:
        what = "There was a conflict. AlwaysOn cannot be set for this site as the plan does not allow it."
        raise SiteError(409, "Conflict", what)
    if image and (not plan.properties.get("reserved") or "|" not in image):
        raise SiteError(400, "BadRequest", "The parameter LinuxFxVersion has an invalid value.")


def _check_new_site(asked: Question) -> None:
    name = asked["site"]
    limits = "It is to have 1 to 60 letters, digits and hyphens, and not to begin or end with a hyphen."
    check_name(name, _PATTERN, "BadRequest", f"The site name '{name}' is invalid. {limits}")
    if _is_taken(asked.account, name):
        raise SiteError(409, "Conflict", f"Website with given name {name} already exists.")


def _check_new_slot(asked: Question) -> None:
    site = asked.account.need(asked.path.rpartition("/slots/")[0])
    sku, others = sku_of(plan_of(asked.account, site)), list(asked.account.of(kinds.SLOT, within=site.id))
    if len(others) >= sku.slots:
        what = "Cannot complete the operation because the site will exceed the number of slots allowed for the"
        raise SiteError(409, "Conflict", f"{what} '{sku.tier}' SKU.")


def _check_name(asked: Question) -> Answer:
    check(asked.body, webshapes.NAME)
    name = asked.body["name"]
    if asked.body["type"] not in ("Site", _TYPE, "Slot", f"{_TYPE}/slots"):
        raise ArmError(400, "BadRequest", f"The parameter type has an invalid value: {asked.body['type']}.")
    try:
        check_name(name, _PATTERN, "Invalid", f"The site name '{name}' is invalid.")
    except ArmError as refusal:
        return Answer(200, {"nameAvailable": False, "reason": "Invalid", "message": refusal.message})
    if _is_taken(asked.account, name):
        what = f"Hostname '{name}' already exists. Please select a different name."
        return Answer(200, {"nameAvailable": False, "reason": "AlreadyExists", "message": what})
    return Answer(200, {"nameAvailable": True, "reason": "", "message": ""})


def _is_taken(account: Account, name: str) -> bool:
    """A site's name is one of a kind in the world."""
    ours = any(each.name.lower() == name.lower() for each in account.of(kinds.SITE))
    return ours or (_TYPE.lower(), name.lower()) in account.orders.taken
