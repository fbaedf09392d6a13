"""What runs on a registry: nothing, and whoever asks for it has named the wrong target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mldeploy.core.monitor import Monitor
from mldeploy.providers.base import Address, Instance, Release
from mldeploy.providers.errors import without_service


@dataclass(frozen=True)
class NoService:
    """`mldeploy.providers.base.Service` of a target that only keeps images: everything raises WrongTargetError."""

    target: str

    def instances(self) -> tuple[Instance, ...]:
        raise without_service(self.target)

    def url(self) -> str | None:
        raise without_service(self.target)

    def logs(self, *, follow: bool, tail: int) -> Iterator[str]:
        raise without_service(self.target)

    def stop(self) -> bool:
        raise without_service(self.target)

    def releases(self) -> tuple[Release, ...]:
        raise without_service(self.target)

    def rollback(self, revision: str | None, monitor: Monitor) -> Address:
        raise without_service(self.target)

    def scale(self, count: int, monitor: Monitor) -> None:
        raise without_service(self.target)
