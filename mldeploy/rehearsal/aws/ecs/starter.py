"""Starts a task's container as Fargate does, with the errors that a stopped task shows.

Standard: ECS, "Stopped tasks error messages".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.ecs.models import TaskDefinition
from moto.iam.models import Role
from moto.logs.models import logs_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends

from mldeploy.rehearsal.aws import ecr, iam
from mldeploy.rehearsal.containers.host import (
    ContainerHost,
    ContainerHostError,
    HealthCheck,
    HostContainer,
    LaunchSpec,
    PublicAddressPool,
)
from mldeploy.rehearsal.record import LABEL
from mldeploy.rehearsal.registry.gateway import RegistryPasswords

_PULL = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
)
_NO_AUTH = "ResourceInitializationError: unable to pull secrets or registry auth: "
_ARCHITECTURES = {"X86_64": "amd64", "ARM64": "arm64"}


class TaskStartError(Exception):
    """A task cannot be started. The message is its stopped reason."""


class TaskStarter:
    """Starts a task's container. public: the task has a public address, so that it can reach the registry."""

    def __init__(self, context: TaskContext, definition: TaskDefinition, task_arn: str, *, public: bool) -> None:
        self._context = context
        self._definition = definition
        self._container: dict[str, Any] = definition.container_definitions[0]
        self._task_arn = task_arn
        self._public = public
        self.digest = ""

    @property
    def stream(self) -> str:
        """The log stream's name; empty without logging."""
        options = self._log_options
        if "awslogs-group" not in options:
            return ""
        identity = self._task_arn.rpartition("/")[2]
        return f"{options.get('awslogs-stream-prefix', '')}/{self._container['name']}/{identity}"

    @property
    def log_group(self) -> str:
        return self._log_options.get("awslogs-group", "")

    @property
    def _log_options(self) -> Mapping[str, str]:
        return (self._container.get("logConfiguration") or {}).get("options") or {}

    def start(self, role: Role) -> HostContainer:
        """Pull the image and start the container. Raises TaskStartError."""
        self._check_registry_access(role)
        environment = {each["name"]: each["value"] for each in self._container.get("environment") or ()}
        environment.update(self._secrets(role))
        self._make_stream(role)
        self._pull()
        try:
            return self._context.host.start(self._launch(environment))
        except ContainerHostError as error:
            raise TaskStartError(f"CannotStartContainerError: {error}") from error

    def _check_registry_access(self, role: Role) -> None:
        if not self._public:
            raise TaskStartError(
                f"{_NO_AUTH}The task cannot pull registry auth from Amazon ECR: There is a connection issue between "
                "the task and Amazon ECR. Check your task network configuration."
            )
        repository, _ = _parse_image(self._container["image"])
        self._permit(role, "ecr:GetAuthorizationToken", "*", _NO_AUTH)
        for action in _PULL:
            self._permit(role, action, self._arn("ecr", f"repository/{repository}"), _NO_AUTH)

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self._context.region}:{ACCOUNT}:{resource}"

    def _permit(self, role: Role, action: str, resource: str, where: str) -> None:
        """Raise TaskStartError, with the prefix `where`, if the role lacks a permission."""
        if not iam.is_permitted(role, action, resource):
            raise TaskStartError(
                f"{where}AccessDeniedException: User: arn:aws:sts::{ACCOUNT}:assumed-role/{role.name}/rehearsal is "
                f"not authorized to perform: {action} on resource: {resource} because no identity-based policy "
                f"allows the {action} action"
            )

    def _secrets(self, role: Role) -> Iterator[tuple[str, str]]:
        for each in self._container.get("secrets") or ():
            reference = each["valueFrom"]
            is_parameter = ":secretsmanager:" not in reference
            if is_parameter:
                name = reference.partition(":parameter/")[2] or reference.removeprefix("/")
                self._permit(role, "ssm:GetParameters", self._arn("ssm", f"parameter/{name}"), _NO_AUTH)
            else:
                self._permit(role, "secretsmanager:GetSecretValue", _secret_and_key(reference)[0], _NO_AUTH)
            try:
                value = self._parameter(reference) if is_parameter else self._secret(reference)
            except Exception as error:  # moto raises many types; each means that it is missing
                raise TaskStartError(f"{_NO_AUTH}unable to retrieve secret {reference}: {error}") from error
            self._check_decryption(role, reference)
            yield each["name"], value

    def _check_decryption(self, role: Role, reference: str) -> None:
        """Raise TaskStartError, in the words of Secrets Manager, if the secret's key does not let the role decrypt."""
        key = self._customer_key(reference)
        if key and not iam.is_permitted(role, "kms:Decrypt", key):
            raise TaskStartError(
                f"{_NO_AUTH}unable to retrieve secret from asm: service call has been retried 1 time(s): failed to "
                f"fetch secret {reference} from secrets manager: AccessDeniedException: Access to KMS is not allowed"
            )

    def _customer_key(self, reference: str) -> str:
        """The ARN of a secret's customer managed key; empty for AWS's own, with which everybody may decrypt."""
        if ":secretsmanager:" in reference:
            secrets = secretsmanager_backends[ACCOUNT][self._context.region].secrets
            key = getattr(secrets[_secret_and_key(reference)[0]], "kms_key_id", "")  # a replica has none in moto
        else:
            name = reference.partition(":parameter")[2] or reference
            parameter = ssm_backends[ACCOUNT][self._context.region].get_parameter(name)
            key = parameter.keyid if parameter else ""
        if not key or key.startswith("alias/aws/"):
            return ""
        return str(key) if key.startswith("arn:") else self._arn("kms", f"key/{key}")

    def _parameter(self, reference: str) -> str:
        name = reference.partition(":parameter")[2] or reference
        parameter = ssm_backends[ACCOUNT][self._context.region].get_parameter(name)
        if parameter is None:
            raise LookupError("ParameterNotFound")
        return str(parameter.response_object(decrypt=True)["Value"])

    def _secret(self, reference: str) -> str:
        backend, (secret, key) = secretsmanager_backends[ACCOUNT][self._context.region], _secret_and_key(reference)
        version = "".join(reference.split(":")[9:10])
        value = str(backend.get_secret_value(secret, version, "" if version else "AWSCURRENT")["SecretString"])
        return str(json.loads(value)[key]) if key else value

    def _make_stream(self, role: Role) -> None:
        if not self.stream:
            return
        refused = (
            "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
        )
        stream = self._arn("logs", f"log-group:{self.log_group}:log-stream:{self.stream}")
        self._permit(role, "logs:CreateLogStream", stream, refused)
        groups = logs_backends[ACCOUNT][self._context.region]
        if self.log_group not in groups.groups:
            what = "ResourceNotFoundException: The specified log group does not exist."
            raise TaskStartError(f"{refused}failed to create Cloudwatch log stream: {what} : exit status 1")
        groups.create_log_stream(self.log_group, self.stream)

    def _pull(self) -> None:
        image = self._container["image"]
        repository, reference = _parse_image(image)
        try:
            if not ecr.has_image(self._context.region, repository, reference):
                raise ContainerHostError(f"{image}: not found")
            pulled = self._context.host.pull(image, self._context.passwords.user, self._context.passwords.puller)
        except ContainerHostError as error:
            what = f"pull image manifest has been retried 1 time(s): failed to resolve ref {image}: {error}"
            raise TaskStartError(f"CannotPullContainerError: {what}") from error
        architecture = _ARCHITECTURES[(self._definition.runtime_platform or {}).get("cpuArchitecture") or "X86_64"]
        if pulled.architecture != architecture:
            what = f"image Manifest does not contain descriptor matching platform 'linux/{architecture}'"
            raise TaskStartError(f"CannotPullContainerError: {what}")
        self.digest = pulled.digest

    def _launch(self, environment: Mapping[str, str]) -> LaunchSpec:
        container, linux = self._container, self._container.get("linuxParameters") or {}
        return LaunchSpec(
            image=container["image"],
            labels={LABEL: self._context.name, f"{LABEL}.task": self._task_arn},
            environment=environment,
            cpu=int(self._definition.cpu or 256),
            memory=int(self._definition.memory or 512),
            ports=tuple(int(each["containerPort"]) for each in container.get("portMappings") or ()),
            command=container.get("command"),
            entrypoint=container.get("entryPoint"),
            folder=container.get("workingDirectory"),
            user=container.get("user"),
            read_only=bool(container.get("readonlyRootFilesystem")),
            init=bool(linux.get("initProcessEnabled")),
            health=_health(container.get("healthCheck"), self._context.pace),
        )


def _parse_image(image: str) -> tuple[str, str]:
    """Parse an image reference into repository, and digest or tag."""
    path = image.partition("/")[2]
    repository, _, reference = path.partition("@" if "@" in path else ":")
    return repository, reference or "latest"


def _secret_and_key(reference: str) -> tuple[str, str]:
    """Parse `valueFrom` into the secret's ARN and the JSON key, or "". Standard: ECS, `valueFrom`."""
    parts = reference.split(":")
    return ":".join(parts[:7]), "".join(parts[7:8])


def _health(check: Mapping[str, Any] | None, pace: float) -> HealthCheck | None:
    if not check:
        return None
    return HealthCheck(
        command=check["command"],
        interval=max(1, round(pace * int(check.get("interval") or 30))),
        timeout=int(check.get("timeout") or 5),
        retries=int(check.get("retries") or 3),
        start=int(check.get("startPeriod") or 0),
    )


@dataclass(frozen=True)
class TaskContext:
    """name: value of the label on each container. pace: minimum seconds of each phase of a task."""

    name: str
    region: str
    pace: float
    host: ContainerHost
    addresses: PublicAddressPool
    passwords: RegistryPasswords

    @property
    def lag(self) -> timedelta:
        """Propagation time of a new role."""
        return timedelta(seconds=2 * self.pace)
