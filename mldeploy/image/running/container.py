"""A container as the engine reports it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from mldeploy.config.secret import Secret
from mldeploy.image.found import short
from mldeploy.image.labels import APP, LOCAL, TARGET
from mldeploy.image.running.spec import ENV, ContainerSpec, Variables, sorted_by_name

Inspected = Mapping[str, Any]
"""The engine's JSON (Docker Engine API v1.41, ContainerInspect). It goes no further than this file."""


@dataclass(frozen=True)
class Container:
    """One container. state and health are the engine's words; health is "" for an image without a HEALTHCHECK.

    owner: the app in its label. pid: of its first process, on the engine's machine. started: ISO 8601, UTC.
    published: the host's address and port that lead to the app, or that will, once it runs.
    fingerprint: what it was made as (`ContainerSpec.fingerprint`).
    """

    id: str
    name: str
    ours: bool
    owner: str
    state: str
    health: str
    exit_status: int
    oom_killed: bool
    pid: int
    started: str
    restarts: int
    published: tuple[str, int]
    fingerprint: str
    spec: ContainerSpec

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def url(self) -> str:
        """Where this machine reaches the app, if it runs."""
        host, port = self.published
        address = ip_address(host or "0.0.0.0")  # noqa: S104 - what the engine means by no address
        if address.is_unspecified:
            address = ip_address("127.0.0.1" if address.version == 4 else "::1")
        return f"http://[{address}]:{port}" if address.version == 6 else f"http://{address}:{port}"


def read(found: Inspected, app: str, mark: str) -> Container:
    """What the engine says of a container, seen as one of `app` with this mark; `ours` tells whether it is."""
    state, labels = found["State"], found["Config"].get("Labels") or {}
    spec = _spec(found, labels)
    return Container(
        id=found["Id"],
        name=found["Name"].removeprefix("/"),
        ours=labels.get(APP) == app and labels.get(TARGET) == LOCAL and mark in labels,
        owner=labels.get(APP, ""),
        state=state["Status"],
        health=(state.get("Health") or {}).get("Status", "").replace("none", ""),
        exit_status=state["ExitCode"],
        oom_killed=state["OOMKilled"],
        pid=state["Pid"],
        started=state["StartedAt"],
        restarts=found.get("RestartCount", 0),
        published=_published(found, spec),
        fingerprint=labels.get(mark, ""),
        spec=spec,
    )


def _spec(found: Inspected, labels: Mapping[str, str]) -> ContainerSpec:
    config, host = found["Config"], found["HostConfig"]
    port, address, host_port = _binding(host.get("PortBindings") or {})
    return ContainerSpec(
        app=labels.get(APP, ""),
        image=short(config["Image"]),
        image_id=found["Image"],
        port=port,
        host=address,
        host_port=host_port,
        memory=host["Memory"],
        nano_cpus=host["NanoCpus"],
        pids_limit=host.get("PidsLimit") or 0,
        restart=host["RestartPolicy"]["Name"] or "no",
        stop_timeout=config.get("StopTimeout", 10),
        read_only=host["ReadonlyRootfs"],
        init=bool(host.get("Init")),
        env=_env(config.get("Env") or (), labels.get(ENV, "")),
    )


def _binding(bindings: Inspected) -> tuple[int, str, int]:
    """The port in the container, and the address and port of the host that are asked for; zeros without any."""
    for name, wanted in bindings.items():
        for each in wanted or ():
            return int(name.partition("/")[0]), each["HostIp"], int(each["HostPort"] or 0)
    return 0, "", 0


def _published(found: Inspected, spec: ContainerSpec) -> tuple[str, int]:
    for each in (found["NetworkSettings"].get("Ports") or {}).get(f"{spec.port}/tcp") or ():
        return each["HostIp"], int(each["HostPort"])
    return spec.host, spec.host_port


def _env(variables: Iterable[str], names: str) -> Variables:
    """The variables that the project set: the engine lists them together with those of the image."""
    wanted = set(names.split(" "))
    pairs = (variable.partition("=") for variable in variables)
    return sorted_by_name((name, Secret(value)) for name, _, value in pairs if name in wanted)
