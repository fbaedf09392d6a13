"""Application Auto Scaling, which says in AWS's own words that something is not there.

https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeregisterScalableTarget.html
"""

from __future__ import annotations

from types import SimpleNamespace

from moto.applicationautoscaling import urls
from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend, applicationautoscaling_backends
from moto.core.exceptions import JsonRESTError


class RehearsedAutoscaling(ApplicationAutoscalingBackend):
    """moto's, which calls a scalable target that is gone a mistake in the request."""

    @property
    def _url_module(self) -> SimpleNamespace:
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=urls.url_paths)

    def deregister_scalable_target(self, namespace: str, r_id: str, dimension: str) -> None:
        try:
            super().deregister_scalable_target(namespace, r_id, dimension)
        except AWSValidationException as error:
            raise JsonRESTError("ObjectNotFoundException", error.message) from error


def install() -> None:
    """Let moto play autoscaling so. Once for each process: moto's backends are the process's."""
    applicationautoscaling_backends.backend = RehearsedAutoscaling
