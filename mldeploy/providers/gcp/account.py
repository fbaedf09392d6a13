"""The project, the location and the credentials for Google Cloud."""

from __future__ import annotations

from dataclasses import dataclass

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.errors import ConfigError
from mldeploy.providers.gcp.gcloud import Gcloud, to_region
from mldeploy.providers.gcp.identity import GoogleCredentials, load_credentials
from mldeploy.providers.gcp.settings import GcpSettings


@dataclass(frozen=True)
class GcpProject:
    """A project with accepted credentials. location: a region, a zone, or a multi-region."""

    project: str
    location: str
    identity: GoogleCredentials
    endpoints: Endpoints

    @property
    def region(self) -> str:
        return to_region(self.location)

    @property
    def scope(self) -> tuple[str, str]:
        return self.project, self.location


def authenticate(
    table: str, settings: GcpSettings, endpoints: Endpoints, *, region: str = "", zone: str = ""
) -> GcpProject:
    """Resolve the credentials, the project and the location, and request a token. Makes one call.

    table: the configuration table (`target.gar`), for error messages. region, zone: the location in the settings.
    Raises CredentialsError, ConfigError, GcpError.
    """
    gcloud = Gcloud.load("" if endpoints.credentials else settings.profile)
    identity = load_credentials(gcloud, endpoints)
    project = (identity.project if endpoints.credentials else "") or resolve_project(table, settings, gcloud, identity)
    location = _stand_in_location(endpoints, zone) or zone or region or resolve_location(table, gcloud)
    identity.token()
    return GcpProject(project, location, identity, endpoints)


def _stand_in_location(endpoints: Endpoints, zone: str) -> str:
    """The location of a stand-in: its region, or the zone in it with the same letter."""
    if not endpoints.region:
        return ""
    return endpoints.region + (zone[-2:] if zone else "")


def resolve_project(table: str, settings: GcpSettings, gcloud: Gcloud, identity: GoogleCredentials) -> str:
    named = gcloud.property("core", "project") if settings.profile else ""
    value = settings.project or gcloud.variable("core", "project") or named or identity.project
    if project := value or gcloud.property("core", "project"):
        return project
    what = f"no project is set: not in GOOGLE_CLOUD_PROJECT, the credentials, or {gcloud.file}"
    todo = f'Set project = "…" in [{table}] of mldeploy.toml, or run `gcloud config set project …`.'
    raise ConfigError(f"{table}.project", what, todo)


def resolve_location(table: str, gcloud: Gcloud) -> str:
    """The default region. A zone is only taken from the settings, because it changes the type of the cluster."""
    value = gcloud.variable("compute", "region") or gcloud.property("compute", "region")
    if value:
        return value
    zone = gcloud.variable("compute", "zone") or gcloud.property("compute", "zone")
    if zone:
        return to_region(zone)
    what = f"no region is set: not in GOOGLE_CLOUD_REGION, CLOUDSDK_COMPUTE_REGION, or {gcloud.file}"
    raise ConfigError(f"{table}.region", what, "Set one, for example --region us-central1.")
