"""What Fargate does before a container runs, each step of which can fail, in the words that a stopped task shows.

Standard: ECS, "Stopped tasks error messages".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.ecs.models import TaskDefinition
from moto.iam.models import Role
from moto.logs.models import logs_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends

from mldeploy.rehearsal.aws import ecr
from mldeploy.rehearsal.aws.ecs import roles
from mldeploy.rehearsal.aws.ecs.stage import Stage
from mldeploy.rehearsal.containers.host import Container, HealthCheck, HostError, Launch
from mldeploy.rehearsal.place import LABEL

_PULL = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
)
_NO_AUTH = "ResourceInitializationError: unable to pull secrets or registry auth: "
_ARCHITECTURES = {"X86_64": "amd64", "ARM64": "arm64"}


class StartError(Exception):
    """A task cannot be started; the text is its stopped reason."""


class Starter:
    """Starts one task's container. public: the task has an address from which it can reach the registry."""

    def __init__(self, stage: Stage, definition: TaskDefinition, task_arn: str, *, public: bool) -> None:
        self._stage = stage
        self._definition = definition
        self._container: dict[str, Any] = definition.container_definitions[0]
        self._task_arn = task_arn
        self._public = public
        self.digest = ""

    @property
    def stream(self) -> str:
        """The log stream's name; empty if no log is kept."""
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

    def start(self, role: Role) -> Container:
        """Pull, and start. Raises StartError."""
        self._see_registry(role)
        environment = {each["name"]: each["value"] for each in self._container.get("environment") or ()}
        environment.update(self._secrets(role))
        self._make_stream(role)
        self._pull()
        try:
            return self._stage.host.start(self._launch(environment))
        except HostError as error:
            raise StartError(f"CannotStartContainerError: {error}") from error

    def _see_registry(self, role: Role) -> None:
        if not self._public:
            raise StartError(
                f"{_NO_AUTH}The task cannot pull registry auth from Amazon ECR: There is a connection issue between "
                "the task and Amazon ECR. Check your task network configuration."
            )
        repository, _ = _parsed(self._container["image"])
        self._permit(role, "ecr:GetAuthorizationToken", "*", _NO_AUTH)
        for action in _PULL:
            self._permit(role, action, self._arn("ecr", f"repository/{repository}"), _NO_AUTH)

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self._stage.region}:{ACCOUNT}:{resource}"

    def _permit(self, role: Role, action: str, resource: str, where: str) -> None:
        """Raise StartError, its text beginning with `where`, unless the role may do it."""
        if not roles.permits(role, action, resource):
            raise StartError(
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
            except Exception as error:  # moto has many kinds, and each of them means that there is none
                raise StartError(f"{_NO_AUTH}unable to retrieve secret {reference}: {error}") from error
            yield each["name"], value

    def _parameter(self, reference: str) -> str:
        name = reference.partition(":parameter")[2] or reference
        found = ssm_backends[ACCOUNT][self._stage.region].get_parameter(name)
        if found is None:
            raise LookupError("ParameterNotFound")
        return str(found.response_object(decrypt=True)["Value"])

    def _secret(self, reference: str) -> str:
        backend, (secret, key) = secretsmanager_backends[ACCOUNT][self._stage.region], _secret_and_key(reference)
        value = str(backend.get_secret_value(secret, "", "AWSCURRENT")["SecretString"])
        return str(json.loads(value)[key]) if key else value

    def _make_stream(self, role: Role) -> None:
        if not self.stream:
            return
        refused = (
            "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
        )
        stream = self._arn("logs", f"log-group:{self.log_group}:log-stream:{self.stream}")
        self._permit(role, "logs:CreateLogStream", stream, refused)
        groups = logs_backends[ACCOUNT][self._stage.region]
        if self.log_group not in groups.groups:
            what = "ResourceNotFoundException: The specified log group does not exist."
            raise StartError(f"{refused}failed to create Cloudwatch log stream: {what} : exit status 1")
        groups.create_log_stream(self.log_group, self.stream)

    def _pull(self) -> None:
        image = self._container["image"]
        repository, reference = _parsed(image)
        try:
            if not ecr.holds(self._stage.region, repository, reference):
                raise HostError(f"{image}: not found")
            pulled = self._stage.host.pull(image, self._stage.passwords.user, self._stage.passwords.puller)
        except HostError as error:
            what = f"pull image manifest has been retried 1 time(s): failed to resolve ref {image}: {error}"
            raise StartError(f"CannotPullContainerError: {what}") from error
        wanted = _ARCHITECTURES[(self._definition.runtime_platform or {}).get("cpuArchitecture") or "X86_64"]
        if pulled.architecture != wanted:
            what = f"image Manifest does not contain descriptor matching platform 'linux/{wanted}'"
            raise StartError(f"CannotPullContainerError: {what}")
        self.digest = pulled.digest

    def _launch(self, environment: Mapping[str, str]) -> Launch:
        container, linux = self._container, self._container.get("linuxParameters") or {}
        return Launch(
            image=container["image"],
            labels={LABEL: self._stage.name, f"{LABEL}.task": self._task_arn},
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
            health=_health(container.get("healthCheck"), self._stage.pace),
        )


def _parsed(image: str) -> tuple[str, str]:
    """The repository of an image's reference, and its digest or tag."""
    path = image.partition("/")[2]
    repository, _, reference = path.partition("@" if "@" in path else ":")
    return repository, reference or "latest"


def _secret_and_key(reference: str) -> tuple[str, str]:
    """The secret's own ARN, and the key of its JSON that is meant, or "". Standard: ECS, `valueFrom`."""
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
