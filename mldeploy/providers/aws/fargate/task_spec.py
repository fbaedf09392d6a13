"""The task definition as a value: built from the settings, rendered for the API, parsed from its response.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING

from mldeploy.config.secret import Secret
from mldeploy.providers.aws.fargate.cluster import Size
from mldeploy.providers.aws.fargate.tags import owner_tags, resource_name

if TYPE_CHECKING:
    from types_boto3_ecs.type_defs import (
        ContainerDefinitionOutputTypeDef,
        ContainerDefinitionTypeDef,
        RegisterTaskDefinitionRequestTypeDef,
        TaskDefinitionTypeDef,
    )

CONTAINER = "app"
ARCHITECTURES: Mapping[str, str] = MappingProxyType({"linux/amd64": "X86_64", "linux/arm64": "ARM64"})
"""OCI platform → the word that Fargate has for it."""

START_PERIOD_LIMIT = 300
STOP_SECONDS = 30
HEALTH_INTERVAL = 10
"""Seconds. A new task is healthy so long after its start at the earliest."""


@dataclass(frozen=True)
class TaskSpec:
    """Everything that we decide about a task.

    image: by digest. env: names and values, sorted. secrets: names, and the ARN of the secret or parameter, sorted.
    start_period: seconds that the app has to become healthy.
    """

    image: str
    size: Size
    architecture: str
    port: int
    health: tuple[str, ...]
    env: tuple[tuple[str, Secret], ...]
    secrets: tuple[tuple[str, str], ...]
    log_group: str
    region: str
    execution_role: str
    task_role: str
    start_period: int


def health_command(port: int, path: str) -> tuple[str, ...]:
    """The health check inside the container. Fargate uses only this one and ignores the image's HEALTHCHECK.

    In an image without any of these programs the check passes: the app counts as healthy while it runs. It runs as
    long as the task does, on a share of its CPU that may be a quarter: a socket and no site-packages are loaded in a
    quarter of the time that urllib takes.
    """
    url = f"http://127.0.0.1:{port}{path}"
    request = rf"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    python = (
        f"import socket; c = socket.create_connection(('127.0.0.1', {port}), 4); c.sendall(b'{request}'); "
        "raise SystemExit(c.makefile('rb').readline().split()[1][:1] != b'2')"
    )
    commands = ((f'{program} -ISc "{python}"', program) for program in ("python3", "python"))
    lines = [
        f"if command -v {program} >/dev/null; then {command} || exit 1; exit 0; fi" for command, program in commands
    ]
    lines.append(f"if command -v curl >/dev/null; then curl -fsS -m 4 -o /dev/null '{url}' || exit 1; exit 0; fi")
    lines.append(f"if command -v wget >/dev/null; then wget -q -T 4 -O /dev/null '{url}' || exit 1; fi")
    return ("CMD-SHELL", "; ".join(lines))


def build_request(
    app: str, spec: TaskSpec, further: Mapping[str, str] = MappingProxyType({})
) -> RegisterTaskDefinitionRequestTypeDef:
    """The task definition as RegisterTaskDefinition takes it, tagged. further: other tags."""
    return {
        "family": resource_name(app),
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": str(spec.size.cpu),
        "memory": str(spec.size.memory),
        "runtimePlatform": {
            "cpuArchitecture": spec.architecture,  # type: ignore[typeddict-item]  # one of ARCHITECTURES
            "operatingSystemFamily": "LINUX",
        },
        "executionRoleArn": spec.execution_role,
        "taskRoleArn": spec.task_role,
        "containerDefinitions": [_build_container(spec)],
        "tags": [{"key": key, "value": value} for key, value in {**owner_tags(app), **further}.items()],
    }


def parse_task_spec(definition: TaskDefinitionTypeDef) -> TaskSpec:
    """What an existing task definition says of all that we decide. What it leaves out is empty."""
    container = _find_container(definition.get("containerDefinitions", ()))
    health = container.get("healthCheck")
    logging = container.get("logConfiguration")
    options = (logging.get("options") if logging else None) or {}
    return TaskSpec(
        image=container.get("image", ""),
        size=Size(int(definition.get("cpu", "0")), int(definition.get("memory", "0"))),
        architecture=definition.get("runtimePlatform", {}).get("cpuArchitecture", ""),
        port=next((each.get("containerPort", 0) for each in container.get("portMappings", ())), 0),
        health=tuple(health["command"]) if health else (),
        env=_read_env(container),
        secrets=tuple(sorted((each["name"], each["valueFrom"]) for each in container.get("secrets", ()))),
        log_group=options.get("awslogs-group", ""),
        region=options.get("awslogs-region", ""),
        execution_role=definition.get("executionRoleArn", ""),
        task_role=definition.get("taskRoleArn", ""),
        start_period=health.get("startPeriod", 0) if health else 0,
    )


def list_differences(current: TaskSpec, desired: TaskSpec) -> tuple[str, ...]:
    """One readable line each. No value of a variable is in them."""
    plain = (each.name for each in fields(TaskSpec) if each.name not in ("env", "secrets", "health"))
    lines = [_describe_difference(each, getattr(current, each), getattr(desired, each)) for each in plain]
    if current.health != desired.health:
        lines.append("health check → that of this configuration")
    return (
        *filter(None, lines),
        *_list_variable_differences(current.env, desired.env),
        *_list_variable_differences(current.secrets, desired.secrets),
    )


def _build_container(spec: TaskSpec) -> ContainerDefinitionTypeDef:
    return {
        "name": CONTAINER,
        "image": spec.image,
        "essential": True,
        "portMappings": [{"containerPort": spec.port, "hostPort": spec.port, "protocol": "tcp"}],
        "environment": [{"name": each, "value": value.reveal()} for each, value in spec.env],
        "secrets": [{"name": each, "valueFrom": source} for each, source in spec.secrets],
        "healthCheck": {
            "command": list(spec.health),
            "interval": HEALTH_INTERVAL,
            "timeout": 5,
            "retries": 3,
            "startPeriod": spec.start_period,
        },
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": spec.log_group,
                "awslogs-region": spec.region,
                "awslogs-stream-prefix": CONTAINER,
            },
        },
        "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
        "stopTimeout": STOP_SECONDS,
    }


def _find_container(containers: Iterable[ContainerDefinitionOutputTypeDef]) -> ContainerDefinitionOutputTypeDef:
    empty: ContainerDefinitionOutputTypeDef = {}
    return next((each for each in containers if each.get("name") == CONTAINER), empty)


def _read_env(container: ContainerDefinitionOutputTypeDef) -> tuple[tuple[str, Secret], ...]:
    values = {each["name"]: each["value"] for each in container.get("environment", ())}
    return tuple((each, Secret(values[each])) for each in sorted(values))


def _describe_difference(field: str, current: object, desired: object) -> str:
    label = field.replace("_", " ")
    return "" if current == desired else f"{label} {current or 'none'} → {desired}"


def _list_variable_differences(
    current: Iterable[tuple[str, object]], desired: Iterable[tuple[str, object]]
) -> Iterator[str]:
    old, new = dict(current), dict(desired)
    for each in sorted(old.keys() | new.keys()):
        if each not in new:
            yield f"variable {each} → removed"
        elif each not in old:
            yield f"variable {each} → added"
        elif old[each] != new[each]:
            yield f"variable {each} → changed"
