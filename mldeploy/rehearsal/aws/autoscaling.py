"""Application Auto Scaling, with AWS's error for a missing target.

https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeregisterScalableTarget.html
"""

from __future__ import annotations

from types import SimpleNamespace

from moto.applicationautoscaling import urls
from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend, applicationautoscaling_backends
from moto.core.exceptions import JsonRESTError


class RehearsedAutoscaling(ApplicationAutoscalingBackend):
    """moto's backend, which raises a validation error for a missing target."""

    @property
    def _url_module(self) -> SimpleNamespace:
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=urls.url_paths)

    def deregister_scalable_target(self, namespace: str, r_id: str, dimension: str) -> None:
        try:
            super().deregister_scalable_target(namespace, r_id, dimension)
        except AWSValidationException as error:
            raise JsonRESTError("ObjectNotFoundException", error.message) from error


def install() -> None:
    """Install this backend in moto, for this process."""
    applicationautoscaling_backends.backend = RehearsedAutoscaling
