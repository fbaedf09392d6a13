"""What differs between a container that is there and the one that is wanted, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from mldeploy.config.text import size
from mldeploy.image.client import AnswerError, AppClient
from mldeploy.image.running.container import Container
from mldeploy.image.running.spec import ContainerSpec


@dataclass(frozen=True)
class _Field:
    """One aspect of a container: what it is called, and how its value is written."""

    name: str
    value: Callable[[ContainerSpec], str]


_FIELDS = (
    _Field("port in the container", lambda spec: str(spec.port)),
    _Field("address", lambda spec: spec.host),
    _Field("port", lambda spec: str(spec.host_port)),
    _Field("memory", lambda spec: size(spec.memory)),
    _Field("CPUs", lambda spec: f"{spec.nano_cpus / 1e9:g}"),
    _Field("process limit", lambda spec: str(spec.pids_limit)),
    _Field("restart policy", lambda spec: spec.restart),
    _Field("stop timeout", lambda spec: f"{spec.stop_timeout} s"),
    _Field("root file system", lambda spec: "read-only" if spec.read_only else "writable"),
    _Field("init", lambda spec: "the engine's" if spec.init else "the image's"),
)


def state_drift(found: Container) -> str:
    """What keeps a container from serving, as the engine sees it; "" if nothing does.

    Its HEALTHCHECK is not asked: one that is itself broken would make every deployment replace the container.
    """
    if found.running:
        return ""
    ended = f" (exit code {found.exit_status})" if found.state in ("exited", "restarting") else ""
    return f"{found.state}{ended} → running"


def answer_drift(found: Container, health: str) -> str:
    """What keeps a running container from serving, as its health path tells; "" if nothing does. May take seconds."""
    with AppClient(found.url) as app:
        try:
            app.health(health)
        except AnswerError as error:
            return f"does not answer as it should ({error.what}) → answers"
    return ""


def spec_drift(found: Container, wanted: ContainerSpec) -> tuple[str, ...]:
    """What the container would have to be made anew for, one line each. Values of variables are never shown."""
    lines = [] if found.spec.image_id == wanted.image_id else [f"image {found.spec.image} → {wanted.image}"]
    for each in _FIELDS:
        before, after = each.value(found.spec), each.value(wanted)
        if before != after:
            lines.append(f"{each.name} {before} → {after}")
    if changed := _changed_variables(found.spec, wanted):
        lines.append(f"environment changed: {', '.join(changed)}")
    if not lines and found.fingerprint != wanted.fingerprint:
        lines.append("made by another version of mldeploy → this one's settings")
    return tuple(lines)


def fits(found: Container, wanted: ContainerSpec) -> bool:
    """The container can become the one that is wanted without being made anew."""
    return replace(found.spec, restart=wanted.restart) == wanted and found.fingerprint == wanted.fingerprint


def _changed_variables(found: ContainerSpec, wanted: ContainerSpec) -> list[str]:
    before, after = dict(found.env), dict(wanted.env)
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
