"""What a site is to run, as its configuration says at one moment, and with which credentials its image is pulled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mldeploy.rehearsal.azure.acr import TOKEN_USER, refresh_token
from mldeploy.rehearsal.azure.arm.account import Account, Resource
from mldeploy.rehearsal.azure.arm.identities import by_client
from mldeploy.rehearsal.azure.arm.plans import plan_of, sku_of
from mldeploy.rehearsal.azure.sites.stage import Stage
from mldeploy.rehearsal.containers.host import UNITS, Launch
from mldeploy.rehearsal.place import LABEL

_DOCKER = "DOCKER|"
_PORT = 80
_LIMIT, _LIMITS = 230, (0, 1800)
"""Seconds that a container has to answer, by default and at most. Standard: "Configure a custom container"."""
_HASTE, _LEAST = 10, 15
"""A rehearsal is so much faster than Azure: limits, too, are so much shorter, but not shorter than so many seconds."""
_REFERENCE = re.compile(r"@Microsoft\.KeyVault\((?P<what>[^)]*)\)")


@dataclass(frozen=True)
class Wanted:
    """port: on which the container is to answer. limit: seconds that it has for it here, told_limit: on Azure.

    count: how many containers.
    """

    image: str
    port: int
    limit: float
    told_limit: int
    count: int
    launch: Launch
    user: str
    password: str
    keeps_output: bool


def wanted(stage: Stage, site: Resource, config: Mapping[str, Any], settings: Mapping[str, str]) -> Wanted | None:
    """None: it is not said which image it is to run. The account's lock is to be held."""
    image = str(config.get("linuxFxVersion") or "")
    if not image.upper().startswith(_DOCKER):
        return None
    image = image[len(_DOCKER) :]
    user, password = _credentials(stage, site, config, settings, image)
    seconds, port = seconds_of(settings), port_of(settings)
    return Wanted(
        image=image,
        port=port,
        limit=min(seconds, max(_LEAST, seconds / _HASTE * max(stage.pace, 1))),
        told_limit=seconds,
        count=plan_of(stage.account, site).body["sku"]["capacity"],
        launch=_launch(stage, site, image, _environment(stage.account, site, settings, port), config),
        user=user,
        password=password,
        keeps_output=bool(config.get("httpLoggingEnabled")),
    )


def _launch(
    stage: Stage, site: Resource, image: str, environment: Mapping[str, str], config: Mapping[str, Any]
) -> Launch:
    sku = sku_of(plan_of(stage.account, site))
    return Launch(
        image=image,
        labels={LABEL: stage.name, f"{LABEL}.site": site.name},
        environment=environment,
        cpu=sku.cores * UNITS,
        memory=sku.memory,
        ports=(int(environment["PORT"]),),
        command=_command(config.get("appCommandLine")),
    )


def port_of(settings: Mapping[str, str]) -> int:
    """On which Azure expects the container to answer."""
    found = settings.get("WEBSITES_PORT") or settings.get("PORT") or ""
    return int(found) if found.isdigit() else _PORT


def seconds_of(settings: Mapping[str, str]) -> int:
    """What the start time limit is set to."""
    found = settings.get("WEBSITES_CONTAINER_START_TIME_LIMIT", "")
    low, high = _LIMITS
    return min(max(int(found), low), high) if found.isdigit() else _LIMIT


def _command(line: str | None) -> tuple[str, ...] | None:
    return ("sh", "-c", line) if line else None


def _environment(account: Account, site: Resource, settings: Mapping[str, str], port: int) -> dict[str, str]:
    values = {name: resolved(account, value)[0] for name, value in settings.items()}
    return {
        **values,
        **{f"APPSETTING_{name}": value for name, value in values.items()},
        "PORT": str(port),
        "WEBSITE_SITE_NAME": site.id.split("/")[8],
        "WEBSITE_HOSTNAME": str(site.properties.get("defaultHostName", "")),
    }


def resolved(account: Account, value: str) -> tuple[str, str]:
    """A setting's value, and how its reference to a key vault fared; empty if it is none.

    What cannot be resolved stays what it is. Standard: App Service, "Use Key Vault references".
    """
    reference = _REFERENCE.fullmatch(value)
    if reference is None:
        return value, ""
    found = account.orders.secrets.get(_uri(reference["what"]))
    return (value, "SecretNotFound") if found is None else (found, "Resolved")


def _uri(what: str) -> str:
    """The URI of a secret, without its version and in small letters, whichever way it is referred to."""
    parts = dict(part.partition("=")[::2] for part in what.split(";"))
    named = f"https://{parts.get('VaultName')}.vault.azure.net/secrets/{parts.get('SecretName')}"
    return "/".join(parts.get("SecretUri", named).lower().rstrip("/").split("/")[:5])


def _credentials(
    stage: Stage, site: Resource, config: Mapping[str, Any], settings: Mapping[str, str], image: str
) -> tuple[str, str]:
    """User and password for the pull; nobody's if it has none, which the registry then says."""
    login = image.partition("/")[0]
    if not config.get("acrUseManagedIdentityCreds"):
        return settings.get("DOCKER_REGISTRY_SERVER_USERNAME", ""), settings.get("DOCKER_REGISTRY_SERVER_PASSWORD", "")
    identity = by_client(stage.account, str(config.get("acrUserManagedIdentityID") or ""))
    assigned = (site.body.get("identity") or {}).get("userAssignedIdentities") or {}
    if identity is None or identity.id.lower() not in [each.lower() for each in assigned]:
        return TOKEN_USER, "the site has no such identity"
    return TOKEN_USER, refresh_token(stage.tokens, login, identity.properties["principalId"])
