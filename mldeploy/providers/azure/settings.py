"""The settings of `[target.acr]`, and the settings that all targets on Azure share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mldeploy.config.kinds import FieldText
from mldeploy.config.target import TargetSettings

CloudName = Literal["AzureCloud", "AzureUSGovernment", "AzureChinaCloud"]
"""The names that `az cloud list` prints."""

GROUP_PATTERN = r"^[\w().-]*[\w()-]$"
"""https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules"""
UUID_PATTERN = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
REPOSITORY_PATTERN = r"^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$"

SecretUri = Annotated[
    str,
    Field(pattern=r"^https://[A-Za-z0-9-]+\.vault\.[a-z.]+/secrets/[A-Za-z0-9-]+(/[0-9a-f]+)?/?$"),
    FieldText("the URI of a secret in Azure Key Vault"),
]


class AzureSettings(TargetSettings):
    """The settings of every target on Azure: subscription, region and registry."""

    subscription: Annotated[str, FieldText("the id of a subscription")] = Field(
        "",
        pattern=rf"^$|{UUID_PATTERN}",
        description="The subscription. Default: `AZURE_SUBSCRIPTION_ID`, then the active one of `az`.",
        examples=["12345678-1234-1234-1234-123456789012"],
    )
    cloud: Annotated[CloudName | None, FieldText(unset="the active cloud of `az`, otherwise AzureCloud")] = Field(
        None, description="The cloud that the subscription is in.", examples=["AzureUSGovernment"]
    )
    region: Annotated[str, FieldText("the name of a region of Azure")] = Field(
        "",
        pattern=r"^[a-z0-9]*$",
        description="The region of new resources. Default: `AZURE_LOCATION`, then the default of `az`.",
        examples=["westeurope"],
    )
    resource_group: Annotated[str, FieldText("the name of a resource group")] = Field(
        "",
        pattern=rf"^$|{GROUP_PATTERN}",
        max_length=90,
        description="The resource group. An existing group is never changed or deleted. Default: a new group for the "
        "app.",
        examples=["insurance"],
    )
    registry: Annotated[str, FieldText("the name of a registry, of lower-case letters and digits")] = Field(
        "",
        pattern=r"^$|^[a-z0-9]{5,50}$",
        description="The container registry for the image, in the same resource group. An existing registry is used "
        "unchanged, and its images are kept. Default: a new registry for the app, with a derived name.",
        examples=["insuranceimages"],
    )
    registry_sku: Literal["Basic", "Standard", "Premium"] = Field(
        "Basic", description="The SKU of a new registry: storage, throughput and price."
    )
    registry_auth: Literal["identity", "admin"] = Field(
        "identity",
        description="How to log in to the registry. identity: your account pushes; the web app pulls with a managed "
        "identity that has the role AcrPull. admin: the registry's admin user and password, if you may not assign "
        "roles. Everyone who can read the web app's settings can then push.",
    )
    repository: Annotated[str, FieldText("a path of lower-case letters, digits and . _ - /")] = Field(
        "",
        pattern=rf"^$|{REPOSITORY_PATTERN}",
        max_length=256,
        description="The repository in the registry. Default: the app's name.",
        examples=["team/insurance"],
    )

    @property
    def by_admin(self) -> bool:
        return self.registry_auth == "admin"


class AcrSettings(AzureSettings):
    """Azure Container Registry, for `mldeploy push --target acr`. Needs the extra: `pip install 'mldeploy[azure]'`."""
