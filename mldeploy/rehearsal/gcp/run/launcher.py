"""Start the containers of a revision: pull, secrets, run, startup probe."""

from __future__ import annotations

import re
import shutil
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import requests
from google.cloud import run_v2 as run

from mldeploy.rehearsal.containers.engine import LogListener
from mldeploy.rehearsal.containers.fake import MANIFEST_TYPES
from mldeploy.rehearsal.containers.host import (
    CPU_UNITS_PER_CORE,
    ContainerExit,
    ContainerHost,
    ContainerHostError,
    HostContainer,
    LaunchSpec,
    Mount,
    PublicAddressPool,
)
from mldeploy.rehearsal.gateway.proxy import direct_session
from mldeploy.rehearsal.gateway.serving import Authority
from mldeploy.rehearsal.gcp.artifacts.registry import USER
from mldeploy.rehearsal.gcp.logs.entries import STDOUT, SYSTEM, LogEntries, LogRecord
from mldeploy.rehearsal.gcp.project import StandInProject
from mldeploy.rehearsal.gcp.run.messages import (
    RevisionStartError,
    container_failed,
    image_forbidden,
    image_not_found,
    probe_failed,
    secret_denied,
    secret_missing,
    wrong_architecture,
)
from mldeploy.rehearsal.gcp.run.template import ingress_container, parse_bytes, parse_millicores
from mldeploy.rehearsal.gcp.secrets.secret_manager import LATEST, SecretManager
from mldeploy.rehearsal.gcp.tokens import GoogleTokens
from mldeploy.rehearsal.record import LABEL

STOP_SECONDS = 10
"""Between SIGTERM and SIGKILL. https://cloud.google.com/run/docs/container-contract#instance-shutdown"""
_PATIENCE = 60.0
_PAUSE = 0.02
_SECRET = re.compile(r"(?:projects/[^/]+/secrets/)?([A-Za-z0-9_-]+)")


@dataclass(frozen=True)
class RunContext:
    """What services run on. name: of the rehearsal. registry: HOST:PORT of the images. folder: for volumes.

    public, authority: for the services' addresses.
    """

    name: str
    project: StandInProject
    host: ContainerHost
    registry: str
    tokens: GoogleTokens
    secrets: SecretManager
    logs: LogEntries
    folder: Path
    public: PublicAddressPool
    authority: Authority


@dataclass(eq=False)
class RunInstance:
    """A container of a revision. busy: its requests in progress. idle_since: by the monotonic clock."""

    container: HostContainer
    address: str
    listener: LogListener
    id: str
    busy: int = 0
    idle_since: float = field(default_factory=time.monotonic)
    is_stopping: bool = False
    exit: ContainerExit | None = None

    def stop(self, seconds: int = STOP_SECONDS) -> None:
        """End it, and remove it. Waits for the end. seconds: between SIGTERM and SIGKILL. May be repeated."""
        self.is_stopping = True
        self.container.stop(seconds)
        self.listener.wait()
        self.container.remove()


class RevisionLauncher:
    """Starts the containers of one revision."""

    def __init__(self, context: RunContext, revision: run.Revision) -> None:
        self._context = context
        self._revision = revision
        self._container = ingress_container(revision)
        self.name = revision.name.rpartition("/")[2]
        self.service = revision.service.rpartition("/")[2]
        self._image = self._container.image

    @property
    def _folder(self) -> Path:
        """The files of its volumes."""
        return self._context.folder / self.name

    def remove_files(self) -> None:
        """Remove the files of its volumes. May be repeated."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def port(self) -> int:
        return int(self._container.ports[0].container_port)

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of its log entries' resource."""
        location = self._revision.name.split("/")[3]
        return {
            "service_name": self.service,
            "revision_name": self.name,
            "configuration_name": self.service,
            "location": location,
        }

    def log(self, text: str, severity: str = "INFO") -> None:
        """Write to the system's log."""
        self._context.logs.write(LogRecord(SYSTEM, self.labels, text, severity))

    def prepare(self) -> str:
        """Check the secrets and pull the image. Returns it by its digest. Raises RevisionStartError."""
        self._environment()
        for _ in self._secret_files():
            pass
        context, image = self._context, self._image
        password = context.tokens.of(context.project.run_agent).text
        media_type = self._check_manifest(password)
        try:
            pulled = context.host.pull(image, USER, password)
        except ContainerHostError as error:
            if "403" in str(error) or "denied" in str(error).lower():
                raise image_forbidden(image, context.project.run_agent) from error
            raise image_not_found(image) from error
        if pulled.architecture != "amd64":
            raise wrong_architecture(image, media_type)
        repository = image.partition("@")[0]
        if ":" in repository.rpartition("/")[2]:
            repository = repository.rpartition(":")[0]
        self._image = f"{repository}@{pulled.digest}"
        return self._image

    def _check_manifest(self, password: str) -> str:
        """Ask for the manifest, since an engine that has the digest pulls it without asking. Returns its type."""
        _, _, path = self._image.partition("/")
        name, _, reference = path.partition("@") if "@" in path else path.partition(":")
        url = f"http://{self._context.registry}/v2/{name}/manifests/{reference or LATEST}"
        with direct_session() as session:
            try:
                response = session.get(
                    url, headers={"Accept": MANIFEST_TYPES}, auth=(USER, password), timeout=_PATIENCE
                )
            except requests.RequestException as error:
                raise image_not_found(self._image) from error
        if response.status_code in (401, 403):
            raise image_forbidden(self._image, self._context.project.run_agent)
        if not response.ok:
            raise image_not_found(self._image)
        return response.headers.get("Content-Type", "")

    def launch(self, is_cancelled: Callable[[], bool]) -> RunInstance:
        """Start a container, and return it once its startup probe has succeeded. Raises RevisionStartError."""
        context, instance_id = self._context, uuid.uuid4().hex
        try:
            container = context.host.start(self._launch_spec())
        except ContainerHostError as error:
            self.log(f"Application failed to start: {error}", "ERROR")
            raise self._failure() from error

        def write(line: bytes) -> None:
            text = line.decode(errors="replace")
            context.logs.write(LogRecord(STDOUT, self.labels, text, labels={"instanceId": instance_id}))

        listener = LogListener(container, write)
        instance = RunInstance(container, f"{container.address}:{self.port}", listener, instance_id)
        threading.Thread(target=self._watch, args=(instance,), daemon=True).start()
        try:
            self._await_probe(instance, is_cancelled)
        except BaseException:
            instance.stop(0)
            raise
        return instance

    def _watch(self, instance: RunInstance) -> None:
        """Log the end of a container that nobody stopped. The messages: Cloud Run, "Troubleshooting"."""
        instance.exit = ended = instance.container.wait()
        if instance.is_stopping:
            return
        if ended.out_of_memory:
            limit = self._container.resources.limits["memory"]
            self.log(
                f"Memory limit of {limit} exceeded. Consider increasing the memory limit, see "
                "https://cloud.google.com/run/docs/configuring/memory-limits",
                "ERROR",
            )
        self.log(f"Container called exit({ended.code}).", "WARNING")

    def _await_probe(self, instance: RunInstance, is_cancelled: Callable[[], bool]) -> None:
        probe, kind = self._container.startup_probe, "HTTP" if "http_get" in self._container.startup_probe else "TCP"
        seconds = probe.initial_delay_seconds + probe.period_seconds * probe.failure_threshold
        deadline = time.monotonic() + seconds
        where = f'for container "{self.service}-1" on port {self.port}'
        while not self._answers(instance, probe):
            if instance.exit is not None or is_cancelled():
                raise self._failure()
            if time.monotonic() > deadline:
                self.log(f"STARTUP {kind} probe failed {probe.failure_threshold} times consecutively {where}.", "ERROR")
                raise probe_failed() if kind == "HTTP" else self._failure()
            time.sleep(_PAUSE)
        self.log(f"STARTUP {kind} probe succeeded after 1 attempt {where}.")

    def _answers(self, instance: RunInstance, probe: run.Probe) -> bool:
        host = instance.address.partition(":")[0]
        if not host or instance.exit is not None:
            return False
        if "http_get" in probe:
            headers = {each.name: each.value for each in probe.http_get.http_headers}
            url = f"http://{host}:{probe.http_get.port}{probe.http_get.path}"
            with suppress(requests.RequestException), direct_session() as session:
                return session.get(url, headers=headers, timeout=probe.timeout_seconds).status_code < 400
            return False
        with suppress(OSError), socket.create_connection((host, probe.tcp_socket.port), probe.timeout_seconds):
            return True
        return False

    def _failure(self) -> RevisionStartError:
        return container_failed(self._context.project.id, self.service, self.name, self.port)

    def _launch_spec(self) -> LaunchSpec:
        container = self._container
        return LaunchSpec(
            image=self._image,
            labels={LABEL: self._context.name},
            environment=self._environment(),
            cpu=parse_millicores(container.resources.limits["cpu"]) * CPU_UNITS_PER_CORE // 1000,
            memory=parse_bytes(container.resources.limits["memory"]) // 2**20,
            ports=(self.port,),
            command=list(container.args) or None,
            entrypoint=list(container.command) or None,
            folder=container.working_dir or None,
            mounts=self._write_volumes(),
        )

    def _environment(self) -> Mapping[str, str]:
        """The container's variables. Raises RevisionStartError for a secret that cannot be read."""
        variables = {"PORT": str(self.port), "K_SERVICE": self.service}
        variables |= {"K_REVISION": self.name, "K_CONFIGURATION": self.service}
        for number, each in enumerate(self._container.env):
            reference = each.value_source.secret_key_ref
            if not reference.secret:
                variables[each.name] = each.value
                continue
            where = f"spec.template.spec.containers[0].env[{number}].value_from.secret_key_ref.name"
            content = self._read_secret(where, reference.secret, reference.version or LATEST)
            variables[each.name] = content.decode(errors="replace")
        return variables

    def _read_secret(self, field_path: str, reference: str, version: str) -> bytes:
        parts, account = _SECRET.fullmatch(reference), self._revision.service_account
        name = parts[1] if parts else reference
        full = f"projects/{self._context.project.number}/secrets/{name}/versions/{version}"
        if not self._context.secrets.may_access(account, name):
            raise secret_denied(field_path, full, account)
        content = self._context.secrets.content(name, version)
        if content is None:
            raise secret_missing(field_path, full)
        return content

    def _secret_files(self) -> Iterator[tuple[str, str, bytes, int]]:
        """Volume, path in it, content and mode of each file. Raises RevisionStartError."""
        for number, volume in enumerate(self._revision.volumes):
            if "secret" not in volume:
                continue
            where, source = f"spec.template.spec.volumes[{number}].secret.secretName", volume.secret
            items = list(source.items) or [run.VersionToPath(path=_secret_id(source.secret), version=LATEST)]
            for item in items:
                content = self._read_secret(where, source.secret, item.version or LATEST)
                yield volume.name, item.path, content, item.mode or source.default_mode or 0o444

    def _write_volumes(self) -> Sequence[Mount]:
        """Write the secrets to files, and mount them. Raises RevisionStartError."""
        targets = {each.name: each.mount_path for each in self._container.volume_mounts}
        self._context.folder.mkdir(mode=0o700, exist_ok=True)
        folders: dict[str, Path] = {}
        for volume, path, content, mode in self._secret_files():
            file = self._folder / volume / path
            _write_file(file, content, mode)
            folders[volume] = self._folder / volume
        return tuple(Mount(folder, targets[name]) for name, folder in folders.items() if name in targets)


def _write_file(file: Path, content: bytes, mode: int) -> None:
    """Write a file that the container's user, who is another one, can read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    for folder in (file.parent, file.parent.parent):
        folder.chmod(0o755)
    file.unlink(missing_ok=True)
    file.write_bytes(content)
    file.chmod(mode | 0o444)


def _secret_id(reference: str) -> str:
    parts = _SECRET.fullmatch(reference)
    return parts[1] if parts else reference
