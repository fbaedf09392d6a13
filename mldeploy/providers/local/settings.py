"""The `[target.local]` table."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mldeploy.app.container_spec import PIDS_LIMIT, STOP_SECONDS
from mldeploy.config.kinds import FieldText
from mldeploy.config.target import TargetSettings


def _host(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError('Use "127.0.0.1" for this machine only, "0.0.0.0" for all interfaces.') from None


HostAddress = Annotated[str, AfterValidator(_host), FieldText("an IP address of this machine")]


class LocalSettings(TargetSettings):
    """How the app runs on this machine's Docker Engine. Every user of the engine can read its environment."""

    host: HostAddress = Field(
        "127.0.0.1",
        description="The address of this machine to publish the app on. Addresses other than 127.0.0.1 and ::1 are "
        "reachable from the network, without a password and without encryption.",
    )
    port: Annotated[int | None, Field(ge=0, le=65535), FieldText(unset="`app.port`")] = Field(
        None,
        description="The port of this machine to publish the app on. 0: any free port, chosen at the first deployment.",
        examples=[5001],
    )
    restart: Literal["no", "on-failure", "always", "unless-stopped"] = Field(
        "unless-stopped",
        description="The restart policy, as in `docker run --restart`.",
    )
    stop_timeout: int = Field(
        STOP_SECONDS,
        ge=0,
        le=3600,
        description="Seconds for an old version to finish its requests before it is killed.",
    )
    pids_limit: int = Field(
        PIDS_LIMIT,
        ge=16,
        le=4194304,
        description="The maximum number of processes and threads.",
    )

    @property
    def is_public(self) -> bool:
        """Whether the app is reachable from the network."""
        return not ip_address(self.host).is_loopback
