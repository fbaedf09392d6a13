"""The `[target.webapp]` table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from mldeploy.config.errors import ConfigError
from mldeploy.config.kinds import Shown, Variable
from mldeploy.config.settings import Project
from mldeploy.providers.azure.settings import AzureSettings
from mldeploy.providers.azure.webapp.skus import TIERS, SkuName, Tier

TABLE = "target.webapp"
SITE_PATTERN = r"^$|^[a-z0-9][a-z0-9-]{0,58}[a-z0-9]$"
START_GRACE = 30
"""Seconds that App Service may take to begin with a container."""
START_LIMIT = 1800
"""App Service waits for no container longer than that."""

SecretUri = Annotated[
    str,
    Field(pattern=r"^https://[A-Za-z0-9-]+\.vault\.[a-z.]+/secrets/[A-Za-z0-9-]+(/[0-9a-f]+)?/?$"),
    Shown("the URI of a secret in Azure Key Vault"),
]


@dataclass(frozen=True)
class Scaling:
    """What autoscaling keeps to: so many instances, and so many percent of their CPU."""

    least: int
    most: int
    cpu: int


class WebappSettings(AzureSettings):
    """The app as a Web App for Containers of Azure App Service. Needs the extra: `pip install 'mldeploy[azure]'`.

    It answers HTTPS at `NAME.azurewebsites.net`. Sizes from S1 on have a staging slot: a new version is warmed up and
    asked there before the two are swapped, and not a request is lost. With smaller ones App Service changes the version
    in place; a deployment measures how long the URL was silent, and says so. `app.read_only` does not hold there.
    """

    name: Annotated[str, Shown("the name of a site, of lower-case letters, digits and -")] = Field(
        "",
        pattern=SITE_PATTERN,
        description="The site's name, the first part of its host name, which is unique in the world. If not set: one "
        "that follows from the app's and the subscription's.",
        examples=["insurance-quotes"],
    )
    sku: SkuName = Field("B1", description="The size of the App Service plan: what the app runs on, and is billed for.")
    instances: Annotated[int | None, Field(ge=1, le=30), Shown(unset="1 at first, then what `mldeploy scale` set")] = (
        Field(None, description="How many machines of this size serve the app.", examples=[2])
    )
    min: Annotated[int | None, Field(ge=1, le=30), Shown(unset="1")] = Field(
        None, description="With `max`: the fewest instances that autoscaling leaves.", examples=[1]
    )
    max: Annotated[int | None, Field(ge=1, le=30), Shown(unset="no autoscaling")] = Field(
        None, description="The most instances to which autoscaling goes. From S1 on.", examples=[4]
    )
    target_cpu: int = Field(
        70, ge=20, le=95, description="Percent of the instances' CPU above which autoscaling adds one."
    )
    secrets: Annotated[dict[Variable, SecretUri], Shown("a table of URIs, by the variable that the app reads")] = Field(
        {},
        description="Variables whose values App Service takes from Azure Key Vault. They are in no file of yours and "
        "not in the site's settings. The app's identity needs the role Key Vault Secrets User there.",
        examples=[{"API_KEY": "https://insurance.vault.azure.net/secrets/api-key"}],
    )
    rollout_timeout: int = Field(
        900,
        ge=1,
        le=7200,
        description="Seconds after which a version that has neither started nor failed is given up. A large image "
        "takes minutes to be pulled.",
    )
    rollback: bool = Field(
        True,
        description="A version that does not serve after a change in place makes way for the one before it. false "
        "(`--no-rollback`): it stays there, to be looked at.",
    )
    log_retention: int = Field(7, ge=1, le=99999, description="Days for which the container's log is kept.")

    @property
    def tier(self) -> Tier:
        return TIERS[self.sku]

    @property
    def scaling(self) -> Scaling | None:
        """What autoscaling keeps to; None if there is none."""
        return None if self.max is None else Scaling(self.min or 1, self.max, self.target_cpu)

    def count(self, now: int) -> int | None:
        """How many instances there should be, of `now`; None if that is not for us to say."""
        if self.scaling is not None:
            return None if now else self.scaling.least
        return self.instances or (None if now else 1)

    def start_limit(self, project: Project) -> int:
        """Seconds that App Service waits for a container: what the app has to become healthy, and some to begin."""
        return min(START_LIMIT, math.ceil(project.check.start_timeout) + START_GRACE)

    def check(self) -> None:
        """Raises ConfigError where keys contradict each other, or the size."""
        wanted = max(self.instances or 1, self.max or 1)
        rules = (
            (self.min is not None and self.max is None, "min", "needs `max`"),
            (self.max is not None and (self.min or 1) > self.max, "min", "is more than `max`"),
            (self.max is not None and self.instances is not None, "instances", "and `max` contradict each other"),
            (
                self.max is not None and not self.tier.autoscale,
                "max",
                f"needs S1, P0v3 or larger, not {self.sku}",
            ),
            (wanted > self.tier.most, "instances", f"is more than the {self.tier.most} that {self.sku} has at most"),
        )
        for broken, key, what in rules:
            if broken:
                raise ConfigError(f"{TABLE}.{key}", what, "See docs/configuration.md.")
