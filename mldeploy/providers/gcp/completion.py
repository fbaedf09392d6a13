"""The gcloud configurations of this machine, and the regions of Google Cloud that mldeploy knows."""

from __future__ import annotations

from collections.abc import Iterable

from mldeploy.providers.completion import CompletedOption, CompletionRequest, CompletionValue
from mldeploy.providers.gcp.gcloud import Gcloud

REGIONS = (
    "asia-east1", "asia-northeast1", "asia-south1", "asia-southeast1", "australia-southeast1", "europe-central2",
    "europe-north1", "europe-west1", "europe-west2", "europe-west3", "europe-west4", "europe-west6",
    "northamerica-northeast1", "southamerica-east1", "us-central1", "us-east1", "us-east4", "us-west1", "us-west2",
)  # fmt: skip
"""https://cloud.google.com/compute/docs/regions-zones"""
_MULTI_REGIONS = {"gar": ("us", "europe", "asia"), "gcr": ("us", "eu", "europe", "asia")}


def complete(request: CompletionRequest) -> Iterable[CompletionValue]:
    """`mldeploy.providers.completion.CompletionSource`."""
    if request.option is CompletedOption.PROFILE:
        return [CompletionValue(name, "gcloud configuration") for name in sorted(Gcloud.load("").names())]
    if request.option is CompletedOption.REGION:
        return [CompletionValue(name, "Google Cloud region") for name in _regions(request.target)]
    return ()


def _regions(target: str) -> Iterable[str]:
    multiple = _MULTI_REGIONS.get(target, ())
    if target == "gcr":
        return multiple
    gcloud = Gcloud.load("")
    own = gcloud.variable("compute", "region") or gcloud.property("compute", "region")
    return dict.fromkeys(filter(None, (own, *REGIONS, *multiple)))
