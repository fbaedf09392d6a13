"""What Cloud Run says, each with its published source. https://cloud.google.com/run/docs/troubleshooting"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from google.cloud import run_v2 as run

from mldeploy.rehearsal.gcp.errors import ApiError, Code

RUN = "run.googleapis.com"
CommonReason, RevisionReason = run.Condition.CommonReason, run.Condition.RevisionReason


@dataclass
class RevisionStartError(Exception):
    """A revision cannot serve. condition: the one that fails. reason: of it, or of the revision.

    code: of the operation.
    """

    condition: str
    code: Code
    message: str
    reason: int = CommonReason.COMMON_REASON_UNDEFINED
    revision_reason: int = RevisionReason.REVISION_REASON_UNDEFINED


def container_failed(project: str, service: str, revision: str, port: int) -> RevisionStartError:
    """The container ended or did not listen. The same message for both.

    https://github.com/datawranglerai/self-host-n8n-on-gcr/issues/34; the code:
    https://github.com/GoogleCloudPlatform/cymbal-superstore/issues/6
    """
    condition = (
        f'resource.type="cloud_run_revision"\nresource.labels.service_name="{service}"\n'
        f'resource.labels.revision_name="{revision}"'
    )
    url = (
        f"https://console.cloud.google.com/logs/viewer?project={project}&resource=cloud_run_revision/service_name/"
        f"{service}/revision_name/{revision}&advancedFilter={quote(condition, safe='')}"
    )
    what = (
        f"The user-provided container failed to start and listen on the port defined provided by the PORT={port} "
        "environment variable within the allocated timeout. This can happen when the container port is misconfigured "
        "or if the timeout is too short. The health check timeout can be extended. Logs for this revision might "
        f"contain more information.\n\nLogs URL: {url} \nFor more troubleshooting guidance, see "
        "https://cloud.google.com/run/docs/troubleshooting#container-failed-to-start"
    )
    reason = RevisionReason.HEALTH_CHECK_CONTAINER_ERROR
    return RevisionStartError("ContainerHealthy", Code.INTERNAL, what, revision_reason=reason)


def probe_failed() -> RevisionStartError:
    """An HTTP startup probe did not succeed in time. https://github.com/terraform-google-modules/terraform-docs-samples/pull/254"""
    what = (
        "The user-provided container failed the configured startup probe checks. Logs for this revision might contain "
        "more information."
    )
    reason = RevisionReason.HEALTH_CHECK_CONTAINER_ERROR
    return RevisionStartError("ContainerHealthy", Code.INTERNAL, what, revision_reason=reason)


def image_not_found(image: str) -> RevisionStartError:
    """https://github.com/google-github-actions/deploy-cloudrun/issues/465; the code is assumed"""
    what = f"Image '{image}' not found."
    return RevisionStartError("ContainerReady", Code.NOT_FOUND, what, CommonReason.CONTAINER_MISSING)


def image_forbidden(image: str, agent: str) -> RevisionStartError:
    """https://cloud.google.com/run/docs/troubleshooting; the code is assumed"""
    what = (
        f"Google Cloud Run Service Agent {agent} must have permission to read the image, {image}. Ensure that the "
        "provided container image URL is correct and that the above account has permission to access the image. If "
        "you just enabled the Cloud Run API, the permissions might take a few minutes to propagate."
    )
    reason = CommonReason.CONTAINER_PERMISSION_DENIED
    return RevisionStartError("ContainerReady", Code.PERMISSION_DENIED, what, reason)


def wrong_architecture(image: str, media_type: str) -> RevisionStartError:
    """https://cloud.google.com/run/docs/troubleshooting; the code is assumed"""
    what = (
        f"Cloud Run does not support image '{image}': Container manifest type '{media_type}' must support amd64/linux."
    )
    return RevisionStartError("ContainerReady", Code.INVALID_ARGUMENT, what, CommonReason.REVISION_FAILED)


def secret_denied(field: str, secret: str, account: str) -> RevisionStartError:
    """https://github.com/terraform-google-modules/terraform-docs-samples/pull/168; the code:

    https://github.com/sourcegraph/sourcegraph-public-snapshot/pull/59045
    """
    what = (
        f"{field}: Permission denied on secret: {secret} for Revision service account {account}. The service account "
        "used must be granted the 'Secret Manager Secret Accessor' role (roles/secretmanager.secretAccessor) at the "
        "secret, project or higher level."
    )
    reason = CommonReason.SECRETS_ACCESS_CHECK_FAILED
    return RevisionStartError("ResourcesAvailable", Code.INTERNAL, what, reason)


def secret_missing(field: str, secret: str) -> RevisionStartError:
    """Assumed: the form of `secret_denied`."""
    what = f"{field}: Secret {secret} was not found"
    reason = CommonReason.SECRETS_ACCESS_CHECK_FAILED
    return RevisionStartError("ResourcesAvailable", Code.INTERNAL, what, reason)


def not_ready(revision: str, what: str) -> str:
    """The message of the service for a revision. https://github.com/yp87/leaf2mqtt/issues/70"""
    return f"Revision '{revision}' is not ready and cannot serve traffic. {what}"


def act_as_denied(account: str) -> ApiError:
    """The caller may not use a service account, or there is none. https://github.com/google/keyword_factory/issues/22"""
    what = f"Permission 'iam.serviceaccounts.actAs' denied on service account {account} (or it may not exist)."
    return ApiError(Code.PERMISSION_DENIED, what, "IAM_PERMISSION_DENIED", "iam.googleapis.com")


def name_taken(revision: str) -> ApiError:
    """https://github.com/hashicorp/terraform-provider-google/issues/13410"""
    return ApiError(Code.ALREADY_EXISTS, f"Revision named '{revision}' with different configuration already exists.")


def conflict(name: str, given: str, current: str) -> ApiError:
    """Another version of the resource. The message is Knative's, the etag in it is assumed."""
    what = f"Conflict for resource '{name}': version '{given}' was specified but current version is '{current}'."
    return ApiError(Code.ABORTED, what)


def quota_violated(count: int, resource: str, metric: str, requested: int, allowed: int) -> ApiError:
    """https://github.com/googlecodelabs/feedback/issues/1856, issues/2311; the field is assumed, theirs is v1's"""
    what = (
        f"template.scaling.max_instance_count: Max instances must be set to {count} or fewer to set the requested "
        f"total {resource}.\nConsider running your workload in a region with greater capacity, or requesting an "
        "increase in quota for this region if you are seeing sustained usage near this limit, see "
        f"https://cloud.google.com/run/quotas.\n\nQuota violated:\n{metric} requested: {requested} allowed: {allowed}"
    )
    return ApiError(Code.INVALID_ARGUMENT, what)
