"""What a revision runs: built from the configuration, parsed from Cloud Run, and compared. Pure functions.

https://cloud.google.com/run/docs/reference/rpc/google.cloud.run.v2#revisiontemplate
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TypeAlias

from google.cloud import run_v2
from google.protobuf import duration_pb2

from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.providers.gcp.cloudrun.settings import MIB, TARGET, CloudRunSettings
from mldeploy.providers.gcp.settings import owner_labels
from mldeploy.providers.secret_store import StoredSecret

LONGEST_START = 240
"""Seconds: https://cloud.google.com/run/docs/configuring/healthchecks#startup-probes"""
PROBE_PERIOD = 1
_UNITS: Mapping[str, int] = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_EGRESS = {
    "all-traffic": run_v2.VpcAccess.VpcEgress.ALL_TRAFFIC,
    "private-ranges-only": run_v2.VpcAccess.VpcEgress.PRIVATE_RANGES_ONLY,
}

RevisionMessage: TypeAlias = run_v2.RevisionTemplate | run_v2.Revision


@dataclass(frozen=True)
class RevisionSpec:
    """One version of the app with its resources. image: by digest. cpu: vCPUs. memory: MiB. timeout, start: seconds.

    env: without the variables that Cloud Run sets. secrets: variable, secret, version. affinity: of sessions.
    network: the connector, or network and subnetwork; empty without.
    """

    image: str
    port: int
    env: tuple[tuple[str, Secret], ...]
    secrets: tuple[tuple[str, str, str], ...]
    cpu: float
    memory: int
    concurrency: int
    timeout: int
    account: str
    health: str
    start: int
    boost: bool
    always_billed: bool
    gpu: str
    network: tuple[str, ...]
    egress: str
    affinity: bool

    @property
    def digest(self) -> str:
        """A few digits of what it is: two revisions with the same spec have the same."""
        document = {**asdict(self), "env": [(name, value.reveal()) for name, value in self.env]}
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:6]

    @property
    def image_digest(self) -> str:
        return self.image.partition("@")[2]


def build_spec(
    project: Project,
    settings: CloudRunSettings,
    scope: str,
    image: str,
    account: str,
    stored: Iterable[StoredSecret] = (),
) -> RevisionSpec:
    """The desired spec. scope: the project's id. stored: by `mldeploy secrets`. Raises ConfigError (no such size)."""
    references = {**settings.secrets, **{each.name: f"{each.reference}:{each.version}" for each in stored}}
    app, size = project.app, settings.size(project)
    network = (settings.connector,) if settings.connector else (settings.network, settings.subnetwork)
    has_network = bool(settings.connector or settings.network)
    return RevisionSpec(
        image=image,
        port=app.port,
        env=tuple((name, value) for name, value in app.env if name != "PORT"),
        secrets=tuple(sorted((name, *resolve_secret(scope, ref)) for name, ref in references.items())),
        cpu=float(size.cpu),
        memory=size.memory,
        concurrency=settings.concurrent_requests(app, size.cpu),
        timeout=settings.timeout,
        account=account,
        health=app.health,
        start=min(LONGEST_START, math.ceil(project.check.start_timeout)),
        boost=settings.cpu_boost,
        always_billed=settings.billing == "instance",
        gpu=settings.gpu,
        network=network if has_network else (),
        egress=settings.egress if has_network else "",
        affinity=app.keeps_sessions,
    )


def resolve_secret(scope: str, reference: str) -> tuple[str, str]:
    """The secret and the version of a reference in the settings. A secret of the same project has a short name."""
    path, _, name = reference.rpartition("/")
    name, _, version = name.partition(":")
    return (name if path in ("", f"projects/{scope}/secrets") else f"{path}/{name}"), version or "latest"


def build_template(spec: RevisionSpec, app: str, revision: str) -> run_v2.RevisionTemplate:
    """The template of a revision with this name, and with the owner labels."""
    limits = {"cpu": f"{spec.cpu:g}", "memory": f"{spec.memory}Mi", **({"nvidia.com/gpu": "1"} if spec.gpu else {})}
    container = run_v2.Container(
        image=spec.image,
        ports=[run_v2.ContainerPort(name="http1", container_port=spec.port)],
        env=[*_plain_variables(spec), *_secret_variables(spec)],
        resources=run_v2.ResourceRequirements(
            limits=limits, cpu_idle=not spec.always_billed, startup_cpu_boost=spec.boost
        ),
        startup_probe=run_v2.Probe(
            period_seconds=PROBE_PERIOD,
            timeout_seconds=PROBE_PERIOD,
            failure_threshold=max(1, spec.start // PROBE_PERIOD),
            http_get=run_v2.HTTPGetAction(path=spec.health, port=spec.port),
        ),
    )
    template = run_v2.RevisionTemplate(
        revision=revision,
        labels=owner_labels(app, TARGET),
        timeout=duration_pb2.Duration(seconds=spec.timeout),
        service_account=spec.account,
        containers=[container],
        max_instance_request_concurrency=spec.concurrency,
        session_affinity=spec.affinity,
    )
    if spec.gpu:
        template.node_selector = run_v2.NodeSelector(accelerator=spec.gpu)
        template.gpu_zonal_redundancy_disabled = True  # the quota that a project gets by itself
    if spec.network:
        template.vpc_access = _vpc_access(spec)
    return template


def parse_spec(message: RevisionMessage) -> RevisionSpec:
    """The spec of a template or a revision. Missing values are empty."""
    container = message.containers[0] if message.containers else run_v2.Container()
    resources, probe = container.resources, container.startup_probe
    variables = [each for each in container.env if not each.value_source.secret_key_ref.secret]
    references = [(each.name, each.value_source.secret_key_ref) for each in container.env]
    return RevisionSpec(
        image=container.image,
        port=container.ports[0].container_port if container.ports else 8080,
        env=tuple(sorted(((each.name, Secret(each.value)) for each in variables), key=lambda pair: pair[0])),
        secrets=tuple(sorted((name, ref.secret, ref.version or "latest") for name, ref in references if ref.secret)),
        cpu=_quantity(resources.limits.get("cpu", "")),
        memory=round(_quantity(resources.limits.get("memory", "")) / MIB),
        concurrency=message.max_instance_request_concurrency,
        timeout=_timeout(message),
        account=message.service_account,
        health=probe.http_get.path,
        start=probe.failure_threshold * probe.period_seconds,
        boost=resources.startup_cpu_boost,
        always_billed=not resources.cpu_idle,
        gpu=message.node_selector.accelerator,
        network=_network(message.vpc_access),
        egress=_egress(message.vpc_access),
        affinity=message.session_affinity,
    )


def compare_specs(was: RevisionSpec, desired: RevisionSpec) -> tuple[str, ...]:
    """One readable line for each difference, without values of variables."""
    plain = (each.name for each in fields(RevisionSpec) if each.name not in ("env", "secrets"))
    lines = [_difference(name, getattr(was, name), getattr(desired, name)) for name in plain]
    references = {name: (secret, version) for name, secret, version in was.secrets}
    wanted = {name: (secret, version) for name, secret, version in desired.secrets}
    return (
        *filter(None, lines),
        *_variable_differences("variable", dict(was.env), dict(desired.env)),
        *_variable_differences("secret", references, wanted),
    )


def _plain_variables(spec: RevisionSpec) -> Iterator[run_v2.EnvVar]:
    for name, value in spec.env:
        yield run_v2.EnvVar(name=name, value=value.reveal())


def _secret_variables(spec: RevisionSpec) -> Iterator[run_v2.EnvVar]:
    for name, secret, version in spec.secrets:
        selector = run_v2.SecretKeySelector(secret=secret, version=version)
        yield run_v2.EnvVar(name=name, value_source=run_v2.EnvVarSource(secret_key_ref=selector))


def _vpc_access(spec: RevisionSpec) -> run_v2.VpcAccess:
    egress = _EGRESS[spec.egress]
    if len(spec.network) == 1:
        return run_v2.VpcAccess(connector=spec.network[0], egress=egress)
    network, subnetwork = spec.network
    interface = run_v2.VpcAccess.NetworkInterface(network=network, subnetwork=subnetwork)
    return run_v2.VpcAccess(egress=egress, network_interfaces=[interface])


def _timeout(message: RevisionMessage) -> int:
    """In seconds; 0 if it is not set."""
    if isinstance(message, run_v2.RevisionTemplate):
        return int(run_v2.RevisionTemplate.pb(message).timeout.seconds)
    return int(run_v2.Revision.pb(message).timeout.seconds)


def _network(access: run_v2.VpcAccess) -> tuple[str, ...]:
    if access.connector:
        return (access.connector,)
    return next(((each.network, each.subnetwork) for each in access.network_interfaces), ())


def _egress(access: run_v2.VpcAccess) -> str:
    if not _network(access):
        return ""
    return next((name for name, value in _EGRESS.items() if value == access.egress), "private-ranges-only")


def _quantity(text: str) -> float:
    """A Kubernetes quantity: `512Mi`, `1`, `1000m`. 0 if it is missing or another text."""
    match = re.fullmatch(r"(?P<number>[\d.]+)(?P<unit>m|k|M|G|Ki|Mi|Gi|)", text)
    if match is None:
        return 0.0
    number = float(match["number"])
    return number / 1000 if match["unit"] == "m" else number * _UNITS[match["unit"]]


_LABELS: Mapping[str, str] = {
    "account": "service account",
    "health": "health path",
    "start": "time to start",
    "boost": "CPU boost",
    "always_billed": "billing",
    "affinity": "session affinity",
    "cpu": "vCPUs",
    "memory": "memory in MiB",
    "gpu": "GPU",
}


def _difference(field: str, was: object, desired: object) -> str:
    if was == desired:
        return ""
    return f"{_LABELS.get(field, field)} {_text(field, was)} → {_text(field, desired)}"


def _text(field: str, value: object) -> str:
    if field == "always_billed":
        return "by instance" if value else "by request"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return "/".join(filter(None, map(str, value))) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"


def _variable_differences(kind: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield f"{kind} {name} → removed"
        elif name not in old:
            yield f"{kind} {name} → added"
        elif old[name] != new[name]:
            yield f"{kind} {name} → changed"
