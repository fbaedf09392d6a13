"""A container as the engine describes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from mldeploy.app.container_spec import ENV, ContainerSpec, Variables, sort_by_name
from mldeploy.config.secret import Secret
from mldeploy.image.image_info import short_name
from mldeploy.image.labels import APP, LOCAL, ORIGIN, RELEASES, TARGET

InspectDocument = Mapping[str, Any]
"""The engine's JSON (Docker Engine API v1.41, ContainerInspect). Not used outside this module."""


@dataclass(frozen=True)
class Container:
    """One container. state and health: as the engine names them; health is "" without a HEALTHCHECK.

    owner: the app in its label. origin: who made it, from its label; "" if unknown. pid: of its first process, on the
    engine's machine. started: ISO 8601, UTC.
    published: the host's address and port of the app, also before it runs.
    fingerprint: of its spec at creation (`ContainerSpec.fingerprint`). releases: the label of that name.
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
    origin: str = ""
    releases: str = ""

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def url(self) -> str:
        """The app's URL for this machine, if it runs."""
        host, port = self.published
        address = ip_address(host or "0.0.0.0")  # noqa: S104 - what the engine means by no address
        if address.is_unspecified:
            address = ip_address("127.0.0.1" if address.version == 4 else "::1")
        return f"http://[{address}]:{port}" if address.version == 6 else f"http://{address}:{port}"


def parse_container(document: InspectDocument, app: str, mark: str) -> Container:
    """Parse a container. ours: it has the labels of `app` and the label `mark`."""
    state, labels = document["State"], document["Config"].get("Labels") or {}
    spec = _parse_spec(document, labels)
    return Container(
        id=document["Id"],
        name=document["Name"].removeprefix("/"),
        ours=labels.get(APP) == app and labels.get(TARGET) == LOCAL and mark in labels,
        owner=labels.get(APP, ""),
        state=state["Status"],
        health=(state.get("Health") or {}).get("Status", "").replace("none", ""),
        exit_status=state["ExitCode"],
        oom_killed=state["OOMKilled"],
        pid=state["Pid"],
        started=state["StartedAt"],
        restarts=document.get("RestartCount", 0),
        published=_parse_published(document, spec),
        fingerprint=labels.get(mark, ""),
        spec=spec,
        origin=labels.get(ORIGIN, ""),
        releases=labels.get(RELEASES, ""),
    )


def _parse_spec(document: InspectDocument, labels: Mapping[str, str]) -> ContainerSpec:
    config, host = document["Config"], document["HostConfig"]
    port, address, host_port = _parse_binding(host.get("PortBindings") or {})
    return ContainerSpec(
        app=labels.get(APP, ""),
        image=short_name(config["Image"]),
        image_id=document["Image"],
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
        env=_select_variables(config.get("Env") or (), labels.get(ENV, "")),
    )


def _parse_binding(bindings: InspectDocument) -> tuple[int, str, int]:
    """Return the container's port and the requested host address and port; zeros if none is published."""
    for name, host_bindings in bindings.items():
        for each in host_bindings or ():
            return int(name.partition("/")[0]), each["HostIp"], int(each["HostPort"] or 0)
    return 0, "", 0


def _parse_published(document: InspectDocument, spec: ContainerSpec) -> tuple[str, int]:
    for each in (document["NetworkSettings"].get("Ports") or {}).get(f"{spec.port}/tcp") or ():
        return each["HostIp"], int(each["HostPort"])
    return spec.host, spec.host_port


def _select_variables(variables: Iterable[str], names: str) -> Variables:
    """Return the project's variables. The engine lists those of the image, too."""
    selected = set(names.split(" "))
    pairs = (variable.partition("=") for variable in variables)
    return sort_by_name((name, Secret(value)) for name, _, value in pairs if name in selected)
