"""A task: PROVISIONING, PENDING, RUNNING, DEPROVISIONING, STOPPED, with a real container."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, ClassVar

from moto.core.exceptions import ServiceException
from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ecs.models import Task, TaskDefinition
from moto.logs.models import logs_backends

from mldeploy.rehearsal.aws import iam
from mldeploy.rehearsal.aws.ec2 import is_port_open
from mldeploy.rehearsal.aws.ecs.starter import TaskContext, TaskStarter, TaskStartError
from mldeploy.rehearsal.containers.engine import LogListener
from mldeploy.rehearsal.containers.host import ContainerExit, Forwarder, HostContainer, close_all

USER_INITIATED = "UserInitiated"
SCHEDULER_INITIATED = "ServiceSchedulerInitiated"
FAILED_TO_START = "TaskFailedToStart"
CONTAINER_EXITED = "EssentialContainerExited"
"""Stop codes of tasks. Standard: ECS, `stopCode`."""


class RehearsedTask(Task):
    """moto's task, but its status follows a container and does not change on reads."""

    context: ClassVar[TaskContext]

    def __init__(self, *, task_definition: TaskDefinition, networking_configuration: Any = None, **others: Any) -> None:
        self._state = "PROVISIONING"
        self._definition = task_definition
        self._container: Mapping[str, Any] = task_definition.container_definitions[0]
        self._running: HostContainer | None = None
        self._forwarders: list[Forwarder] = []
        self._stop_requested = threading.Event()
        self._is_vanishing = False
        self._mutex = threading.Lock()
        self.stop_code: str | None = None
        self.created_at = datetime.now(UTC)
        self.pull_started_at: datetime | None = None
        self.started_at: datetime | None = None
        self.stopping_at: datetime | None = None
        self.stopped_at: datetime | None = None
        self._assume_roles(task_definition)
        network = _network(networking_configuration)
        super().__init__(task_definition=task_definition, networking_configuration=network, **others)
        self._set_fields(task_definition)
        self._interface = self._connect(network["awsvpcConfiguration"].get("assignPublicIp") == "ENABLED")
        self._life = threading.Thread(target=self._live, daemon=True)
        self._life.start()

    def _assume_roles(self, definition: TaskDefinition) -> None:
        """Assume the task's roles. Raises RoleError."""
        self._role = iam.assume_role(definition.execution_role_arn, self.context.lag)
        if task_role := getattr(definition, "task_role_arn", None):
            iam.assume_role(task_role, self.context.lag)

    def _set_fields(self, definition: TaskDefinition) -> None:
        """Set fields that moto does not set."""
        self.cpu, self.memory = definition.cpu, definition.memory
        self.connectivity, self.platform_version, self.platform_family = "CONNECTED", "1.4.0", "Linux"
        self.health_status = "UNKNOWN"
        container = self.containers[0]
        container.task_arn, container.health_status = self.task_arn, "UNKNOWN"
        container.exitCode = None  # type: ignore[assignment]  # until it ends

    def _connect(self, public: bool) -> NetworkInterface:
        attachment: Mapping[str, Any] = self.attachments[0]
        details = {each["name"]: each["value"] for each in attachment["details"]}
        interface = ec2_backends[ACCOUNT][self.region_name].enis[details["networkInterfaceId"]]
        if public:
            interface.public_ip = self.context.addresses.take()
        return interface

    @property
    def cpu_units(self) -> float:
        return float(self.cpu or 0)

    @property
    def public_ip(self) -> str | None:
        return self._interface.public_ip

    @property
    def private_ip(self) -> str:
        return str(self._interface.private_ip_address)

    @property
    def container_address(self) -> str | None:
        """IP address of its container while it runs."""
        return self._running.address if self._running and self._state == "RUNNING" else None

    @property
    def last_status(self) -> str:
        return self._state

    @last_status.setter
    def last_status(self, value: str) -> None:
        """Ignored: the container determines the status."""

    def advance(self) -> None:
        """Update the health status. moto calls this on reads."""
        running = self._running
        if running is not None and self._state == "RUNNING":
            self.health_status = self.containers[0].health_status = running.health()

    @property
    def is_well(self) -> bool:
        """Whether it runs and is healthy, if it has a health check."""
        self.advance()
        if self._state != "RUNNING" or self.desired_status != "RUNNING":
            return False
        return self.health_status == "HEALTHY" or not self._container.get("healthCheck")

    def stop(self, reason: str | None, code: str = USER_INITIATED) -> None:
        """Stop it. May be repeated; the first reason is kept."""
        with self._mutex:
            if self.desired_status == "STOPPED":
                return
            self.desired_status, self.stop_code, self.stopped_reason = "STOPPED", code, reason or ""
            self.stopping_at = datetime.now(UTC)
        self._stop_requested.set()
        threading.Thread(target=self._stop_container, daemon=True).start()

    def _stop_container(self) -> None:
        if self._running is not None:
            self._running.stop(0 if self._is_vanishing else int(self._container.get("stopTimeout") or 30))

    def vanish(self) -> None:
        """Kill and remove it."""
        self._is_vanishing = True
        self.stop("")
        if self._running is not None:
            self._running.remove()

    def join(self) -> None:
        """Wait until it is stopped and cleaned up."""
        self._life.join()

    def _live(self) -> None:
        try:
            self._phase("PROVISIONING")
            self._phase("PENDING")
            ended = self._run()
        except TaskStartError as error:
            self._conclude(FAILED_TO_START, str(error))
            self.containers[0].reason = str(error)  # type: ignore[attr-defined]  # which moto lacks
        else:
            self._exited(ended)
        self._release()

    def _phase(self, state: str) -> None:
        self._state = state
        self._stop_requested.wait(self.context.pace)

    def _run(self) -> ContainerExit | None:
        """Start the container and wait for its end; None if the task was stopped before."""
        starter = TaskStarter(self.context, self._definition, self.task_arn, public=self.public_ip is not None)
        if self._stop_requested.is_set():
            return None
        self.pull_started_at = datetime.now(UTC)
        self._running = running = starter.start(self._role)
        try:
            self._show(running, starter)
            if self._stop_requested.is_set():  # stopped while the container was starting
                self._stop_container()
            listener = LogListener(running, self._log(starter)) if starter.stream else None
            ended = running.wait()
            if listener is not None:
                listener.wait()
            return ended
        finally:
            close_all(self._forwarders)

    def _show(self, running: HostContainer, starter: TaskStarter) -> None:
        container = self.containers[0]
        container.image_digest, container.runtime_id = starter.digest, running.id  # type: ignore[attr-defined]
        container.last_status = "RUNNING"
        attached = {"attachmentId": self.attachments[0]["id"], "privateIpv4Address": self.private_ip}
        container.network_interfaces = [attached]
        self.started_at = datetime.now(UTC)
        self._expose(running)
        self._state = "RUNNING"

    def _expose(self, running: HostContainer) -> None:
        for mapping in self._container.get("portMappings") or ():
            port, public = int(mapping["containerPort"]), self.public_ip
            if public is not None:
                with suppress(OSError):  # ports below 1024 need root
                    self._forwarders.append(Forwarder((public, port), self._route(running.address, port)))

    def _route(self, address: str, port: int) -> Callable[[], tuple[str, int] | None]:
        return lambda: (address, port) if is_port_open(self._interface, port) else None

    def _log(self, starter: TaskStarter) -> Callable[[bytes], None]:
        backend = logs_backends[ACCOUNT][self.region_name]

        def write(line: bytes) -> None:
            event = {"timestamp": int(time.time() * 1000), "message": line.decode(errors="replace")}
            with suppress(ServiceException):  # the log group may be deleted
                backend.put_log_events(starter.log_group, starter.stream, [event])

        return write

    def _exited(self, ended: ContainerExit | None) -> None:
        container = self.containers[0]
        if ended is not None:
            container.exitCode = ended.code
            if ended.out_of_memory:
                container.reason = "OutOfMemoryError: Container killed due to memory usage"  # type: ignore[attr-defined]
        self._conclude(CONTAINER_EXITED, "Essential container in task exited")

    def _conclude(self, code: str, reason: str) -> None:
        with self._mutex:
            if self.desired_status != "STOPPED":
                self.desired_status, self.stop_code, self.stopped_reason = "STOPPED", code, reason
                self.stopping_at = datetime.now(UTC)

    def _release(self) -> None:
        """Release container, network interface and address."""
        self._phase("DEPROVISIONING")
        if self._running is not None:
            self._running.remove()
        ec2_backends[ACCOUNT][self.region_name].enis.pop(self._interface.id, None)
        if self._interface.public_ip is not None:
            self.context.addresses.give_back(self._interface.public_ip)
        self.attachments[0]["status"] = "DELETED"
        self.containers[0].last_status = "STOPPED"
        self.stopped_at = datetime.now(UTC)
        self._state = "STOPPED"


def _network(configuration: Mapping[str, Any] | None) -> dict[str, Any]:
    """Add the security groups that moto requires."""
    inner = dict((configuration or {}).get("awsvpcConfiguration") or {})
    return {"awsvpcConfiguration": {"securityGroups": [], **inner}}
