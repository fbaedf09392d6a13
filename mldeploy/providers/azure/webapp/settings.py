"""The settings of `[target.webapp]`, and the sizes of App Service plans."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from mldeploy.config.errors import ConfigError
from mldeploy.config.kinds import FieldText, Variable
from mldeploy.config.settings import Project
from mldeploy.config.target import advise_on_disk, advise_on_port
from mldeploy.providers.azure.settings import AzureSettings, SecretUri

TABLE = "target.webapp"
SITE_PATTERN = r"^$|^[a-z0-9][a-z0-9-]{0,58}[a-z0-9]$"
START_GRACE = 30
"""Seconds added to the app's start timeout, for App Service itself."""
LEAST_START_LIMIT, START_LIMIT = 230, 1800
"""The default and the longest start timeout of App Service, in seconds. The image's pull may count towards it."""


SkuName = Literal["F1", "B1", "B2", "B3", "S1", "S2", "S3", "P0v3", "P1v3", "P2v3", "P3v3"]


@dataclass(frozen=True)
class Scaling:
    """The limits of autoscaling: the number of instances, and CPU in percent."""

    least: int
    most: int
    cpu: int


class WebappSettings(AzureSettings):
    """The app as a Web App for Containers of Azure App Service. Needs the extra: `pip install 'mldeploy[azure]'`.

    The app serves HTTPS at `NAME.azurewebsites.net`. S1 and larger sizes have a staging slot: the new version is
    started and checked there before the swap, without downtime. Smaller sizes replace the running version; the
    deployment reports the measured downtime. `app.read_only` is not supported.
    """

    name: Annotated[str, FieldText("the name of a site, of lower-case letters, digits and -")] = Field(
        "",
        pattern=SITE_PATTERN,
        description="The site's name: the first part of its host name, globally unique. Default: derived from the app "
        "and the subscription.",
        examples=["insurance-quotes"],
    )
    sku: SkuName = Field("B1", description="The size of the App Service plan.")
    instances: Annotated[
        int | None, Field(ge=1, le=30), FieldText(unset="1 at first, then what `mldeploy scale` set")
    ] = Field(None, description="Number of instances.", examples=[2])
    min: Annotated[int | None, Field(ge=1, le=30), FieldText(unset="1")] = Field(
        None, description="Minimum number of instances for autoscaling. Needs `max`.", examples=[1]
    )
    max: Annotated[int | None, Field(ge=1, le=30), FieldText(unset="no autoscaling")] = Field(
        None, description="Maximum number of instances for autoscaling. Needs S1 or larger.", examples=[4]
    )
    target_cpu: int = Field(
        70, ge=20, le=95, description="CPU usage in percent above which autoscaling adds an instance."
    )
    secrets: Annotated[dict[Variable, SecretUri], FieldText("a table of URIs, by the variable that the app reads")] = (
        Field(
            {},
            description="Environment variables with values from Azure Key Vault. The site stores only the reference. "
            "The app's identity needs the role Key Vault Secrets User on the vault.",
            examples=[{"API_KEY": "https://insurance.vault.azure.net/secrets/api-key"}],
        )
    )
    rollout_timeout: int = Field(
        900,
        ge=1,
        le=7200,
        description="Timeout in seconds for a version to start, including the image pull. Large images take minutes.",
    )
    rollback: bool = Field(
        True,
        description="Without a staging slot: restore the previous version if the new one does not serve. false "
        "(`--no-rollback`): keep the failed version for inspection.",
    )
    log_retention: int = Field(7, ge=1, le=99999, description="Retention of the container log in days.")

    @property
    def tier(self) -> Tier:
        return TIERS[self.sku]

    @property
    def scaling(self) -> Scaling | None:
        """The limits of autoscaling; None if it is off."""
        return None if self.max is None else Scaling(self.min or 1, self.max, self.target_cpu)

    def count(self, now: int) -> int | None:
        """The desired number of instances, given the current one; None to keep it."""
        if self.scaling is not None:
            return None if now else self.scaling.least
        return self.instances or (None if now else 1)

    def start_limit(self, project: Project) -> int:
        """The start timeout of App Service in seconds: the app's own and START_GRACE, not less than the default."""
        return min(START_LIMIT, max(LEAST_START_LIMIT, math.ceil(project.check.start_timeout) + START_GRACE))

    def advise(self, project: Project) -> tuple[str, ...]:
        return (*advise_on_port(project), *advise_on_disk(project))

    @property
    def withheld(self) -> tuple[str, ...]:
        return tuple(self.secrets)

    def check(self) -> None:
        """Raises ConfigError if settings contradict each other or exceed the size."""
        required = max(self.instances or 1, self.max or 1)
        rules = (
            (self.min is not None and self.max is None, "min", "needs `max`"),
            (self.max is not None and (self.min or 1) > self.max, "min", "is more than `max`"),
            (self.max is not None and self.instances is not None, "instances", "cannot be combined with `max`"),
            (
                self.max is not None and not self.tier.autoscale,
                "max",
                f"needs S1, P0v3 or larger, not {self.sku}",
            ),
            (required > self.tier.most, "instances", f"is more than {self.tier.most}, the maximum of {self.sku}"),
        )
        for broken, key, what in rules:
            if broken:
                raise ConfigError(f"{TABLE}.{key}", what, f"`mldeploy help config {TABLE}` explains the keys.")


@dataclass(frozen=True)
class Tier:
    """A pricing tier. most: the maximum number of instances. slots: whether it has staging slots."""

    name: str
    most: int
    always_on: bool = True
    slots: bool = False
    autoscale: bool = False


FREE = Tier("Free", 1, always_on=False)
BASIC = Tier("Basic", 3)
STANDARD = Tier("Standard", 10, slots=True, autoscale=True)
PREMIUM = Tier("PremiumV3", 30, slots=True, autoscale=True)
PREMIUM_0 = Tier("Premium0V3", 30, slots=True, autoscale=True)

TIERS: Mapping[str, Tier] = MappingProxyType(
    {
        "F1": FREE,
        **dict.fromkeys(("B1", "B2", "B3"), BASIC),
        **dict.fromkeys(("S1", "S2", "S3"), STANDARD),
        "P0v3": PREMIUM_0,
        **dict.fromkeys(("P1v3", "P2v3", "P3v3"), PREMIUM),
    }
)
