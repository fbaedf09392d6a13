"""The tables of the targets on Azure: `[target.acr]`, and what every other one has in common with it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mldeploy.config.kinds import Shown
from mldeploy.config.target import TargetSettings

GROUP_PATTERN = r"^[\w().-]*[\w()-]$"
"""https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules"""
UUID_PATTERN = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
REPOSITORY_PATTERN = r"^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$"


class AzureSettings(TargetSettings):
    """What every target on Azure has: whose subscription, where, and the registry that its image is kept in."""

    subscription: Annotated[str, Shown("the id of a subscription")] = Field(
        "",
        pattern=rf"^$|{UUID_PATTERN}",
        description="The subscription to work in. If not set: `AZURE_SUBSCRIPTION_ID`, then the one that `az` uses.",
        examples=["12345678-1234-1234-1234-123456789012"],
    )
    region: Annotated[str, Shown("the name of a region of Azure")] = Field(
        "",
        pattern=r"^[a-z0-9]*$",
        description="The region in which things are made. If not set: `AZURE_LOCATION`, then the default of `az`.",
        examples=["westeurope"],
    )
    resource_group: Annotated[str, Shown("the name of a resource group")] = Field(
        "",
        pattern=rf"^$|{GROUP_PATTERN}",
        max_length=90,
        description="The resource group that everything is made in. One that is there already stays as it is, also "
        "when the app is destroyed. If not set: a group of the app's own.",
        examples=["insurance"],
    )
    registry: Annotated[str, Shown("the name of a registry, of lower-case letters and digits")] = Field(
        "",
        pattern=r"^$|^[a-z0-9]{5,50}$",
        description="The container registry that the image is kept in, in the same resource group. One that mldeploy "
        "did not make is used as it is; images stay in it. If not set: one of the app's own, with a name that "
        "follows from the app's and the subscription's.",
        examples=["insuranceimages"],
    )
    registry_sku: Literal["Basic", "Standard", "Premium"] = Field(
        "Basic", description="The size of the registry that is made: by storage, throughput and price."
    )
    registry_auth: Literal["identity", "admin"] = Field(
        "identity",
        description="How the registry is entered. identity: with your own account, and by the web app with an identity "
        "that may pull from this registry alone. admin: with the registry's admin user and its password, for those who "
        "may not assign roles; everybody who may read the web app's settings can then push.",
    )
    repository: Annotated[str, Shown("a path of lower-case letters, digits and . _ - /")] = Field(
        "",
        pattern=rf"^$|{REPOSITORY_PATTERN}",
        max_length=256,
        description="The repository in the registry. If not set: the app's name.",
        examples=["team/insurance"],
    )

    @property
    def by_admin(self) -> bool:
        return self.registry_auth == "admin"


class AcrSettings(AzureSettings):
    """The registry of Azure, for `mldeploy push --target acr`. Needs the extra: `pip install 'mldeploy[azure]'`."""
