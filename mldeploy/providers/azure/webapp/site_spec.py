"""What a site says of the app: built from the configuration, read from Azure, and compared. Pure.

https://learn.microsoft.com/azure/app-service/reference-app-settings
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace

from azure.mgmt.web.models import (
    ManagedServiceIdentity,
    NameValuePair,
    SiteConfig,
    SiteProperties,
    UserAssignedIdentity,
)
from azure.mgmt.web.models import Site as SiteModel

from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.azure.words import word

PORT, PORT_TOO = "WEBSITES_PORT", "PORT"
"""App Service's word for where the container listens, and the app's own."""
_START_LIMIT = "WEBSITES_CONTAINER_START_TIME_LIMIT"
_REGISTRY = ("DOCKER_REGISTRY_SERVER_URL", "DOCKER_REGISTRY_SERVER_USERNAME", "DOCKER_REGISTRY_SERVER_PASSWORD")
_PLATFORM = ("WEBSITE_", "WEBSITES_", "DOCKER_", "APPINSIGHTS_", "APPLICATIONINSIGHTS_", "DIAGNOSTICS_")
"""What App Service, or somebody in the portal, may add: it stays, unless it is ours to say."""
_DOCKER = "DOCKER|"
_LOG_MEGABYTES = 35


@dataclass(frozen=True)
class SiteSpec:
    """All that we decide about a site. image: by digest. settings: all app settings, by name, sorted.

    identity and plan: ids of resources. client: the identity's client id, empty where the registry's admin user pulls.
    """

    image: str
    settings: tuple[tuple[str, Secret], ...]
    health: str
    always_on: bool
    identity: str
    client: str
    plan: str
    https_only: bool = True
    tls: str = "1.2"
    ftp: str = "Disabled"
    logging: bool = True

    @property
    def port(self) -> int:
        """Where the container listens; 0 if nobody says."""
        told = dict(self.settings).get(PORT, Secret("")).reveal()
        return int(told) if told.isdecimal() else 0

    @property
    def digest(self) -> str:
        return self.image.partition("@")[2]

    def starts_like(self, other: SiteSpec) -> bool:
        """Whether a container that was started for the other one would do."""
        return (self.image, self.settings) == (other.image, other.settings)


def app_settings(
    project: Project, settings: WebappSettings, admin: tuple[str, str, Secret] | None = None
) -> tuple[tuple[str, Secret], ...]:
    """The variables that the container gets, and what App Service itself is told in the same place.

    admin: the registry's address, its user and password, where it is pulled with those.
    """
    port = Secret(str(project.app.port))
    made = {
        **dict(project.app.env),
        **{each: Secret(f"@Microsoft.KeyVault(SecretUri={uri})") for each, uri in settings.secrets.items()},
        PORT: port,
        PORT_TOO: port,
        _START_LIMIT: Secret(str(settings.start_limit(project))),
        "WEBSITES_ENABLE_APP_SERVICE_STORAGE": Secret("false"),
        "WEBSITE_HTTPLOGGING_RETENTION_DAYS": Secret(str(settings.log_retention)),
    }
    if admin:
        address, user, password = admin
        made |= dict(zip(_REGISTRY, (Secret(f"https://{address}"), Secret(user), password), strict=True))
    return tuple(sorted(made.items()))


def on_port(spec: SiteSpec, image: str, port: int) -> SiteSpec:
    """The same with another image, which listens on another port."""
    told = {**dict(spec.settings), PORT: Secret(str(port)), PORT_TOO: Secret(str(port))}
    return replace(spec, image=image, settings=tuple(sorted(told.items())))


def keeping(spec: SiteSpec, found: Mapping[str, Secret]) -> SiteSpec:
    """With what the platform or the portal has added to the app settings, since writing them writes all of them."""
    added = {each: value for each, value in found.items() if each.startswith(_PLATFORM) and each not in _REGISTRY}
    told = {**added, **dict(spec.settings)}
    return replace(spec, settings=tuple(sorted(told.items())))


def request(spec: SiteSpec, region: str, tags: Mapping[str, str]) -> SiteModel:
    """The site as CreateOrUpdate takes it, with everything, tagged."""
    config = SiteConfig(
        linux_fx_version=f"{_DOCKER}{spec.image}",
        acr_use_managed_identity_creds=bool(spec.client),
        acr_user_managed_identity_id=spec.client or None,
        always_on=spec.always_on,
        health_check_path=spec.health,
        ftps_state=spec.ftp,
        min_tls_version=spec.tls,
        http20_enabled=True,
        http_logging_enabled=spec.logging,
        logs_directory_size_limit=_LOG_MEGABYTES,
        app_settings=[NameValuePair(name=each, value=value.reveal()) for each, value in spec.settings],
    )
    return SiteModel(
        location=region,
        kind="app,linux,container",
        tags=dict(tags),
        identity=ManagedServiceIdentity(
            type="UserAssigned", user_assigned_identities={spec.identity: UserAssignedIdentity()}
        ),
        properties=SiteProperties(
            server_farm_id=spec.plan,
            reserved=True,
            https_only=spec.https_only,
            client_affinity_enabled=False,
            key_vault_reference_identity=spec.identity,
            site_config=config,
        ),
    )


def read(site: SiteModel, config: SiteConfig | None, settings: Mapping[str, str]) -> SiteSpec:
    """What an existing site says of all that we decide. What it leaves out is empty."""
    about, config = site.properties or SiteProperties(), config or SiteConfig()
    assigned = (site.identity.user_assigned_identities if site.identity else None) or {}
    client = config.acr_user_managed_identity_id if config.acr_use_managed_identity_creds else ""
    return SiteSpec(
        image=(config.linux_fx_version or "").removeprefix(_DOCKER),
        settings=tuple(sorted((each, Secret(value or "")) for each, value in settings.items())),
        health=config.health_check_path or "",
        always_on=bool(config.always_on),
        identity=next(iter(assigned), ""),
        client=client or "",
        plan=about.server_farm_id or "",
        https_only=bool(about.https_only),
        tls=word(config.min_tls_version),
        ftp=word(config.ftps_state),
        logging=bool(config.http_logging_enabled),
    )


def differences(was: SiteSpec, wanted: SiteSpec) -> tuple[str, ...]:
    """One readable line each. No value of a variable is in them."""
    plain = (each.name for each in fields(SiteSpec) if each.name not in ("settings", "identity", "plan"))
    lines = [_line(each, getattr(was, each), getattr(wanted, each)) for each in plain]
    for each in ("identity", "plan"):
        if getattr(was, each).lower() != getattr(wanted, each).lower():  # ids are the same in capitals
            lines.append(f"{each} → the app's own")
    return (*filter(None, lines), *_variables(dict(was.settings), dict(wanted.settings)))


_LABELS = {
    "client": "the registry is entered",
    "health": "health check path",
    "always_on": "always on",
    "https_only": "HTTPS only",
    "tls": "oldest TLS",
    "ftp": "FTP",
    "logging": "container log",
}


def _line(field: str, was: object, wanted: object) -> str:
    if was == wanted:
        return ""
    label = _LABELS.get(field, field)
    if field == "client":
        return f"{label} {_by(was)} → {_by(wanted)}"
    return f"{label} {_word(was)} → {_word(wanted)}"


def _by(client: object) -> str:
    return "with the app's identity" if client else "with a password"


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) or "none"


def _variables(old: Mapping[str, Secret], new: Mapping[str, Secret]) -> Iterator[str]:
    for each in sorted(old.keys() | new.keys()):
        if each not in new:
            yield f"variable {each} → removed"
        elif each not in old:
            yield f"variable {each} → added"
        elif old[each] != new[each]:
            yield f"variable {each} → changed"
