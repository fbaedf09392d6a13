"""Who may send requests to the service: everybody, or callers with roles/run.invoker and an identity token.

https://cloud.google.com/run/docs/authenticating/public
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from mldeploy.core.errors import DeniedError, ExitCode, MldeployError
from mldeploy.core.monitor import Monitor
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.iam_policies import ResourcePolicyEditor
from mldeploy.providers.gcp.cloudrun.settings import TABLE
from mldeploy.providers.gcp.errors import GcpError

INVOKER = "roles/run.invoker"
EVERYBODY = "allUsers"
_FORBIDDEN = re.compile(r"(?i)do not belong to a permitted customer|allowedPolicyMemberDomains|organization policy")
"""https://cloud.google.com/resource-manager/docs/organization-policy/domain-restricted-sharing"""


class PublicAccessError(MldeployError):
    """A policy of the organization forbids public services."""

    code = ExitCode.ACCESS


def is_public(cloud: CloudRunCloud) -> bool:
    """Whether everybody may send requests. Raises DeniedError, GcpError."""
    return _policy(cloud).has(INVOKER, EVERYBODY)


def set_public(cloud: CloudRunCloud, monitor: Monitor, *, public: bool) -> None:
    """Let everybody send requests, or only those who have the role. May be repeated.

    Raises PublicAccessError if a policy of the organization forbids it, DeniedError, GcpError.
    """
    with _explain_policy(cloud):
        if public:
            _policy(cloud).grant(INVOKER, EVERYBODY, monitor)
        else:
            _policy(cloud).revoke(INVOKER, EVERYBODY, monitor)


@contextmanager
def _explain_policy(cloud: CloudRunCloud) -> Iterator[None]:
    try:
        yield
    except (GcpError, DeniedError) as error:
        if not _FORBIDDEN.search(error.what):
            raise
        what = f"a policy of the organization (iam.allowedPolicyMemberDomains) forbids public access: {error.what}"
        todo = (
            f"The version runs and has passed its check. Set `public = false` in [{TABLE}] and deploy again: callers "
            f"then need {INVOKER} and an identity token, which `mldeploy predict` sends. Or let an administrator of "
            "the organization allow public services in this project."
        )
        raise PublicAccessError(f"service {cloud.app}", what, todo) from error


def _policy(cloud: CloudRunCloud) -> ResourcePolicyEditor:
    return ResourcePolicyEditor(
        cloud.services, cloud.account.identity, cloud.service_path, f"service {cloud.app}", "run.services"
    )
