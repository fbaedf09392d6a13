"""Read and change sites and their slots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial

from azure.mgmt.resource.resources.models import Tags, TagsPatchResource
from azure.mgmt.web.models import (
    ApiKVReference,
    Experiments,
    RampUpRule,
    ResourceNameAvailabilityRequest,
    SiteConfig,
    SiteConfigResource,
)
from azure.mgmt.web.models import Site as SiteModel

from mldeploy.config.secret import Secret
from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key
from mldeploy.providers.azure.cloud import enum_text
from mldeploy.providers.azure.errors import ignore_not_found
from mldeploy.providers.azure.tags import derive_site_name, has_webapp_tags, resolve_name
from mldeploy.providers.azure.waiting import run_operation
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.plan import normalize_region
from mldeploy.providers.azure.webapp.site_spec import SiteSpec, parse_site

STAGING, CANARY = "staging", "canary"
"""Names of slots: of a deployment, and of a candidate that stands beside the serving version."""
EXAMINED = "mldeploy.canary"
"""A tag of the canary slot: the digest of the candidate, once that has passed its examination."""
STOPPED = "Stopped"


@dataclass(frozen=True)
class SiteSlot:
    """A site, or a slot of it."""

    group: str
    site: str
    slot: str = ""

    def __str__(self) -> str:
        return f"{self.site}/{self.slot}" if self.slot else self.site

    @property
    def staging(self) -> SiteSlot:
        return SiteSlot(self.group, self.site, STAGING)

    @property
    def production(self) -> SiteSlot:
        return SiteSlot(self.group, self.site)

    @property
    def canary(self) -> SiteSlot:
        return SiteSlot(self.group, self.site, CANARY)


@dataclass(frozen=True)
class SiteInfo:
    """A site or a slot. host: its host name. percent: the share of its requests that the canary slot gets."""

    id: str
    host: str
    region: str
    state: str
    ours: bool
    spec: SiteSpec
    tags: Mapping[str, str]
    percent: float = 0.0

    @property
    def url(self) -> str:
        return f"https://{self.host}"

    @property
    def is_stopped(self) -> bool:
        return self.state == STOPPED

    @property
    def stands(self) -> bool:
        """Whether this slot has a candidate that has passed its examination. After a swap it has the old version."""
        return self.tags.get(EXAMINED, "") == self.spec.digest

    @property
    def releases(self) -> tuple[SiteRelease, ...]:
        return parse_releases(self.tags)

    @property
    def serves(self) -> bool:
        """Whether the release that it runs has served."""
        known = find_by_image(self.releases, self.spec.digest)
        return known is not None and known.state is SiteReleaseState.SERVED

    @property
    def settings_by_name(self) -> Mapping[str, Secret]:
        return dict(self.spec.settings)


def resolve_slot(cloud: WebappCloud, key: Key) -> SiteSlot:
    """The site for a key."""
    return SiteSlot(key.scope[0], resolve_name(key.name, cloud.account.subscription, derive_site_name))


def describe_site(cloud: WebappCloud, site_slot: SiteSlot) -> SiteInfo | None:
    """The site with its configuration; None if it does not exist. Raises SDK errors."""
    existing = get_site(cloud, site_slot)
    if existing is None:
        return None
    apps, at = cloud.web.web_apps, (site_slot.group, site_slot.site, *((site_slot.slot,) if site_slot.slot else ()))
    get_config = apps.get_configuration_slot if site_slot.slot else apps.get_configuration
    list_settings = apps.list_application_settings_slot if site_slot.slot else apps.list_application_settings
    config, settings = ignore_not_found(partial(get_config, *at)), ignore_not_found(partial(list_settings, *at))
    spec = parse_site(
        existing, config.properties if config else None, (settings.properties if settings else None) or {}
    )
    return replace(_site_info(cloud, existing, spec), percent=_parse_route(config.properties if config else None))


def get_site(cloud: WebappCloud, site_slot: SiteSlot) -> SiteModel | None:
    """The site without its configuration; None if it does not exist."""
    apps = cloud.web.web_apps
    if site_slot.slot:
        return ignore_not_found(partial(apps.get_slot, site_slot.group, site_slot.site, site_slot.slot))
    return ignore_not_found(partial(apps.get, site_slot.group, site_slot.site))


def site_exists(cloud: WebappCloud, key: Key) -> bool:
    """Whether the app owns this site."""
    existing = get_site(cloud, resolve_slot(cloud, key))
    return existing is not None and has_webapp_tags(existing.tags, cloud.app)


def write_site(cloud: WebappCloud, monitor: Monitor, site_slot: SiteSlot, model: SiteModel) -> SiteModel:
    """Create or update a site or a slot. Raises SDK errors."""
    apps = cloud.web.web_apps
    if site_slot.slot:
        begin = partial(apps.begin_create_or_update_slot, site_slot.group, site_slot.site, site_slot.slot, model)
        return run_operation(monitor, str(site_slot), begin)
    return run_operation(
        monitor, str(site_slot), partial(apps.begin_create_or_update, site_slot.group, site_slot.site, model)
    )


def set_route(cloud: WebappCloud, site_slot: SiteSlot, canary: SiteInfo | None, percent: int) -> None:
    """Give the canary slot so many percent of the site's requests; 0: no rule. May be repeated.

    As `az webapp traffic-routing set` does: https://learn.microsoft.com/cli/azure/webapp/traffic-routing
    """
    rules = [RampUpRule(action_host_name=canary.host, reroute_percentage=float(percent), name=CANARY)] if canary else []
    config = SiteConfigResource(properties=SiteConfig(experiments=Experiments(ramp_up_rules=rules)))
    cloud.web.web_apps.update_configuration(site_slot.group, site_slot.site, config)


def _parse_route(config: SiteConfig | None) -> float:
    rules = config.experiments.ramp_up_rules if config and config.experiments else None
    return next((each.reroute_percentage or 0.0 for each in rules or () if each.name == CANARY), 0.0)


def mark_examined(cloud: WebappCloud, monitor: Monitor, slot: SiteInfo) -> None:
    """Record that the candidate in the canary slot has passed. Does not restart it."""
    model = TagsPatchResource(operation="Merge", properties=Tags(tags={EXAMINED: slot.spec.digest}))
    run_operation(monitor, slot.host, partial(cloud.resources.tags.begin_update_at_scope, slot.id, model))


def start_site(cloud: WebappCloud, site_slot: SiteSlot) -> None:
    cloud.web.web_apps.start(site_slot.group, site_slot.site)


def restart_site(cloud: WebappCloud, site_slot: SiteSlot) -> None:
    """Start new containers on all instances."""
    if site_slot.slot:
        cloud.web.web_apps.restart_slot(site_slot.group, site_slot.site, site_slot.slot)
    else:
        cloud.web.web_apps.restart(site_slot.group, site_slot.site)


def delete_slot(cloud: WebappCloud, site_slot: SiteSlot) -> None:
    """Delete a slot. May be repeated."""
    ignore_not_found(partial(cloud.web.web_apps.delete_slot, site_slot.group, site_slot.site, site_slot.slot))


def record_release(cloud: WebappCloud, monitor: Monitor, site: SiteInfo, entry: SiteRelease) -> None:
    """Store the state of a release in the site's tags, and remove the oldest releases. Does not restart the site."""
    desired = with_release(site.tags, entry)
    surplus = {name: value for name, value in site.tags.items() if name not in desired}
    changed = {name: value for name, value in desired.items() if site.tags.get(name) != value}
    for operation, tags in (("Delete", surplus), ("Merge", changed)):
        if tags:
            model = TagsPatchResource(operation=operation, properties=Tags(tags=tags))
            run_operation(monitor, site.host, partial(cloud.resources.tags.begin_update_at_scope, site.id, model))


def list_instances(cloud: WebappCloud, site_slot: SiteSlot) -> Iterator[tuple[str, str]]:
    """The name and state of each instance."""
    for each in (
        ignore_not_found(lambda: list(cloud.web.web_apps.list_instance_identifiers(site_slot.group, site_slot.site)))
        or ()
    ):
        yield each.name or "", enum_text(each.properties.state) if each.properties else ""


def list_references(cloud: WebappCloud, site_slot: SiteSlot) -> list[ApiKVReference]:
    """The app settings with values from Key Vault, and whether they could be read."""
    apps, at = cloud.web.web_apps, (site_slot.group, site_slot.site)
    if site_slot.slot:
        in_slot = apps.get_app_settings_key_vault_references_slot
        return ignore_not_found(lambda: list(in_slot(*at, site_slot.slot))) or []
    return ignore_not_found(lambda: list(apps.get_app_settings_key_vault_references(*at))) or []


def check_name_available(cloud: WebappCloud, name: str) -> None:
    """Raises RefusedError if the site name is taken."""
    request = ResourceNameAvailabilityRequest(name=name, type="Site")
    response = cloud.web.check_name_availability(request)
    if response.name_available:
        return
    what = f"the name is taken: {response.message or response.reason or ''}".rstrip(": .")
    raise RefusedError(f"site {name}", what, f"Choose another name: `name` in [{cloud.account.table}].")


def _site_info(cloud: WebappCloud, existing: SiteModel, spec: SiteSpec) -> SiteInfo:
    properties = existing.properties
    return SiteInfo(
        existing.id or "",
        (properties.default_host_name if properties else "") or "",
        normalize_region(existing.location or ""),
        (properties.state if properties else "") or "",
        has_webapp_tags(existing.tags, cloud.app),
        spec,
        dict(existing.tags or {}),
    )


PREFIX = "mldeploy.release."
MAX_RELEASES = 30
MAX_TAGS = 50
"""The limit of Azure for one resource.

https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources
"""


class SiteReleaseState(StrEnum):
    """The state of a release."""

    BEGUN = "begun"
    """The rollout has not ended."""
    SERVED = "served"
    FAILED = "failed"


_STATES = frozenset(each.value for each in SiteReleaseState)


@dataclass(frozen=True)
class SiteRelease:
    """One release. digest: the image digest. created: ISO 8601, UTC."""

    number: int
    digest: str
    port: int
    created: str
    state: SiteReleaseState

    @property
    def failed(self) -> bool:
        """It did not serve, or its deployment was interrupted."""
        return self.state is not SiteReleaseState.SERVED

    @property
    def tag(self) -> str:
        return f"{PREFIX}{self.number}"

    @property
    def value(self) -> str:
        """The value of the tag: at most 256 characters."""
        return f"{self.digest} {self.port} {self.created} {self.state}"

    def with_state(self, state: SiteReleaseState) -> SiteRelease:
        return replace(self, state=state)


def parse_releases(tags: Mapping[str, str]) -> tuple[SiteRelease, ...]:
    """Releases from tags, newest first. Invalid tags are ignored."""
    parsed = (_parse_release(name, value) for name, value in tags.items() if name.startswith(PREFIX))
    return tuple(sorted(filter(None, parsed), key=lambda entry: entry.number, reverse=True))


def find_by_image(known: tuple[SiteRelease, ...], digest: str) -> SiteRelease | None:
    """The newest release with this image, preferably one that served."""
    matches = [entry for entry in known if entry.digest == digest]
    return next((entry for entry in matches if entry.state is SiteReleaseState.SERVED), next(iter(matches), None))


def next_release(known: tuple[SiteRelease, ...], digest: str, port: int) -> SiteRelease:
    """The next release, or the newest one if it has the same image and its rollout has not ended."""
    newest = next(iter(known), None)
    if newest and newest.digest == digest and newest.port == port and newest.state is SiteReleaseState.BEGUN:
        return newest
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return SiteRelease(newest.number + 1 if newest else 1, digest, port, now, SiteReleaseState.BEGUN)


def with_release(tags: Mapping[str, str], entry: SiteRelease) -> dict[str, str]:
    """The site's tags with this release, and without the oldest releases beyond MAX_RELEASES and MAX_TAGS.

    The release itself is kept, and all tags of others.
    """
    others = {name: value for name, value in tags.items() if not name.startswith(PREFIX)}
    older = [each for each in parse_releases(tags) if each.number != entry.number]
    room = min(MAX_RELEASES, MAX_TAGS - len(others)) - 1
    kept = (entry, *older[: max(room, 0)])
    return {**others, **{each.tag: each.value for each in kept}}


def _parse_release(name: str, value: str) -> SiteRelease | None:
    number, parts = name.removeprefix(PREFIX), value.split(" ")
    if len(parts) != 4 or not number.isdecimal() or not parts[1].isdecimal() or parts[3] not in _STATES:
        return None
    return SiteRelease(int(number), parts[0], int(parts[1]), parts[2], SiteReleaseState(parts[3]))
