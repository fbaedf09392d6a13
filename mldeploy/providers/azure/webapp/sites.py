"""Sites and their slots, as Azure describes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from azure.mgmt.resource.resources.models import Tags, TagsPatchResource
from azure.mgmt.web.models import ResourceNameAvailabilityRequest
from azure.mgmt.web.models import Site as SiteModel

from mldeploy.config.secret import Secret
from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key
from mldeploy.providers.azure.errors import found
from mldeploy.providers.azure.tags import resolved, site_name
from mldeploy.providers.azure.waiting import finish
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.history import Entry, State, entries, of_image, tagged
from mldeploy.providers.azure.webapp.plan import is_in
from mldeploy.providers.azure.webapp.site_spec import SiteSpec, read
from mldeploy.providers.azure.webapp.tags import is_ours
from mldeploy.providers.azure.words import word

STAGING = "staging"
STOPPED = "Stopped"


@dataclass(frozen=True)
class Place:
    """Where a version runs: a site, or a slot of it."""

    group: str
    site: str
    slot: str = ""

    def __str__(self) -> str:
        return f"{self.site}/{self.slot}" if self.slot else self.site

    @property
    def staging(self) -> Place:
        return Place(self.group, self.site, STAGING)


@dataclass(frozen=True)
class Site:
    """A site or a slot. host: where it answers."""

    id: str
    host: str
    region: str
    state: str
    ours: bool
    spec: SiteSpec
    tags: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"https://{self.host}"

    @property
    def is_stopped(self) -> bool:
        return self.state == STOPPED

    @property
    def releases(self) -> tuple[Entry, ...]:
        return entries(self.tags)

    @property
    def serves(self) -> bool:
        """Whether what it runs was seen to serve."""
        known = of_image(self.releases, self.spec.digest)
        return known is not None and known.state is State.SERVED

    @property
    def found(self) -> Mapping[str, Secret]:
        return dict(self.spec.settings)


def place_of(cloud: WebappCloud, key: Key) -> Place:
    """The site that a key names."""
    return Place(key.scope[0], resolved(key.name, cloud.account.subscription, site_name))


def describe(cloud: WebappCloud, place: Place) -> Site | None:
    """With all that is configured; None if it is not there. Raises what the SDK raises."""
    there = get(cloud, place)
    if there is None:
        return None
    apps, at = cloud.web.web_apps, (place.group, place.site, *((place.slot,) if place.slot else ()))
    ask_config = apps.get_configuration_slot if place.slot else apps.get_configuration
    ask_settings = apps.list_application_settings_slot if place.slot else apps.list_application_settings
    config, settings = found(partial(ask_config, *at)), found(partial(ask_settings, *at))
    spec = read(there, config.properties if config else None, (settings.properties if settings else None) or {})
    return _site(cloud, there, spec)


def get(cloud: WebappCloud, place: Place) -> SiteModel | None:
    """Whether it is there, and what its own page says."""
    apps = cloud.web.web_apps
    if place.slot:
        return found(partial(apps.get_slot, place.group, place.site, place.slot))
    return found(partial(apps.get, place.group, place.site))


def is_there(cloud: WebappCloud, key: Key) -> bool:
    """The app has this site."""
    there = get(cloud, place_of(cloud, key))
    return there is not None and is_ours(there.tags, cloud.app)


def write(cloud: WebappCloud, monitor: Monitor, place: Place, wanted: SiteModel) -> SiteModel:
    """Make a site or a slot so. Raises what the SDK raises."""
    apps = cloud.web.web_apps
    if place.slot:
        begin = partial(apps.begin_create_or_update_slot, place.group, place.site, place.slot, wanted)
        return finish(monitor, str(place), begin)
    return finish(monitor, str(place), partial(apps.begin_create_or_update, place.group, place.site, wanted))


def start(cloud: WebappCloud, place: Place) -> None:
    cloud.web.web_apps.start(place.group, place.site)


def restart(cloud: WebappCloud, place: Place) -> None:
    """New containers for all of its instances."""
    if place.slot:
        cloud.web.web_apps.restart_slot(place.group, place.site, place.slot)
    else:
        cloud.web.web_apps.restart(place.group, place.site)


def remove_slot(cloud: WebappCloud, place: Place) -> None:
    """Gone already is gone."""
    found(partial(cloud.web.web_apps.delete_slot, place.group, place.site, place.slot))


def note(cloud: WebappCloud, monitor: Monitor, site: Site, entry: Entry) -> None:
    """Write down what has become of a release. Nothing is restarted for it."""
    wanted = TagsPatchResource(operation="Merge", properties=Tags(tags=tagged(site.releases, entry)))
    finish(monitor, site.host, partial(cloud.resources.tags.begin_update_at_scope, site.id, wanted))


def instances(cloud: WebappCloud, place: Place) -> Iterator[tuple[str, str]]:
    """Name and state of each machine that the site runs on."""
    for each in found(lambda: list(cloud.web.web_apps.list_instance_identifiers(place.group, place.site))) or ():
        yield each.name or "", word(each.properties.state) if each.properties else ""


def check_free(cloud: WebappCloud, name: str) -> None:
    """Raises RefusedError if the name of a site is somebody else's."""
    asked = ResourceNameAvailabilityRequest(name=name, type="Site")
    told = cloud.web.check_name_availability(asked)
    if told.name_available:
        return
    what = f"the name is taken: {told.message or told.reason or ''}".rstrip(": .")
    raise RefusedError(f"site {name}", what, f"Choose another name: `name` in [{cloud.account.table}].")


def _site(cloud: WebappCloud, there: SiteModel, spec: SiteSpec) -> Site:
    about = there.properties
    return Site(
        there.id or "",
        (about.default_host_name if about else "") or "",
        is_in(there.location or ""),
        (about.state if about else "") or "",
        is_ours(there.tags, cloud.app),
        spec,
        dict(there.tags or {}),
    )
