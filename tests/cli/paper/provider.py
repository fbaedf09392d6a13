"""A target whose things are files in a folder: small and quick, so that the command line itself can be tried.

It is installed as a third party's would be, through the entry point group `mldeploy.providers`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.errors import MldeployError
from mldeploy.core.events import Progress
from mldeploy.core.graph import derive_kinds
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Kinds, Outputs, Resource, Seen, Step
from mldeploy.image.types import Image, Layer
from mldeploy.providers.base import Address, Instance, Provider, Release
from mldeploy.providers.errors import PortTakenError, without_releases, without_scale

IMAGE = Image("paper:1", "sha256:1", "linux/amd64", 1_000_000, (Layer("COPY . .", 1_000_000),))


class PaperSettings(TargetSettings):
    """The `[target.paper]` table."""

    folder: str = Field("", description="Where the things are files.")
    url: str = Field("http://127.0.0.1:9", description="Where the app is said to answer.")
    wait: float = Field(0, description="Seconds that the last step takes; it can be told to stop.")
    deaf: bool = Field(False, description="The last step cannot be told to stop.")
    fail: str = Field("", description="How the last step fails: `known`, `defect`.")
    port: int = Field(5000, description="The port; 5000 is taken.")
    endless: bool = Field(True, description="The log has no end for those who follow it.")
    host: str = Field("127.0.0.1", description="The address.")


@dataclass(frozen=True)
class PaperCloud:
    folder: Path
    settings: PaperSettings

    def file(self, key: Key, kind: str) -> Path:
        return self.folder / f"{key.name}.{kind}"


@dataclass(frozen=True, eq=False)
class Sheet(Step[PaperCloud, str]):
    kind: ClassVar[str] = "sheet"
    title: ClassVar[str] = "Cut a sheet"

    app: str

    def key(self) -> Key:
        return Key(self.app)

    def probe(self, cloud: PaperCloud, outs: Outputs) -> Seen[str] | None:
        return Seen(self.app) if cloud.file(self.key(), self.kind).exists() else None

    def apply(self, cloud: PaperCloud, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        cloud.file(self.key(), self.kind).touch()
        return self.app

    @staticmethod
    def undo(cloud: PaperCloud, key: Key, monitor: Monitor) -> bool:
        return _removed(cloud.file(key, Sheet.kind))


@dataclass(frozen=True, eq=False)
class Letter(Step[PaperCloud, Address]):
    kind: ClassVar[str] = "letter"
    title: ClassVar[str] = "Write the letter"

    sheet: Sheet
    settings: PaperSettings

    def key(self) -> Key:
        return self.sheet.key()

    def probe(self, cloud: PaperCloud, outs: Outputs) -> Seen[Address] | None:
        outs[self.sheet]  # raises while there is nothing to write on
        file = cloud.file(self.key(), self.kind)
        if not file.exists():
            return None
        written = file.read_text()
        drift = () if written == self.settings.url else (f"url {written} → {self.settings.url}",)
        return Seen(Address(self.settings.url, IMAGE), drift)

    def apply(self, cloud: PaperCloud, outs: Outputs, seen: Seen[Address] | None, monitor: Monitor) -> Address:
        settings = self.settings
        monitor.progress(Progress("", "dipping the pen", 1, 2))
        if settings.fail == "known":
            raise MldeployError("the pen", "is dry", "Fill it.")
        if settings.fail == "defect":
            raise ZeroDivisionError("no ink")
        if settings.port == 5000 and settings.fail == "port":
            raise PortTakenError(5000, "somebody else", 5001)
        self._take_time(monitor)
        cloud.file(self.key(), self.kind).write_text(settings.url)
        return Address(settings.url, IMAGE, (f"on port {settings.port}",))

    def _take_time(self, monitor: Monitor) -> None:
        if not self.settings.deaf:
            monitor.wait(self.settings.wait)
            return
        # A call that cannot be interrupted: reading from a pipe until somebody writes into it.
        (Path(self.settings.folder) / "go").read_bytes()

    @staticmethod
    def undo(cloud: PaperCloud, key: Key, monitor: Monitor) -> bool:
        return _removed(cloud.file(key, Letter.kind))


def _removed(file: Path) -> bool:
    there = file.exists()
    file.unlink(missing_ok=True)
    return there


@dataclass(frozen=True)
class PaperService:
    cloud: PaperCloud
    app: str

    def instances(self) -> tuple[Instance, ...]:
        url = self.url()
        if url is None:
            return ()
        return (Instance(self.app, "paper:1", "running", "healthy", url, "2026-11-21T08:00:00Z", 1, 12_000_000),)

    def url(self) -> str | None:
        letter = self.cloud.file(Key(self.app), Letter.kind)
        return letter.read_text() if letter.exists() else None

    def logs(self, *, follow: bool, tail: int) -> Iterator[str]:
        written = self.cloud.folder / "log"
        lines = written.read_bytes().decode().split("\n") if written.exists() else [f"line {n}" for n in range(1000)]
        yield from lines[-tail:] if tail else lines
        while follow and self.cloud.settings.endless:
            yield "more"

    def stop(self) -> bool:
        return _removed(self.cloud.file(Key(self.app), Letter.kind))

    def releases(self) -> tuple[Release, ...]:
        raise without_releases("paper")

    def rollback(self, revision: str | None, monitor: Monitor) -> Address:
        raise without_releases("paper")

    def scale(self, count: int, monitor: Monitor) -> None:
        raise without_scale("paper")

    def refusals(self) -> Mapping[str, MldeployError]:
        return {"rollback": without_releases("paper"), "scale": without_scale("paper")}


@dataclass(frozen=True)
class PaperProvider:
    name: str = "paper"
    settings: type[TargetSettings] = PaperSettings

    @property
    def kinds(self) -> Kinds[PaperCloud]:
        return derive_kinds(Letter)

    def connect(self, project: Project, settings: PaperSettings, endpoints: Endpoints) -> PaperCloud:
        folder = Path(settings.folder or project.app.folder)
        return PaperCloud(folder, settings)

    def place(self, cloud: PaperCloud) -> tuple[str, ...]:
        return ()

    def goal(self, project: Project, settings: PaperSettings) -> Letter:
        return Letter(Sheet(project.app.name), settings)

    def inventory(self, cloud: PaperCloud, project: Project) -> Collection[Resource]:
        key = Key(project.app.name)
        return [Resource(kind, key) for kind in self.kinds if cloud.file(key, kind).exists()]

    def service(self, cloud: PaperCloud, project: Project, settings: PaperSettings) -> PaperService:
        return PaperService(cloud, project.app.name)


provider: Provider[PaperCloud, PaperSettings] = PaperProvider()
