"""Differences between an existing container and the desired one, as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mldeploy.app.client import HEALTH_SECONDS, AnswerError, AppClient
from mldeploy.app.container import Container
from mldeploy.app.container_spec import ContainerSpec
from mldeploy.config.text import size
from mldeploy.providers.local.proxy import is_current_proxy

ANSWER_SECONDS = HEALTH_SECONDS


@dataclass(frozen=True)
class _Field:
    """One field of a container spec: its name and the format of its value."""

    name: str
    value: Callable[[ContainerSpec], str]


_FIELDS = (
    _Field("port in the container", lambda spec: str(spec.port)),
    _Field("memory", lambda spec: size(spec.memory)),
    _Field("CPUs", lambda spec: f"{spec.nano_cpus / 1e9:g}"),
    _Field("process limit", lambda spec: str(spec.pids_limit)),
    _Field("restart policy", lambda spec: spec.restart),
    _Field("stop timeout", lambda spec: f"{spec.stop_timeout} s"),
    _Field("root file system", lambda spec: "read-only" if spec.read_only else "writable"),
    _Field("init", lambda spec: "the engine's" if spec.init else "the image's"),
)


_PORT_FIELDS = (_Field("address", lambda spec: spec.host), _Field("port", lambda spec: str(spec.host_port)))


def state_drift(actual: Container) -> str:
    """Return the state that keeps a container from serving; "" if it runs.

    Ignores its HEALTHCHECK: a broken one would make every deployment replace the container.
    """
    if actual.running:
        return ""
    ended = f" (exit code {actual.exit_status})" if actual.state in ("exited", "restarting") else ""
    return f"{actual.state}{ended} → running"


def answer_drift(url: str, health: str) -> str:
    """Return the drift of an app that does not answer its health path; "" if it does."""
    failure = answer_failure(url, health)
    return f"health check fails ({failure}) → passes" if failure else ""


def answer_failure(url: str, health: str) -> str:
    """Return why an app does not answer its health path; "" if it does. May take seconds."""
    with AppClient(url) as app:
        try:
            app.health(health, within=ANSWER_SECONDS)
        except AnswerError as error:
            return error.what
    return ""


def spec_drift(actual: Container, desired: ContainerSpec) -> tuple[str, ...]:
    """Return the differences that require a new container, one line each. Never shows values of variables."""
    lines = [] if actual.spec.image_id == desired.image_id else [f"image {actual.spec.image} → {desired.image}"]
    lines += _changed_fields(_FIELDS, actual.spec, desired)
    lines += port_drift(actual, desired)
    if changed := _changed_variables(actual.spec, desired):
        lines.append(f"environment changed: {', '.join(changed)}")
    if not lines and actual.fingerprint != desired.fingerprint:
        lines.append("created by another version of mldeploy → this version's settings")
    return tuple(lines)


def port_drift(actual: Container, desired: ContainerSpec) -> tuple[str, ...]:
    """Return the differences of the address and port at which the app is published, one line each."""
    return tuple(_changed_fields(_PORT_FIELDS, actual.spec, desired))


def proxy_drift(proxy: Container | None, desired: ContainerSpec) -> tuple[str, ...]:
    """Return the differences between the proxy and the desired one, one line each."""
    if proxy is None:
        return ("no proxy at the port → created",)
    lines = list(port_drift(proxy, desired))
    if not proxy.running:
        lines.append(f"proxy {proxy.state} → running")
    if not lines and not is_current_proxy(proxy, desired):
        lines.append("proxy of another version of mldeploy → this version's")
    return tuple(lines)


def _changed_fields(fields: Sequence[_Field], actual: ContainerSpec, desired: ContainerSpec) -> list[str]:
    pairs = ((each.name, each.value(actual), each.value(desired)) for each in fields)
    return [f"{name} {before} → {after}" for name, before, after in pairs if before != after]


def matches_spec(actual: Container, desired: ContainerSpec) -> bool:
    """Whether the container matches the spec, except for its restart policy."""
    return replace(actual.spec, restart=desired.restart) == desired and actual.fingerprint == desired.fingerprint


def _changed_variables(actual: ContainerSpec, desired: ContainerSpec) -> list[str]:
    before, after = dict(actual.env), dict(desired.env)
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
