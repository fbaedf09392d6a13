"""What Google and its SDK say becomes a sentence with a remedy, and an exit code that a script can act on."""

from __future__ import annotations

import pytest
from google.api_core import exceptions as api
from google.auth import exceptions as auth

from mldeploy.core.errors import ExitCode
from mldeploy.providers.gcp.calls import is_transient
from mldeploy.providers.gcp.errors import GcpDeniedError, gcp_errors, translate_error

NEEDED = "container.clusters.create"
NOT_ENABLED = (
    "Kubernetes Engine API has not been used in project 123456 before or it is disabled. Enable it by visiting "
    "https://console.example/apis then retry."
)
PLUGIN = "Getting metadata from plugin failed with error: "

CASES = [
    (api.Unauthenticated("no"), ExitCode.ACCESS, "does not accept the credentials", "application-default login"),
    (
        auth.RefreshError("invalid_grant: Token has been expired or revoked."),
        ExitCode.ACCESS,
        "expired or revoked",
        "login",
    ),
    (auth.TransportError("cut"), ExitCode.REMOTE, "no access token can be fetched", "proxy"),
    (api.ServiceUnavailable(f"{PLUGIN}('invalid_grant: Bad', {{}})"), ExitCode.ACCESS, "invalid_grant", "login"),
    (
        api.Forbidden(NOT_ENABLED),
        ExitCode.ACCESS,
        "container.googleapis.com is not enabled in 123456",
        "gcloud services enable",
    ),
    (
        api.Forbidden("Insufficient regional quota to satisfy it"),
        ExitCode.REMOTE,
        "quota",
        "another region",
    ),
    (api.ResourceExhausted("slow down"), ExitCode.REMOTE, "throttles requests: slow down", "rate limit"),
    (api.InternalServerError("oops"), ExitCode.REMOTE, "oops", "Run the command again"),
    (api.ServiceUnavailable("gone"), ExitCode.REMOTE, "does not answer: gone", "network"),
    (api.InvalidArgument("Bad name."), ExitCode.REMOTE, "Bad name", ""),
    (api.RetryError("timed out", cause=api.ServiceUnavailable("still gone")), ExitCode.REMOTE, "still gone", "resumes"),
]


@pytest.mark.parametrize(("error", "code", "what", "todo"), CASES, ids=[type(each[0]).__name__ for each in CASES])
def test_each_has_its_code_and_its_remedy(error: Exception, code: ExitCode, what: str, todo: str) -> None:
    translated = translate_error("cluster x", NEEDED, error)
    assert translated.exit_code is code
    assert translated.where == "cluster x"
    assert what in translated.what
    assert todo in translated.todo


@pytest.mark.parametrize(
    ("message", "permission", "resource"),
    [
        ('Required "container.clusters.get" permission(s) for "projects/p".', "container.clusters.get", "projects/p"),
        (
            "Permission 'artifactregistry.repositories.get' denied on resource '//artifactregistry.googleapis.com/x'.",
            "artifactregistry.repositories.get",
            "//artifactregistry.googleapis.com/x",
        ),
        ("No.", NEEDED, ""),
    ],
)
def test_a_missing_permission_is_named_as_google_names_it_or_else_as_the_call_needs_it(
    message: str, permission: str, resource: str
) -> None:
    with pytest.raises(GcpDeniedError) as caught, gcp_errors("cluster x", NEEDED):
        raise api.PermissionDenied(message)
    assert caught.value.permission == permission
    assert resource in caught.value.what
    assert isinstance(caught.value.__cause__, api.PermissionDenied)


def test_a_quota_project_that_may_not_be_used_is_no_unknown_project() -> None:
    """The words of google-github-actions/auth#250."""
    message = (
        "Caller does not have required permission to use project xxx-yyy. Grant the caller the "
        "roles/serviceusage.serviceUsageConsumer role, or a custom role with the serviceusage.services.use permission."
    )
    translated = translate_error("cluster x", NEEDED, api.PermissionDenied(message))
    assert isinstance(translated, GcpDeniedError)
    assert translated.permission == "serviceusage.services.use"
    assert "on the quota project xxx-yyy" in translated.what
    assert "roles/serviceusage.serviceUsageConsumer" in translated.todo
    assert "set-quota-project" in translated.todo


def test_only_what_may_pass_is_tried_again() -> None:
    assert is_transient(api.ServiceUnavailable("gone"))
    assert is_transient(api.ResourceExhausted("slow down"))
    assert is_transient(api.ServiceUnavailable(f"{PLUGIN}HTTPSConnectionPool: connection refused"))
    assert not is_transient(api.ServiceUnavailable(f"{PLUGIN}('invalid_grant: Bad', {{}})"))
    assert not is_transient(api.PermissionDenied("no"))
    assert not is_transient(api.AlreadyExists("there"))
