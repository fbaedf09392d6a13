"""The container spec of a site, read from its configuration: image, credentials, port, limits, environment."""

from __future__ import annotations

import re
import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from mldeploy.rehearsal.azure.acr import TOKEN_USER, issue_refresh_token
from mldeploy.rehearsal.azure.arm.identities import find_identity
from mldeploy.rehearsal.azure.arm.plans import get_plan, get_sku
from mldeploy.rehearsal.azure.arm.state import ArmResource, SubscriptionState
from mldeploy.rehearsal.azure.keyvault.vaults import KeyVaults
from mldeploy.rehearsal.azure.registry_hosts import RegistryHosts
from mldeploy.rehearsal.azure.sites.front_end import SiteAddressPool
from mldeploy.rehearsal.containers.engine import LogListener
from mldeploy.rehearsal.containers.host import (
    CPU_UNITS_PER_CORE,
    ContainerExit,
    ContainerHost,
    HostContainer,
    LaunchSpec,
)
from mldeploy.rehearsal.record import LABEL
from mldeploy.rehearsal.tokens import TokenSigner

_DOCKER = "DOCKER|"
_PORT = 80
_LIMIT, _LIMITS = 230, (0, 1800)
"""Startup time limit in seconds: default and range. Standard: "Configure a custom container"."""
_SPEEDUP, _MIN_LIMIT = 16, 15
"""A rehearsal divides Azure's time limits by the first number, down to the second number of seconds."""
_REFERENCE = re.compile(r"@Microsoft\.KeyVault\((?P<what>[^)]*)\)")


@dataclass(frozen=True)
class SiteContainerSpec:
    """port: the port to ping. limit: the startup time limit here, azure_limit: on Azure, in seconds.

    count: the number of containers.
    """

    image: str
    port: int
    limit: float
    azure_limit: int
    count: int
    launch: LaunchSpec
    user: str
    password: str
    keeps_output: bool


def build_spec(
    context: SiteContext, site: ArmResource, config: Mapping[str, Any], settings: Mapping[str, str]
) -> SiteContainerSpec | None:
    """Return the spec; None if no image is configured. The caller holds the account's lock. Raises ArmError."""
    image = str(config.get("linuxFxVersion") or "")
    if not image.upper().startswith(_DOCKER):
        return None
    image = image[len(_DOCKER) :]
    user, password = _get_credentials(context, site, config, settings, image)
    seconds, port = read_start_limit(settings), read_port(settings)
    return SiteContainerSpec(
        image=image,
        port=port,
        limit=min(seconds, max(_MIN_LIMIT, seconds / _SPEEDUP * max(context.pace, 1))),
        azure_limit=seconds,
        count=get_plan(context.account, site).body["sku"]["capacity"],
        launch=_build_launch_spec(context, site, image, _build_environment(context, site, settings, port), config),
        user=user,
        password=password,
        keeps_output=bool(config.get("httpLoggingEnabled")),
    )


def _build_launch_spec(
    context: SiteContext, site: ArmResource, image: str, environment: Mapping[str, str], config: Mapping[str, Any]
) -> LaunchSpec:
    sku = get_sku(get_plan(context.account, site))
    return LaunchSpec(
        image=image,
        labels={LABEL: context.name, f"{LABEL}.site": site.name},
        environment=environment,
        cpu=sku.cores * CPU_UNITS_PER_CORE,
        memory=sku.memory,
        ports=(int(environment["PORT"]),),
        command=_command(config.get("appCommandLine")),
    )


def read_port(settings: Mapping[str, str]) -> int:
    """Return the port that App Service pings."""
    port = settings.get("WEBSITES_PORT") or settings.get("PORT") or ""
    return int(port) if port.isdigit() else _PORT


def read_start_limit(settings: Mapping[str, str]) -> int:
    """Return the startup time limit in seconds."""
    text = settings.get("WEBSITES_CONTAINER_START_TIME_LIMIT", "")
    low, high = _LIMITS
    return min(max(int(text), low), high) if text.isdigit() else _LIMIT


def _command(line: str | None) -> tuple[str, ...] | None:
    return ("sh", "-c", line) if line else None


def _build_environment(
    context: SiteContext, site: ArmResource, settings: Mapping[str, str], port: int
) -> dict[str, str]:
    values = {name: resolve_reference(context, site, value)[0] for name, value in settings.items()}
    return {
        **values,
        **{f"APPSETTING_{name}": value for name, value in values.items()},
        "PORT": str(port),
        "WEBSITE_SITE_NAME": site.id.split("/")[8],
        "WEBSITE_HOSTNAME": str(site.properties.get("defaultHostName", "")),
    }


def is_reference(value: str) -> bool:
    """Return whether the value of a setting is a key vault reference."""
    return _REFERENCE.fullmatch(value) is not None


def resolve_reference(context: SiteContext, site: ArmResource, value: str) -> tuple[str, str]:
    """Resolve the key vault reference of a setting with the site's identity for references.

    Return the value and the status; empty if it is no reference.

    An unresolved reference stays as it is. Standard: App Service, "Use Key Vault references".
    """
    reference = _REFERENCE.fullmatch(value)
    if reference is None:
        return value, ""
    identity = context.account.find(str(site.properties.get("keyVaultReferenceIdentity") or ""))
    principal = str(identity.properties["principalId"]) if identity is not None else ""
    uri = _parse_uri(reference["what"])
    secret = context.vaults.fetch(uri, principal)
    if secret is None:
        secret = context.account.conditions.secrets.get("/".join(uri.lower().split("/")[:5]))
    if secret is None:
        return value, "AccessToKeyVaultDenied" if context.vaults.has_vault(uri) else "SecretNotFound"
    return secret, "Resolved"


def _parse_uri(what: str) -> str:
    """Return the URI of a secret, for both forms of references."""
    parts = dict(part.partition("=")[::2] for part in what.split(";"))
    named = f"https://{parts.get('VaultName')}.vault.azure.net/secrets/{parts.get('SecretName')}"
    return parts.get("SecretUri", named).rstrip("/")


def _get_credentials(
    context: SiteContext, site: ArmResource, config: Mapping[str, Any], settings: Mapping[str, str], image: str
) -> tuple[str, str]:
    """Return user and password for the pull; invalid ones if the site has none, which the registry rejects."""
    login = image.partition("/")[0]
    if not config.get("acrUseManagedIdentityCreds"):
        return settings.get("DOCKER_REGISTRY_SERVER_USERNAME", ""), settings.get("DOCKER_REGISTRY_SERVER_PASSWORD", "")
    identity = find_identity(context.account, str(config.get("acrUserManagedIdentityID") or ""))
    assigned = (site.body.get("identity") or {}).get("userAssignedIdentities") or {}
    if identity is None or identity.id.lower() not in [each.lower() for each in assigned]:
        return TOKEN_USER, "the site has no such identity"
    return TOKEN_USER, issue_refresh_token(context.tokens, login, identity.properties["principalId"])


_PING = "/robots933456.txt"
"""The path of App Service's warm-up ping; any response counts."""
_PATIENCE = 5.0
_LINES = 5000


class SiteLogBuffer:
    """A site's log: the last lines of the platform and of the app. May be used from several threads."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._lines: deque[str] = deque(maxlen=_LINES)

    def write(self, text: str) -> None:
        """Append a line with a timestamp."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self._mutex:
            self._lines.append(f"{now} {text}\n")

    @property
    def text(self) -> str:
        """The whole log, the oldest line first."""
        with self._mutex:
            return "".join(self._lines)


class SiteContainer:
    """A running or exited container. log: receives its output."""

    def __init__(self, name: str, container: HostContainer, spec: SiteContainerSpec, log: SiteLogBuffer) -> None:
        self.name = name
        self.log = log
        self.is_removed = False
        self._container = container
        self._port = spec.port
        self._ended = threading.Event()
        self._exit: ContainerExit | None = None
        self._listener = LogListener(container, self._log_output) if spec.keeps_output else None
        threading.Thread(target=self._wait_for_exit, daemon=True).start()

    @property
    def url(self) -> str:
        """The URL of the container, without a path."""
        return f"http://{self._container.address}:{self._port}"

    @property
    def exit(self) -> ContainerExit | None:
        """The exit state; None while the container runs."""
        return self._exit

    def on_exit(self, callback: Callable[[], None]) -> None:
        """Call a function once the container has exited."""

        def wait() -> None:
            self._ended.wait()
            callback()

        threading.Thread(target=wait, daemon=True).start()

    def responds(self) -> bool:
        """Return whether the container responds to a ping, with any status."""
        return self._status(_PING) > 0

    def is_healthy(self, path: str) -> bool:
        """Run the health check; without a path every running container is healthy. Standard: "Health check"."""
        return self._exit is None and (not path or 200 <= self._status(path) < 300)

    def _status(self, path: str) -> int:
        with suppress(requests.RequestException), requests.Session() as session:
            session.trust_env = False
            return session.get(self.url + path, timeout=_PATIENCE, allow_redirects=False).status_code
        return 0

    def remove(self, seconds: int = 0) -> None:
        """Stop and remove the container. seconds: the grace period."""
        self.is_removed = True
        if seconds:
            self._container.stop(seconds)
        self._container.remove()

    def _wait_for_exit(self) -> None:
        """Wait for the exit. The log is complete before `exit` is set."""
        exit_ = self._container.wait()
        if self._listener is not None:
            self._listener.wait()
        self._exit = exit_
        self._ended.set()

    def _log_output(self, line: bytes) -> None:
        self.log.write(line.decode(errors="replace"))


def make_container_name(site: str, number: int) -> str:
    """Return a container name of Azure's form."""
    return f"{site}_{number}_{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True)
class SiteContext:
    """name: the value of the rehearsal's label on every container."""

    name: str
    account: SubscriptionState
    host: ContainerHost
    registry_hosts: RegistryHosts
    tokens: TokenSigner
    addresses: SiteAddressPool
    vaults: KeyVaults

    @property
    def pace(self) -> float:
        """Seconds that each phase of a start takes at least."""
        return self.account.pace
