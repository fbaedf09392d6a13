"""The specification of a container: a pure value that is compared and sent to the engine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from mldeploy.config.secret import Secret
from mldeploy.config.settings import App
from mldeploy.image.labels import ORIGIN, owner_labels

ENV = "mldeploy.env"
"""Label: the names of the variables that the project sets, with spaces between them. Their values are in no label."""

Body = dict[str, object]
Variables = tuple[tuple[str, Secret], ...]
"""Environment variables, sorted by name."""

STOP_SECONDS = 35
"""Default stop timeout of a container; longer than our server's own limit."""
PIDS_LIMIT = 512
"""Default limit of a container's processes and threads."""


def sort_by_name(variables: Iterable[tuple[str, Secret]]) -> Variables:
    return tuple(sorted(variables, key=lambda variable: variable[0]))


@dataclass(frozen=True)
class ContainerSpec:
    """One container, desired or existing.

    image: the reference to show; image_id: compared. memory: bytes. nano_cpus: billionths of a CPU.
    memory, nano_cpus, pids_limit: 0 is no limit. host_port: 0 lets the engine choose. stop_timeout: seconds.
    env: without what the image sets.
    """

    app: str
    image: str = field(compare=False)
    image_id: str
    port: int
    host: str
    host_port: int
    memory: int
    nano_cpus: int
    pids_limit: int
    restart: str
    stop_timeout: int
    read_only: bool
    init: bool
    env: Variables

    @property
    def fingerprint(self) -> str:
        """The value of the label that records the spec at creation."""
        blind = replace(self, restart="", env=tuple((name, Secret("")) for name, _ in self.env))
        text = json.dumps({**_unlabelled(blind), "Image": self.image_id}, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class ImageConfig:
    """An image's id, and whether its entrypoint is an init."""

    reference: str
    image_id: str
    has_init: bool


@dataclass(frozen=True)
class Limits:
    """Which limits an engine can set. A rootless engine often lacks some."""

    memory: bool
    cpus: bool
    processes: bool

    def apply_to(self, spec: ContainerSpec) -> ContainerSpec:
        """Return the spec without the limits that cannot be set."""
        return replace(
            spec,
            memory=spec.memory if self.memory else 0,
            nano_cpus=spec.nano_cpus if self.cpus else 0,
            pids_limit=spec.pids_limit if self.processes else 0,
        )


def is_less_limited(spec: ContainerSpec, other: ContainerSpec) -> bool:
    """Whether `spec` lacks a limit that the other one has."""
    pairs = ((spec.memory, other.memory), (spec.nano_cpus, other.nano_cpus), (spec.pids_limit, other.pids_limit))
    return any(limit == 0 < required for limit, required in pairs)


def build_restricted_spec(app: App, image: ImageConfig) -> ContainerSpec:
    """Return the app's spec with production restrictions: the limits of `[app]`, no privileges, a loopback port.

    The variable PORT is always the app's port.
    """
    return ContainerSpec(
        app=app.name,
        image=image.reference,
        image_id=image.image_id,
        port=app.port,
        host="127.0.0.1",
        host_port=0,
        memory=app.memory,
        nano_cpus=round(app.cpus * 1e9),
        pids_limit=PIDS_LIMIT,
        restart="no",
        stop_timeout=STOP_SECONDS,
        read_only=app.read_only,
        init=not image.has_init,
        env=sort_by_name({**dict(app.env), "PORT": Secret(str(app.port))}.items()),
    )


def create_body(spec: ContainerSpec, mark: str, origin: str = "") -> Body:
    """The request that creates the container (Docker Engine API v1.41, ContainerCreate). Contains the secrets.

    mark: the label for the fingerprint. origin: the value of the label that says who makes it.
    """
    body = _unlabelled(spec)
    names = " ".join(name for name, _ in spec.env)
    labels = {**owner_labels(spec.app), mark: spec.fingerprint, ENV: names, **({ORIGIN: origin} if origin else {})}
    return {**body, "Labels": labels}


def _unlabelled(spec: ContainerSpec) -> Body:
    port = f"{spec.port}/tcp"
    return {
        "Image": spec.image,
        "Env": [f"{name}={value.reveal()}" for name, value in spec.env],
        "ExposedPorts": {port: {}},
        "StopTimeout": spec.stop_timeout,
        "HostConfig": {
            "PortBindings": {port: [{"HostIp": spec.host, "HostPort": str(spec.host_port or "")}]},
            "Memory": spec.memory,
            "MemorySwap": spec.memory,
            "NanoCpus": spec.nano_cpus,
            "PidsLimit": spec.pids_limit,
            "RestartPolicy": {"Name": spec.restart},
            "ReadonlyRootfs": spec.read_only,
            "Tmpfs": {"/tmp": ""} if spec.read_only else {},  # noqa: S108 - the container's own
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "Init": spec.init,
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
        },
    }
