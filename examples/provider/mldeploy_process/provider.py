"""The provider: one client, one step, one service."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import requests
from pydantic import Field
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from mldeploy.app.client import AnswerError, AppClient
from mldeploy.config.endpoints import Endpoints
from mldeploy.config.errors import ConfigError
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.errors import DeniedError, ExitCode, MldeployError
from mldeploy.core.graph import derive_kinds
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Resource, Seen, Step
from mldeploy.image.types import Image
from mldeploy.providers.base import Address, Instance, Release
from mldeploy.providers.errors import without_releases, without_scale
from mldeploy_process.manager import ACTIONS

TARGET = "process"
RETRIES = Retry(8, backoff_factor=0.05, status_forcelist=(429, 500, 502, 503), allowed_methods=None)


class ProcessSettings(TargetSettings):
    """The app runs as a process under a process manager."""

    url: str = Field("http://127.0.0.1:7070", description="URL of the process manager.")


class ManagerError(MldeployError):
    """The process manager does not answer, or an app does not start."""

    code = ExitCode.REMOTE


@dataclass(frozen=True)
class ManagerClient:
    """The process manager. Every operation may be repeated, so every failed one is."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, HTTPAdapter(max_retries=RETRIES))

    def send(self, action: str, name: str = "", body: object = None) -> requests.Response | None:
        """The response, None if there is no such app. Raises DeniedError, ManagerError."""
        method, _, path = ACTIONS[action].partition(" ")
        try:
            response = self.session.request(method, self.url + path.format(name=name), json=body, timeout=30)
        except requests.RequestException as error:
            what = f"{action} failed: the process manager does not answer"
            raise ManagerError(self.url, what, "Start it, or set target.process.url.") from error
        if response.status_code == requests.codes.forbidden:
            raise DeniedError(self.url, f"does not permit {action}", f"Grant {action}.")
        if response.status_code == requests.codes.not_found:
            return None
        return response

    def app(self, name: str) -> dict[str, Any] | None:
        response = self.send("GetApp", name)
        return None if response is None else dict(response.json())


@dataclass(frozen=True, eq=False)
class RunningProcess(Step[ManagerClient, Address]):
    """The app runs from its folder, with its present files. The URL answers."""

    kind: ClassVar[str] = "process"
    title: ClassVar[str] = "Run the process"

    project: Project

    def key(self) -> Key:
        return Key(self.project.app.name)

    def probe(self, cloud: ManagerClient, outs: Outputs) -> Seen[Address] | None:
        app = cloud.app(self.project.app.name)
        if app is None:
            return None
        is_changed, has_ended = app["digest"] != self.digest, app["status"] is not None
        drift = (*(("its files have changed",) if is_changed else ()), *(("it does not run",) if has_ended else ()))
        return Seen(self._address(app["url"]), drift, ours=app["owner"] == "mldeploy")

    def apply(self, cloud: ManagerClient, outs: Outputs, seen: Seen[Address] | None, monitor: Monitor) -> Address:
        app = self.project.app
        env = {name: value.reveal() for name, value in app.env}
        spec = {"command": app.command, "folder": str(app.folder / app.chdir), "env": env, "digest": self.digest}
        cloud.send("PutApp", app.name, {**spec, "owner": "mldeploy"})
        for _ in monitor.attempts(every=0.05, within=self.project.check.start_timeout):
            running = cloud.app(app.name)
            if running is None or running["status"] is not None:
                break
            try:
                with AppClient(running["url"]) as client:
                    client.health(app.health)
            except AnswerError:
                continue
            return self._address(running["url"])
        raise ManagerError(app.name, "the process does not serve", f"See `mldeploy logs --target {TARGET}`.")

    @staticmethod
    def undo(cloud: ManagerClient, key: Key, monitor: Monitor) -> bool:
        app = cloud.app(key.name)
        if app is None or app["owner"] != "mldeploy":
            return False
        cloud.send("DeleteApp", key.name)
        return True

    @property
    def digest(self) -> str:
        app = self.project.app
        files = sorted(path for path in app.folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        content = b"".join(str(path).encode() + hashlib.sha256(path.read_bytes()).digest() for path in files)
        return hashlib.sha256(content + repr((app.command, app.chdir)).encode()).hexdigest()

    def _address(self, url: str) -> Address:
        """There is no image: the folder stands for it."""
        return Address(url, Image(str(self.project.app.folder), f"sha256:{self.digest}", "", 0, ()))


@dataclass(frozen=True)
class ProcessService:
    """`mldeploy.providers.base.Service`."""

    cloud: ManagerClient
    name: str

    def instances(self) -> tuple[Instance, ...]:
        app = self.cloud.app(self.name)
        if app is None:
            return ()
        state = "running" if app["status"] is None else "exited"
        return (Instance(self.name, app["digest"][:16], state, "", app["url"], ""),)

    def url(self) -> str | None:
        return next((each.url for each in self.instances() if each.state == "running"), None)

    def logs(self, *, follow: bool, tail: int) -> Iterator[str]:
        lines: list[str] = []
        while (response := self.cloud.send("GetLog", self.name)) is not None:
            new = response.text.splitlines()[len(lines) :]
            yield from new[-tail:] if tail and not lines else new
            lines += new
            if not follow:
                return
            time.sleep(1)

    def stop(self) -> bool:
        response = self.cloud.send("StopApp", self.name)
        return response is not None and bool(response.json()["stopped"])

    def releases(self) -> tuple[Release, ...]:
        raise without_releases(TARGET)

    def rollback(self, revision: str | None, monitor: Monitor) -> Address:
        raise without_releases(TARGET)

    def scale(self, count: int, monitor: Monitor) -> None:
        raise without_scale(TARGET)

    def refusals(self) -> Mapping[str, MldeployError]:
        return {"rollback": without_releases(TARGET), "scale": without_scale(TARGET)}


class ProcessProvider:
    """`mldeploy.providers.base.Provider` and `mldeploy.providers.capabilities.Runtime`."""

    name = TARGET
    settings: type[TargetSettings] = ProcessSettings
    kinds = derive_kinds(RunningProcess)

    def connect(self, project: Project, settings: ProcessSettings, endpoints: Endpoints) -> ManagerClient:
        return ManagerClient(endpoints.url or settings.url)

    def place(self, cloud: ManagerClient) -> tuple[str, ...]:
        return (cloud.url,)

    def inventory(self, cloud: ManagerClient, project: Project) -> Collection[Resource]:
        app = cloud.app(project.app.name)
        is_ours = app is not None and app["owner"] == "mldeploy"
        return [Resource(RunningProcess.kind, Key(project.app.name))] if is_ours else []

    def goal(self, project: Project, settings: ProcessSettings) -> RunningProcess:
        if not project.app.command:
            raise ConfigError("app.command", "is missing: the process manager has no server", "Set the start command.")
        return RunningProcess(project)

    def service(self, cloud: ManagerClient, project: Project, settings: ProcessSettings) -> ProcessService:
        return ProcessService(cloud, project.app.name)


provider = ProcessProvider()
