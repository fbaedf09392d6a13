"""Who we are to a registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mldeploy.config.secret import Secret


@dataclass(frozen=True)
class RegistryAccess:
    """Credentials for one registry. They are short-lived: to be asked for anew before each call that takes long.

    address: host, and port where it is not the usual one. user and password: empty where anybody may.
    expires: ISO 8601, UTC; empty if they do not.
    """

    address: str
    user: str = ""
    password: Secret = Secret("")  # noqa: RUF009 - it cannot be changed
    expires: str = ""


@dataclass(frozen=True)
class Repository:
    """Where an app's images are kept. name: `address/path`, without a tag. enter: asks for access, anew each time."""

    name: str
    enter: Callable[[], RegistryAccess]

    @property
    def path(self) -> str:
        """The name inside its registry."""
        return self.name.partition("/")[2]
