"""The specification of a site: built from the configuration, parsed from Azure, and compared. Pure functions.

https://learn.microsoft.com/azure/app-service/reference-app-settings
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

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
from mldeploy.providers.azure.cloud import enum_text
from mldeploy.providers.azure.webapp.settings import WebappSettings

PORT, PORT_TOO = "WEBSITES_PORT", "PORT"
"""The port variables of App Service and of the app."""
_START_LIMIT = "WEBSITES_CONTAINER_START_TIME_LIMIT"
_REGISTRY = ("DOCKER_REGISTRY_SERVER_URL", "DOCKER_REGISTRY_SERVER_USERNAME", "DOCKER_REGISTRY_SERVER_PASSWORD")
_PLATFORM = ("WEBSITE_", "WEBSITES_", "DOCKER_", "APPINSIGHTS_", "APPLICATIONINSIGHTS_", "DIAGNOSTICS_")
"""Prefixes of settings that App Service or the portal may add. They are kept unless mldeploy sets them."""
_DOCKER = "DOCKER|"
_REFERENCE = "@Microsoft.KeyVault("
_LOG_MEGABYTES = 35


@dataclass(frozen=True)
class SiteSpec:
    """The managed configuration of a site. image: by digest. settings: all app settings, sorted by name.

    identity, plan: resource ids. client: the identity's client id, empty if the registry's admin user pulls.
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
    affinity: bool = False

    @property
    def port(self) -> int:
        """The port of the container; 0 if it is not set."""
        values = dict(self.settings).get(PORT, Secret("")).reveal()
        return int(values) if values.isdecimal() else 0

    @property
    def digest(self) -> str:
        return self.image.partition("@")[2]

    @property
    def references(self) -> frozenset[str]:
        """The variables with values from Key Vault."""
        return frozenset(name for name, value in self.settings if value.reveal().startswith(_REFERENCE))

    def starts_like(self, other: SiteSpec) -> bool:
        """Whether a site changes from one to the other without a restart of the app.

        A new health check path restarts it: https://learn.microsoft.com/azure/app-service/monitor-instances-health-check
        """
        return all(getattr(self, each) == getattr(other, each) for each in ("image", "settings", "health", "client"))

    def is_version(self, other: SiteSpec) -> bool:
        """Whether both are the same version of the app. Settings of App Service, which it may add, do not count."""
        return self._version == other._version

    @property
    def _version(self) -> tuple[object, ...]:
        own = [(name, value) for name, value in self.settings if not name.startswith(_PLATFORM)]
        return self.image, self.health, self.client, own


def build_app_settings(
    project: Project,
    settings: WebappSettings,
    admin: tuple[str, str, Secret] | None = None,
    stored: Mapping[str, str] = MappingProxyType({}),
) -> tuple[tuple[str, Secret], ...]:
    """The app settings: variables of the container, and options of App Service.

    admin: the registry's address, user and password, if the admin user pulls. stored: URIs of
    `mldeploy secrets`, by variable.
    """
    port = Secret(str(project.app.port))
    made = {
        **dict(project.app.env),
        **{each: _vault_reference(uri) for each, uri in {**settings.secrets, **stored}.items()},
        PORT: port,
        PORT_TOO: port,
        _START_LIMIT: Secret(str(settings.start_limit(project))),
        "WEBSITES_ENABLE_APP_SERVICE_STORAGE": Secret("false"),
        "WEBSITE_HTTPLOGGING_RETENTION_DAYS": Secret(str(settings.log_retention)),
    }
    if admin:
        address, user, password = admin
        public = (Secret(each, is_public=True) for each in (f"https://{address}", user))
        made |= dict(zip(_REGISTRY, (*public, password), strict=True))
    return tuple(sorted(made.items()))


def _vault_reference(uri: str) -> Secret:
    """A reference to a secret in Key Vault, which is not secret itself."""
    return Secret(f"{_REFERENCE}SecretUri={uri})", is_public=True)


def with_image(spec: SiteSpec, image: str, port: int) -> SiteSpec:
    """The spec with another image and port."""
    values = {**dict(spec.settings), PORT: Secret(str(port)), PORT_TOO: Secret(str(port))}
    return replace(spec, image=image, settings=tuple(sorted(values.items())))


def keep_platform_settings(spec: SiteSpec, existing: Mapping[str, Secret]) -> SiteSpec:
    """Add the existing platform settings to the spec, because an update replaces all app settings."""
    added = {each: value for each, value in existing.items() if each.startswith(_PLATFORM) and each not in _REGISTRY}
    values = {**added, **dict(spec.settings)}
    return replace(spec, settings=tuple(sorted(values.items())))


def build_site(spec: SiteSpec, region: str, tags: Mapping[str, str]) -> SiteModel:
    """The CreateOrUpdate request for the site."""
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
            client_affinity_enabled=spec.affinity,
            key_vault_reference_identity=spec.identity,
            site_config=config,
        ),
    )


def _setting_value(name: str, value: str) -> Secret:
    """Platform settings, the registry's address and user, and Key Vault references are not secret."""
    is_public = name in _REGISTRY[:2] or (name.startswith(_PLATFORM) and name not in _REGISTRY)
    return Secret(value, is_public=is_public or value.startswith(_REFERENCE))


def parse_site(site: SiteModel, config: SiteConfig | None, settings: Mapping[str, str]) -> SiteSpec:
    """The spec of an existing site. Missing values are empty."""
    properties, config = site.properties or SiteProperties(), config or SiteConfig()
    assigned = (site.identity.user_assigned_identities if site.identity else None) or {}
    client = config.acr_user_managed_identity_id if config.acr_use_managed_identity_creds else ""
    return SiteSpec(
        image=(config.linux_fx_version or "").removeprefix(_DOCKER),
        settings=tuple(sorted((each, _setting_value(each, value or "")) for each, value in settings.items())),
        health=config.health_check_path or "",
        always_on=bool(config.always_on),
        identity=next(iter(assigned), ""),
        client=client or "",
        plan=properties.server_farm_id or "",
        https_only=bool(properties.https_only),
        tls=enum_text(config.min_tls_version),
        ftp=enum_text(config.ftps_state),
        logging=bool(config.http_logging_enabled),
        affinity=bool(properties.client_affinity_enabled),
    )


def compare_specs(was: SiteSpec, desired: SiteSpec) -> tuple[str, ...]:
    """One readable line for each difference, without values of variables."""
    plain = (each.name for each in fields(SiteSpec) if each.name not in ("settings", "identity", "plan"))
    lines = [_difference(each, getattr(was, each), getattr(desired, each)) for each in plain]
    for each in ("identity", "plan"):
        if getattr(was, each).lower() != getattr(desired, each).lower():  # resource ids are case-insensitive
            lines.append(f"{each} → the app's own")
    return (*filter(None, lines), *_variable_differences(dict(was.settings), dict(desired.settings)))


_LABELS = {
    "client": "registry login",
    "health": "health check path",
    "always_on": "always on",
    "https_only": "HTTPS only",
    "tls": "minimum TLS",
    "ftp": "FTP",
    "logging": "container log",
    "affinity": "session affinity",
}


def _difference(field: str, was: object, desired: object) -> str:
    if was == desired:
        return ""
    label = _LABELS.get(field, field)
    if field == "client":
        return f"{label} {_auth_text(was)} → {_auth_text(desired)}"
    return f"{label} {_value_text(was)} → {_value_text(desired)}"


def _auth_text(client: object) -> str:
    return "with the app's identity" if client else "with a password"


def _value_text(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) or "none"


def _variable_differences(old: Mapping[str, Secret], new: Mapping[str, Secret]) -> Iterator[str]:
    for each in sorted(old.keys() | new.keys()):
        if each not in new:
            yield f"variable {each} → removed"
        elif each not in old:
            yield f"variable {each} → added"
        elif old[each] != new[each]:
            yield f"variable {each} → changed"
