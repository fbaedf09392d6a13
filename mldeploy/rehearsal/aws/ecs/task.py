"""A task: PROVISIONING, PENDING, RUNNING, DEPROVISIONING, STOPPED, with a real container in the middle."""

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

from mldeploy.rehearsal.aws.ecs import roles
from mldeploy.rehearsal.aws.ecs.network import is_open
from mldeploy.rehearsal.aws.ecs.stage import Stage
from mldeploy.rehearsal.aws.ecs.start import Starter, StartError
from mldeploy.rehearsal.containers.host import Container, Exit
from mldeploy.rehearsal.containers.listening import Listener
from mldeploy.rehearsal.containers.network import Forwarder, close_all

USER_INITIATED = "UserInitiated"
SCHEDULER_INITIATED = "ServiceSchedulerInitiated"
FAILED_TO_START = "TaskFailedToStart"
CONTAINER_EXITED = "EssentialContainerExited"
"""Why a task stopped. Standard: ECS, `stopCode`."""


class RehearsedTask(Task):
    """moto's, whose states follow a container of ours, and are moved by nobody who looks at it."""

    stage: ClassVar[Stage]

    def __init__(self, *, task_definition: TaskDefinition, networking_configuration: Any = None, **others: Any) -> None:
        self._state = "PROVISIONING"
        self._definition = task_definition
        self._container: Mapping[str, Any] = task_definition.container_definitions[0]
        self._running: Container | None = None
        self._forwarders: list[Forwarder] = []
        self._wanted = threading.Event()
        self._mutex = threading.Lock()
        self.stop_code: str | None = None
        self.created_at = datetime.now(UTC)
        self.pull_started_at: datetime | None = None
        self.started_at: datetime | None = None
        self.stopping_at: datetime | None = None
        self.stopped_at: datetime | None = None
        self._admit(task_definition)
        network = _network(networking_configuration)
        super().__init__(task_definition=task_definition, networking_configuration=network, **others)
        self._dress(task_definition)
        self._interface = self._connected(network["awsvpcConfiguration"].get("assignPublicIp") == "ENABLED")
        threading.Thread(target=self._live, daemon=True).start()

    def _admit(self, definition: TaskDefinition) -> None:
        """Raises RoleError: a task does not even begin without the role that fetches its image."""
        self._role = roles.assume(definition.execution_role_arn, self.stage.lag)
        if task_role := getattr(definition, "task_role_arn", None):
            roles.assume(task_role, self.stage.lag)

    def _dress(self, definition: TaskDefinition) -> None:
        """What moto leaves out."""
        self.cpu, self.memory = definition.cpu, definition.memory
        self.connectivity, self.platform_version, self.platform_family = "CONNECTED", "1.4.0", "Linux"
        self.health_status = "UNKNOWN"
        container = self.containers[0]
        container.task_arn, container.health_status = self.task_arn, "UNKNOWN"
        container.exitCode = None  # type: ignore[assignment]  # until it has ended

    def _connected(self, public: bool) -> NetworkInterface:
        attachment: Mapping[str, Any] = self.attachments[0]
        details = {each["name"]: each["value"] for each in attachment["details"]}
        interface = ec2_backends[ACCOUNT][self.region_name].enis[details["networkInterfaceId"]]
        if public:
            interface.public_ip = self.stage.addresses.take()
        return interface

    @property
    def public_ip(self) -> str | None:
        return self._interface.public_ip

    @property
    def private_ip(self) -> str:
        return str(self._interface.private_ip_address)

    @property
    def container_address(self) -> str | None:
        """Where its container is reached from this machine, while it runs."""
        return self._running.address if self._running and self._state == "RUNNING" else None

    @property
    def last_status(self) -> str:
        return self._state

    @last_status.setter
    def last_status(self, value: str) -> None:
        """moto's own idea of it is of no interest."""

    def advance(self) -> None:
        """Called when somebody looks at it, which is the moment to ask for its health."""
        running = self._running
        if running is not None and self._state == "RUNNING":
            self.health_status = self.containers[0].health_status = running.health()

    @property
    def is_well(self) -> bool:
        """It runs, and is healthy as far as it can be told."""
        self.advance()
        if self._state != "RUNNING" or self.desired_status != "RUNNING":
            return False
        return self.health_status == "HEALTHY" or not self._container.get("healthCheck")

    def stop(self, reason: str | None, code: str = USER_INITIATED) -> None:
        """Ask it to end. May be repeated; the first reason is kept."""
        with self._mutex:
            if self.desired_status == "STOPPED":
                return
            self.desired_status, self.stop_code, self.stopped_reason = "STOPPED", code, reason or ""
            self.stopping_at = datetime.now(UTC)
        self._wanted.set()
        threading.Thread(target=self._stop_container, daemon=True).start()

    def _stop_container(self) -> None:
        if self._running is not None:
            self._running.stop(int(self._container.get("stopTimeout") or 30))

    def vanish(self) -> None:
        """End at once and leave nothing, without ceremony."""
        self.stop("")
        if self._running is not None:
            self._running.remove()

    def _live(self) -> None:
        try:
            self._phase("PROVISIONING")
            self._phase("PENDING")
            ended = self._run()
        except StartError as error:
            self._conclude(FAILED_TO_START, str(error))
            self.containers[0].reason = str(error)  # type: ignore[attr-defined]  # which moto lacks
        else:
            self._exited(ended)
        self._release()

    def _phase(self, state: str) -> None:
        self._state = state
        self._wanted.wait(self.stage.pace)

    def _run(self) -> Exit | None:
        """Start the container and wait for its end; None if the task was stopped before."""
        starter = Starter(self.stage, self._definition, self.task_arn, public=self.public_ip is not None)
        if self._wanted.is_set():
            return None
        self.pull_started_at = datetime.now(UTC)
        self._running = running = starter.start(self._role)
        try:
            self._show(running, starter)
            if self._wanted.is_set():  # asked between the two: nobody has stopped the container yet
                self._stop_container()
            listener = Listener(running, self._log(starter)) if starter.stream else None
            ended = running.wait()
            if listener is not None:
                listener.wait()
            return ended
        finally:
            close_all(self._forwarders)

    def _show(self, running: Container, starter: Starter) -> None:
        container = self.containers[0]
        container.image_digest, container.runtime_id = starter.digest, running.id  # type: ignore[attr-defined]
        container.last_status = "RUNNING"
        attached = {"attachmentId": self.attachments[0]["id"], "privateIpv4Address": self.private_ip}
        container.network_interfaces = [attached]
        self.started_at = datetime.now(UTC)
        self._expose(running)
        self._state = "RUNNING"

    def _expose(self, running: Container) -> None:
        for mapping in self._container.get("portMappings") or ():
            port, public = int(mapping["containerPort"]), self.public_ip
            if public is not None:
                with suppress(OSError):  # a port that only root may listen on answers nobody
                    self._forwarders.append(Forwarder((public, port), self._route(running.address, port)))

    def _route(self, address: str, port: int) -> Callable[[], tuple[str, int] | None]:
        return lambda: (address, port) if is_open(self._interface, port) else None

    def _log(self, starter: Starter) -> Callable[[bytes], None]:
        backend = logs_backends[ACCOUNT][self.region_name]

        def write(line: bytes) -> None:
            event = {"timestamp": int(time.time() * 1000), "message": line.decode(errors="replace")}
            with suppress(ServiceException):  # the group may be gone: then nobody reads it
                backend.put_log_events(starter.log_group, starter.stream, [event])

        return write

    def _exited(self, ended: Exit | None) -> None:
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
        """Give back the container, the network interface and the address."""
        self._phase("DEPROVISIONING")
        if self._running is not None:
            self._running.remove()
        ec2_backends[ACCOUNT][self.region_name].enis.pop(self._interface.id, None)
        if self._interface.public_ip is not None:
            self.stage.addresses.give_back(self._interface.public_ip)
        self.attachments[0]["status"] = "DELETED"
        self.containers[0].last_status = "STOPPED"
        self.stopped_at = datetime.now(UTC)
        self._state = "STOPPED"


def _network(configuration: Mapping[str, Any] | None) -> dict[str, Any]:
    """What was sent, with the security groups that moto wants to be named."""
    inner = dict((configuration or {}).get("awsvpcConfiguration") or {})
    return {"awsvpcConfiguration": {"securityGroups": [], **inner}}
