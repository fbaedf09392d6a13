"""Read and change container apps and their revisions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from azure.core.exceptions import HttpResponseError
from azure.mgmt.appcontainers.models import (
    Configuration,
    ContainerApp,
    ContainerAppProperties,
    Ingress,
    Revision,
    RevisionProperties,
)

from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key
from mldeploy.providers.azure.cloud import enum_text
from mldeploy.providers.azure.containerapps.app_spec import AppSpec, parse_app_spec
from mldeploy.providers.azure.containerapps.cloud import ContainerAppsCloud
from mldeploy.providers.azure.containerapps.ingress import build_traffic, follows_latest, parse_weights
from mldeploy.providers.azure.containerapps.releases import TAG, AppReleaseState, parse_releases, with_state
from mldeploy.providers.azure.containerapps.version_spec import VersionSpec, parse_version
from mldeploy.providers.azure.errors import AzureError, error_code, error_details, ignore_not_found
from mldeploy.providers.azure.waiting import BeginOperation, RunningOperation, T

STOPPED = "Stopped"
DELETING = "Deleting"
IN_PROGRESS = "InProgress"
BUSY = "ContainerAppOperationInProgress"
"""Another operation on the app has not ended: https://github.com/microsoft/azure-container-apps/issues"""
BUSY_POLL_SECONDS, BUSY_SECONDS = 1.0, 600.0
_UNREADABLE = re.compile(r"unable to fetch secret '(?P<name>[^']+)'")


@dataclass(frozen=True)
class RevisionInfo:
    """A revision. fqdn: its own host name. number: of the release; 0 if mldeploy did not make it.

    state: None while its rollout has not ended. weight: percent of the requests.
    """

    name: str
    number: int
    fqdn: str
    active: bool
    weight: int
    created: datetime | None
    spec: VersionSpec
    state: AppReleaseState | None
    provisioning: str
    running: str
    health: str
    error: str

    @property
    def url(self) -> str:
        return f"https://{self.fqdn}"

    @property
    def has_served(self) -> bool:
        return self.state is AppReleaseState.SERVED

    @property
    def failed(self) -> bool:
        """It did not serve, or its deployment was interrupted."""
        return not self.has_served


@dataclass(frozen=True)
class AppInfo:
    """A container app with its revisions, the newest first. weights: percent by revision name.

    follows_latest: a new revision would get requests at once. hosts: the custom host names with their certificates.
    """

    id: str
    region: str
    fqdn: str
    provisioning: str
    running: str
    ours: bool
    tags: Mapping[str, str]
    spec: AppSpec
    weights: Mapping[str, int]
    follows_latest: bool
    verification: str
    events: str
    hosts: Mapping[str, str]
    revisions: tuple[RevisionInfo, ...]

    @property
    def name(self) -> str:
        return self.id.rpartition("/")[2]

    @property
    def url(self) -> str:
        return f"https://{self.fqdn}"

    @property
    def is_stopped(self) -> bool:
        return self.running == STOPPED

    @property
    def states(self) -> dict[int, AppReleaseState]:
        return parse_releases(self.tags)

    @property
    def serving(self) -> RevisionInfo | None:
        """The revision with most of the requests, of those that have served. None before the first one has."""
        serving = [each for each in self.revisions if each.has_served and each.weight and each.active]
        return max(serving, key=lambda each: each.weight, default=None)

    @property
    def candidate(self) -> RevisionInfo | None:
        """The revision that stands beside the serving one."""
        standing = (each for each in self.revisions if each.state is AppReleaseState.CANDIDATE and each.active)
        return next(standing, None)

    @property
    def leftovers(self) -> tuple[RevisionInfo, ...]:
        """Active revisions that neither serve nor are the candidate."""
        wanted = (self.serving, self.candidate)
        return tuple(each for each in self.revisions if each.active and each not in wanted)

    @property
    def next_number(self) -> int:
        return max((*self.states, *(each.number for each in self.revisions), 0)) + 1

    def find(self, number: int) -> RevisionInfo | None:
        return next((each for each in self.revisions if each.number == number), None)


def revision_name(app: str, number: int) -> str:
    """https://learn.microsoft.com/azure/container-apps/revisions#name-suffix"""
    return f"{app}--{revision_suffix(number)}"


def revision_suffix(number: int) -> str:
    return f"r{number}"


def describe_app(cloud: ContainerAppsCloud, key: Key) -> AppInfo | None:
    """The app with its revisions; None if it does not exist. Raises SDK errors."""
    existing = get_app(cloud, key)
    if existing is None:
        return None
    list_revisions = partial(cloud.apps.container_apps_revisions.list_revisions, key.scope[0], key.name)
    listed = ignore_not_found(lambda: list(list_revisions())) or []
    return _parse_app(cloud, existing, listed)


def get_app(cloud: ContainerAppsCloud, key: Key) -> ContainerApp | None:
    """The app without its revisions; None if it does not exist or is being deleted."""
    existing = ignore_not_found(partial(cloud.apps.container_apps.get, key.scope[0], key.name))
    if existing is None or (existing.properties and enum_text(existing.properties.provisioning_state) == DELETING):
        return None
    return existing


def app_exists(cloud: ContainerAppsCloud, key: Key) -> bool:
    """Whether the app owns this container app."""
    existing = get_app(cloud, key)
    return existing is not None and cloud.owns(existing.tags)


def get_revision(cloud: ContainerAppsCloud, key: Key, name: str) -> RevisionInfo | None:
    """A revision; None if it does not exist (yet). Its release state is not known."""
    existing = ignore_not_found(partial(cloud.apps.container_apps_revisions.get_revision, key.scope[0], key.name, name))
    return _parse_revision(existing, {}, {}) if existing else None


def begin_when_free(
    monitor: Monitor,
    what: str,
    begin: BeginOperation[T],
    within: float = BUSY_SECONDS,
    stored: frozenset[str] = frozenset(),
) -> RunningOperation[T]:
    """Start an operation on the app once no other one runs. Raises SDK errors, AzureError at the deadline.

    stored: names of secrets in the app's own vault, which it may have been allowed to read just now.
    """
    for _ in monitor.attempts(every=BUSY_POLL_SECONDS, within=within):
        try:
            return RunningOperation(begin)
        except HttpResponseError as error:
            is_new = is_role_new(error, stored)
            if error_code(error) != BUSY and not is_new:
                raise
            until = "the key vault accepts the app's role" if is_new else "the previous operation on the app has ended"
            monitor.progress(Progress("", f"waiting until {until}"))
    raise AzureError(what, f"another operation on the app has not ended after {within:.0f} s", "Try again later.")


def is_role_new(error: HttpResponseError, stored: frozenset[str]) -> bool:
    """Whether one of these secrets cannot be read yet: https://github.com/microsoft/azure-container-apps/issues/1159"""
    unreadable = _UNREADABLE.search(error_details(error)[1])
    return unreadable is not None and unreadable["name"] in stored


def update_app(
    cloud: ContainerAppsCloud,
    monitor: Monitor,
    app: AppInfo,
    model: ContainerApp,
    within: float = BUSY_SECONDS,
    stored: frozenset[str] = frozenset(),
) -> None:
    """Change what the model names, and wait. Raises SDK errors."""
    begin = partial(cloud.apps.container_apps.begin_update, cloud.group, app.name, model)
    begin_when_free(monitor, app.name, begin, within, stored).wait(monitor, app.name)


def set_weights(
    cloud: ContainerAppsCloud,
    monitor: Monitor,
    app: AppInfo,
    weights: Mapping[str, int],
    release: tuple[int, AppReleaseState | None] | None = None,
    port: int = 0,
) -> None:
    """Divide the requests and record the state of a release, in one call. Raises SDK errors.

    port: the port of the container, if it changes with them: it holds for all revisions.
    """
    ingress = Ingress(traffic=build_traffic(weights))
    if port:
        ingress.target_port = port
    properties = ContainerAppProperties(configuration=Configuration(ingress=ingress))
    model = ContainerApp(location=app.region, properties=properties)
    if release is not None:
        model.tags = {**app.tags, TAG: with_state(app.states, *release)}
    update_app(cloud, monitor, app, model)


def record_state(
    cloud: ContainerAppsCloud,
    monitor: Monitor,
    app: AppInfo,
    number: int,
    state: AppReleaseState | None,
    within: float = BUSY_SECONDS,
) -> None:
    """Record the state of a release. Makes no revision and moves no requests. within: as in `begin_when_free`."""
    if app.states.get(number) is state:
        return
    tags = {**app.tags, TAG: with_state(app.states, number, state)}
    update_app(cloud, monitor, app, ContainerApp(location=app.region, tags=tags), within)


def activate(cloud: ContainerAppsCloud, key: Key, name: str) -> None:
    """Start an inactive revision. May be repeated."""
    cloud.apps.container_apps_revisions.activate_revision(key.scope[0], key.name, name)


def deactivate(cloud: ContainerAppsCloud, key: Key, name: str) -> None:
    """Stop a revision; it is kept. May be repeated."""
    ignore_not_found(partial(cloud.apps.container_apps_revisions.deactivate_revision, key.scope[0], key.name, name))


def _parse_app(cloud: ContainerAppsCloud, existing: ContainerApp, listed: list[Revision]) -> AppInfo:
    properties = existing.properties or ContainerAppProperties()
    ingress = properties.configuration.ingress if properties.configuration else None
    weights = parse_weights(ingress, properties.latest_revision_name or "")
    states = parse_releases(existing.tags)
    revisions = (_parse_revision(each, weights, states) for each in listed)
    return AppInfo(
        id=existing.id or "",
        region=existing.location.replace(" ", "").lower(),
        fqdn=(ingress.fqdn if ingress else "") or "",
        provisioning=enum_text(properties.provisioning_state),
        running=enum_text(properties.running_status),
        ours=cloud.owns(existing.tags),
        tags=dict(existing.tags or {}),
        spec=parse_app_spec(existing),
        weights=weights,
        follows_latest=follows_latest(ingress),
        verification=properties.custom_domain_verification_id or "",
        events=properties.event_stream_endpoint or "",
        hosts=dict(_parse_hosts(ingress)),
        revisions=tuple(sorted(revisions, key=_age, reverse=True)),
    )


def _parse_hosts(ingress: Ingress | None) -> Iterator[tuple[str, str]]:
    for each in (ingress.custom_domains if ingress else None) or ():
        yield each.name, each.certificate_id or ""


def _age(revision: RevisionInfo) -> tuple[int, str]:
    return revision.number, revision.created.isoformat() if revision.created else ""


def _parse_revision(
    existing: Revision, weights: Mapping[str, int], states: Mapping[int, AppReleaseState]
) -> RevisionInfo:
    properties = existing.properties or RevisionProperties()
    name = existing.name or ""
    suffix = name.rpartition("--")[2]
    number = int(suffix[1:]) if suffix[:1] == "r" and suffix[1:].isdecimal() else 0
    return RevisionInfo(
        name=name,
        number=number,
        fqdn=properties.fqdn or "",
        active=bool(properties.active),
        weight=weights.get(name, 0),
        created=properties.created_time,
        spec=parse_version(properties.template),
        state=states.get(number),
        provisioning=enum_text(properties.provisioning_state),
        running=enum_text(properties.running_state),
        health=enum_text(properties.health_state),
        error=_error_text(properties),
    )


def _error_text(properties: RevisionProperties) -> str:
    """What Azure says is wrong. The details of the running state are published, but not in the SDK's model."""
    details = properties.get("runningStateDetails") or ""
    return properties.provisioning_error or (str(details) if isinstance(details, str) else "")
