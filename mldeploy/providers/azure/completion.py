"""The regions of Azure that mldeploy knows. The SDK has no list of them; a subscription may have more."""

from __future__ import annotations

import os
from collections.abc import Iterable

from mldeploy.providers.completion import CompletedOption, CompletionRequest, CompletionValue

REGIONS = (
    "australiaeast", "brazilsouth", "canadacentral", "centralindia", "centralus", "eastasia", "eastus", "eastus2",
    "francecentral", "germanywestcentral", "japaneast", "koreacentral", "northeurope", "norwayeast", "southafricanorth",
    "southcentralus", "southeastasia", "swedencentral", "switzerlandnorth", "uaenorth", "uksouth", "westeurope",
    "westus", "westus2", "westus3",
)  # fmt: skip
"""https://learn.microsoft.com/azure/reliability/regions-list"""


def complete(request: CompletionRequest) -> Iterable[CompletionValue]:
    """`mldeploy.providers.completion.CompletionSource`."""
    if request.option is not CompletedOption.REGION:
        return ()
    own = os.environ.get("AZURE_LOCATION") or os.environ.get("AZURE_DEFAULTS_LOCATION") or ""
    return [CompletionValue(name, "Azure region") for name in dict.fromkeys(filter(None, (own, *REGIONS)))]
