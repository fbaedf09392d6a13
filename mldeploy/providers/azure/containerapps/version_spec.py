"""What a revision runs: built from the configuration, parsed from Azure, and compared. Pure functions.

https://learn.microsoft.com/azure/container-apps/azure-resource-manager-api-spec
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from azure.mgmt.appcontainers.models import (
    Container,
    ContainerAppProbe,
    ContainerAppProbeHttpGet,
    ContainerAppProbeTcpSocket,
    ContainerResources,
    EnvironmentVar,
    HttpScaleRule,
    Scale,
    ScaleRule,
    Template,
)

from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.providers.azure.cloud import enum_text
from mldeploy.providers.azure.containerapps.settings import ContainerAppsSettings, ReplicaSize

CONTAINER = "app"
"""The name of the container in each replica."""
PORT = "PORT"
_RULE, _CONCURRENCY = "http", "concurrentRequests"
_STARTUP, _READINESS = "Startup", "Readiness"
_START_FAILURES = 240
"""Failures of the startup probe: its default, and the most that the API takes.

https://github.com/hashicorp/terraform-provider-azurerm/pull/31989
"""


@dataclass(frozen=True)
class VersionSpec:
    """A version with its scale. image: by digest. env: sorted by name. secrets: secret names, by variable.

    start_timeout: seconds, a multiple of the startup probe's failures.
    """

    image: str
    env: tuple[tuple[str, Secret], ...]
    secrets: tuple[tuple[str, str], ...]
    health: str
    size: ReplicaSize
    start_timeout: int
    replicas: tuple[int, int]
    concurrency: int

    @property
    def port(self) -> int:
        """The port of the container; 0 if it is not set."""
        value = dict(self.env).get(PORT, Secret("", is_public=True)).reveal()
        return int(value) if value.isdecimal() else 0

    @property
    def digest(self) -> str:
        return self.image.partition("@")[2]

    def is_version(self, other: VersionSpec) -> bool:
        """Whether both are the same version of the app, however it is scaled."""
        return self._version == other._version

    def scaled(self, count: int) -> VersionSpec:
        """The same version with at least so many replicas."""
        return replace(self, replicas=(count, max(count, self.replicas[1])))

    def with_known_secrets(self, known: Collection[str]) -> VersionSpec:
        """The same version without references to secrets that are gone, which Azure refuses in a new revision."""
        return replace(self, secrets=tuple(each for each in self.secrets if each[1] in known))

    @property
    def _version(self) -> tuple[object, ...]:
        return self.image, self.env, self.secrets, self.health, self.size


def build_version(
    project: Project,
    settings: ContainerAppsSettings,
    image: str,
    was: VersionSpec | None,
    uris: Mapping[str, str] | None = None,
) -> VersionSpec:
    """The desired version. was: the one that serves, whose scale is kept where the settings have none.

    uris: of all secrets, by variable; None for those of the settings.
    """
    uris = settings.secrets if uris is None else uris
    port = Secret(str(project.app.port), is_public=True)
    env = {**dict(project.app.env), PORT: port}
    secrets = {variable: secret_name(variable, uri) for variable, uri in uris.items()}
    return VersionSpec(
        image=image or (was.image if was else ""),
        env=tuple(sorted((name, value) for name, value in env.items() if name not in secrets)),
        secrets=tuple(sorted(secrets.items())),
        health=project.app.health,
        size=settings.size(project),
        start_timeout=_START_FAILURES * max(1, math.ceil(project.check.start_timeout / _START_FAILURES)),
        replicas=settings.replicas(project, was.replicas if was else None),
        concurrency=settings.concurrency,
    )


def secret_name(variable: str, uri: str) -> str:
    """The name of a secret in the app. It follows from the URI, since earlier revisions keep theirs."""
    readable = "".join(each if each.isalnum() else "-" for each in variable.lower()).strip("-")[:40]
    return f"{readable or 'secret'}-{hashlib.sha256(uri.encode()).hexdigest()[:8]}"


def build_template(spec: VersionSpec, suffix: str) -> Template:
    """The revision-scope part of a request."""
    container = Container(
        name=CONTAINER,
        image=spec.image,
        env=[
            *(EnvironmentVar(name=name, value=value.reveal()) for name, value in spec.env),
            *(EnvironmentVar(name=name, secret_ref=reference) for name, reference in spec.secrets),
        ],
        resources=ContainerResources(cpu=spec.size.cpu, memory=spec.size.memory),
        probes=_build_probes(spec),
    )
    rule = ScaleRule(name=_RULE, http=HttpScaleRule(metadata={_CONCURRENCY: str(spec.concurrency)}))
    return Template(
        revision_suffix=suffix,
        containers=[container],
        scale=Scale(min_replicas=spec.replicas[0], max_replicas=spec.replicas[1], rules=[rule]),
    )


def _build_probes(spec: VersionSpec) -> list[ContainerAppProbe]:
    """The default probes would ask the ingress's port, which holds for all revisions, instead of this version's own.

    https://learn.microsoft.com/azure/container-apps/health-probes#default-configuration
    """
    socket = ContainerAppProbeTcpSocket(port=spec.port)
    get = ContainerAppProbeHttpGet(path=spec.health, port=spec.port)
    seconds = spec.start_timeout // _START_FAILURES
    return [
        ContainerAppProbe(
            type=_STARTUP,
            tcp_socket=socket,
            period_seconds=seconds,
            timeout_seconds=3,
            failure_threshold=_START_FAILURES,
        ),
        ContainerAppProbe(type=_READINESS, http_get=get, period_seconds=2, timeout_seconds=5, failure_threshold=3),
        ContainerAppProbe(
            type="Liveness", tcp_socket=socket, period_seconds=10, timeout_seconds=5, failure_threshold=3
        ),
    ]


def parse_version(template: Template | None) -> VersionSpec:
    """The version of an existing revision. Missing values are empty."""
    container = next((each for each in (template.containers if template else None) or ()), Container())
    scale = (template.scale if template else None) or Scale()
    env = container.env or []
    return VersionSpec(
        image=container.image or "",
        env=tuple(sorted((each.name or "", _env_value(each)) for each in env if not each.secret_ref)),
        secrets=tuple(sorted((each.name or "", each.secret_ref) for each in env if each.secret_ref)),
        health=_health_path(container),
        size=ReplicaSize(float((container.resources.cpu if container.resources else None) or 0)),
        start_timeout=_start_timeout(container),
        replicas=(scale.min_replicas or 0, scale.max_replicas or 10),
        concurrency=_concurrency(scale),
    )


def _env_value(variable: EnvironmentVar) -> Secret:
    return Secret(variable.value or "", is_public=variable.name == PORT)


def _health_path(container: Container) -> str:
    for each in container.probes or ():
        if enum_text(each.type) == _READINESS and each.http_get:
            return each.http_get.path or ""
    return ""


def _start_timeout(container: Container) -> int:
    for each in container.probes or ():
        if enum_text(each.type) == _STARTUP:
            return (each.period_seconds or 1) * (each.failure_threshold or 1)
    return _START_FAILURES


def _concurrency(scale: Scale) -> int:
    for each in scale.rules or ():
        value = ((each.http.metadata if each.http else None) or {}).get(_CONCURRENCY, "")
        if value.isdecimal():
            return int(value)
    return 0


def compare_versions(was: VersionSpec, desired: VersionSpec) -> Iterator[str]:
    """One readable line for each difference, without values of variables."""
    if was.image != desired.image:
        yield f"image {was.image or 'none'} → {desired.image or 'a new image'}"
    if was.health != desired.health:
        yield f"health check path {was.health or 'none'} → {desired.health}"
    if was.size != desired.size:
        yield f"size {was.size} → {desired.size}"
    if was.start_timeout != desired.start_timeout:
        yield f"start timeout {was.start_timeout} s → {desired.start_timeout} s"
    if was.replicas != desired.replicas:
        yield f"replicas {_range_text(was)} → {_range_text(desired)}"
    if was.concurrency != desired.concurrency:
        yield f"concurrency {was.concurrency or 'default'} → {desired.concurrency}"
    yield from _variable_differences(_variables(was), _variables(desired))


def _range_text(spec: VersionSpec) -> str:
    return f"{spec.replicas[0]} to {spec.replicas[1]}"


def _variables(spec: VersionSpec) -> Mapping[str, object]:
    return {**dict(spec.env), **dict(spec.secrets)}


def _variable_differences(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    for each in sorted(old.keys() | new.keys()):
        if each not in new:
            yield f"variable {each} → removed"
        elif each not in old:
            yield f"variable {each} → added"
        elif old[each] != new[each]:
            yield f"variable {each} → changed"
