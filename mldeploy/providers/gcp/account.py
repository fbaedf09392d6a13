"""Whose project, which region, and how Google's services are called there."""

from __future__ import annotations

from dataclasses import dataclass

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.errors import ConfigError
from mldeploy.providers.gcp.gcloud import Gcloud, region_of
from mldeploy.providers.gcp.identity import Identity, identify
from mldeploy.providers.gcp.settings import GcpSettings


@dataclass(frozen=True)
class Account:
    """A project in which Google has accepted our credentials. location: a region, a zone, or a continent."""

    project: str
    location: str
    identity: Identity
    endpoints: Endpoints

    @property
    def region(self) -> str:
        return region_of(self.location)

    @property
    def place(self) -> tuple[str, str]:
        return self.project, self.location


def enter(table: str, settings: GcpSettings, endpoints: Endpoints, *, region: str = "", zone: str = "") -> Account:
    """Find the credentials, the project and the location, and fetch a token: one call.

    table: the settings' own (`target.gar`), for what is said of them. region, zone: what they say of the location.
    Raises CredentialsError, ConfigError, GcpError.
    """
    gcloud = Gcloud.found("" if endpoints.credentials else settings.profile)
    identity = identify(gcloud, endpoints)
    project = (identity.project if endpoints.credentials else "") or project_of(table, settings, gcloud, identity)
    location = _played(endpoints, zone) or zone or region or location_of(table, gcloud)
    identity.token()
    return Account(project, location, identity, endpoints)


def _played(endpoints: Endpoints, zone: str) -> str:
    """Where a stand-in plays: its region, or the zone of the same letter in it."""
    if not endpoints.region:
        return ""
    return endpoints.region + (zone[-2:] if zone else "")


def project_of(table: str, settings: GcpSettings, gcloud: Gcloud, identity: Identity) -> str:
    named = gcloud.property("core", "project") if settings.profile else ""
    found = settings.project or gcloud.variable("core", "project") or named or identity.project
    if project := found or gcloud.property("core", "project"):
        return project
    what = f"no project was found: not in GOOGLE_CLOUD_PROJECT, in the credentials, nor in {gcloud.file}"
    todo = f'Name one: project = "…" in [{table}] of mldeploy.toml, or `gcloud config set project …`.'
    raise ConfigError(f"{table}.project", what, todo)


def location_of(table: str, gcloud: Gcloud) -> str:
    """A region: whoever wants a zone says so in the settings, since it makes another cluster of it."""
    found = gcloud.variable("compute", "region") or gcloud.property("compute", "region")
    if found:
        return found
    zone = gcloud.variable("compute", "zone") or gcloud.property("compute", "zone")
    if zone:
        return region_of(zone)
    what = f"no region was found: neither in GOOGLE_CLOUD_REGION or CLOUDSDK_COMPUTE_REGION nor in {gcloud.file}"
    raise ConfigError(f"{table}.region", what, "Name one: --region us-central1.")
