"""The application-scope configuration of a container app: built, parsed and compared. Pure functions.

It holds for all revisions: a change of it makes no new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from azure.mgmt.appcontainers.models import (
    Configuration,
    ContainerApp,
    ManagedServiceIdentity,
    RegistryCredentials,
    UserAssignedIdentity,
)
from azure.mgmt.appcontainers.models import Secret as SecretModel

from mldeploy.config.secret import Secret
from mldeploy.providers.azure.cloud import enum_text
from mldeploy.providers.azure.containerapps.ingress import build_ingress
from mldeploy.providers.azure.keyvault.secrets import NO_SECRETS, AppSecrets

_MULTIPLE = "Multiple"
_PASSWORD = "registry-password"  # noqa: S105 - the name of a secret


@dataclass(frozen=True)
class AppSpec:
    """environment, identity: resource ids. registry: its address. by_identity: the app's identity pulls.

    vault: Key Vault URIs by secret name, of the desired version. password: of the registry's admin user, who pulls
    where the identity does not; None if it is not known, as of an existing app.
    """

    port: int
    external: bool
    environment: str
    identity: str
    registry: str
    user: str
    vault: tuple[tuple[str, str], ...]
    keep: int
    mode: str = _MULTIPLE
    insecure: bool = False
    password: Secret | None = None
    store: AppSecrets = NO_SECRETS
    """Of the desired version: what is in the app's own vault."""


def build_configuration(spec: AppSpec, vault: Mapping[str, str], weights: Mapping[str, int]) -> Configuration:
    """The managed part of the configuration. vault: all Key Vault secrets, with those of kept revisions."""
    ingress = build_ingress(spec.port, external=spec.external, weights=weights)
    secrets = [SecretModel(name=name, key_vault_url=uri, identity=spec.identity) for name, uri in vault.items()]
    if spec.user:
        secrets.append(SecretModel(name=_PASSWORD, value=spec.password.reveal() if spec.password else ""))
        registry = RegistryCredentials(server=spec.registry, username=spec.user, password_secret_ref=_PASSWORD)
    else:
        registry = RegistryCredentials(server=spec.registry, identity=spec.identity)
    return Configuration(
        active_revisions_mode=spec.mode,
        ingress=ingress,
        registries=[registry],
        secrets=secrets,
        max_inactive_revisions=spec.keep,
    )


def build_identity(spec: AppSpec) -> ManagedServiceIdentity:
    return ManagedServiceIdentity(type="UserAssigned", user_assigned_identities={spec.identity: UserAssignedIdentity()})


def parse_app_spec(app: ContainerApp) -> AppSpec:
    """The configuration of an existing app. Missing values are empty."""
    properties = app.properties
    configuration = (properties.configuration if properties else None) or Configuration()
    ingress = configuration.ingress
    registry = next(iter(configuration.registries or ()), RegistryCredentials())
    assigned = (app.identity.user_assigned_identities if app.identity else None) or {}
    return AppSpec(
        port=(ingress.target_port if ingress else 0) or 0,
        external=bool(ingress and ingress.external),
        environment=(properties and (properties.environment_id or properties.managed_environment_id)) or "",
        identity=next(iter(assigned), ""),
        registry=registry.server or "",
        user=registry.username or "",
        vault=tuple(sorted(parse_vault(configuration).items())),
        keep=configuration.max_inactive_revisions or 0,
        mode=enum_text(configuration.active_revisions_mode),
        insecure=bool(ingress and ingress.allow_insecure),
    )


def parse_vault(configuration: Configuration) -> dict[str, str]:
    """The Key Vault URIs of the app's secrets, by secret name."""
    return {each.name: each.key_vault_url for each in configuration.secrets or () if each.name and each.key_vault_url}


def compare_app_specs(was: AppSpec, desired: AppSpec) -> Iterator[str]:
    """One readable line for each difference. Empty values of `desired` are not known yet."""
    plain = (
        ("port", was.port, desired.port),
        ("ingress", _ingress_text(was), _ingress_text(desired)),
        ("versions to keep", was.keep, desired.keep),
        ("revision mode", was.mode, desired.mode),
        ("unencrypted HTTP", _on_off(was.insecure), _on_off(desired.insecure)),
        ("registry login", _login_text(was), _login_text(desired)),
    )
    for name, before, after in plain:
        if before != after:
            yield f"{name} {before or 'none'} → {after}"
    if desired.registry and was.registry != desired.registry:
        yield f"registry {was.registry or 'none'} → {desired.registry}"
    if desired.identity and was.identity.lower() != desired.identity.lower():  # resource ids are case-insensitive
        yield "identity → the app's own"
    missing = dict(desired.vault).items() - dict(was.vault).items()
    yield from (f"secret {name} → added" for name, _ in sorted(missing))


def is_elsewhere(was: AppSpec, desired: AppSpec) -> bool:
    """Whether the app is in another environment, which no update can change."""
    return bool(desired.environment) and was.environment.lower() != desired.environment.lower()


def _ingress_text(spec: AppSpec) -> str:
    return "external" if spec.external else "internal"


def _login_text(spec: AppSpec) -> str:
    return "with a password" if spec.user else "with the app's identity"


def _on_off(on: bool) -> str:
    return "on" if on else "off"
