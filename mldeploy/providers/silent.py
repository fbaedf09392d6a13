"""What runs on a registry: nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mldeploy.providers.base import Instance
from mldeploy.providers.errors import without_service


@dataclass(frozen=True)
class NoService:
    """`mldeploy.providers.base.Service` of a target that only keeps images. What cannot be answered is refused."""

    target: str

    def instances(self) -> tuple[Instance, ...]:
        return ()

    def url(self) -> None:
        """Nowhere."""

    def logs(self, *, follow: bool, tail: int) -> Iterator[str]:
        raise without_service(self.target)

    def stop(self) -> bool:
        raise without_service(self.target)
