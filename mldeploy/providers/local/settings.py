"""The `[target.local]` table."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mldeploy.config.kinds import Shown
from mldeploy.config.target import TargetSettings
from mldeploy.image.running.spec import PIDS_LIMIT, STOP_SECONDS


def _host(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError('"127.0.0.1" is this machine alone, "0.0.0.0" everybody who can reach it.') from None


HostAddress = Annotated[str, AfterValidator(_host), Shown("an IP address of this machine")]


class LocalSettings(TargetSettings):
    """How the app runs on the Docker Engine of this machine. Whoever may use the engine can read its environment."""

    host: HostAddress = Field(
        "127.0.0.1",
        description="The address of this machine on which the app answers. Anything but 127.0.0.1 and ::1 can be "
        "reached from the network, without a password and without encryption.",
    )
    port: Annotated[int | None, Field(ge=0, le=65535), Shown(unset="`app.port`")] = Field(
        None,
        description="The port of this machine on which the app answers. 0 chooses a free one at the first deployment "
        "and keeps it.",
        examples=[5001],
    )
    restart: Literal["no", "on-failure", "always", "unless-stopped"] = Field(
        "unless-stopped",
        description="When the engine starts the app again: the restart policies of `docker run --restart`.",
    )
    stop_timeout: int = Field(
        STOP_SECONDS,
        ge=0,
        le=3600,
        description="Seconds that a version has for the requests that it has accepted, once it is told to stop; "
        "then it is killed.",
    )
    pids_limit: int = Field(
        PIDS_LIMIT,
        ge=16,
        le=4194304,
        description="Processes and threads that the app may have at once.",
    )

    @property
    def is_public(self) -> bool:
        """Others than this machine can reach the app."""
        return not ip_address(self.host).is_loopback
