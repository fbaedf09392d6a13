"""Checks of `mldeploy doctor` for the target `cloudrun`: the service, its account, its secrets and public access."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from mldeploy.core.errors import MldeployError
from mldeploy.providers.capabilities import Finding, error, ok, warning
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.identity_token import fetch_identity_token
from mldeploy.providers.gcp.cloudrun.secret_access import secret_exists
from mldeploy.providers.gcp.cloudrun.service_account import account_id, find_description, owner_text
from mldeploy.providers.gcp.cloudrun.services import RunServiceInfo, describe_service
from mldeploy.providers.gcp.cloudrun.settings import TABLE, CloudRunSettings


def check_cloudrun(cloud: CloudRunCloud, settings: CloudRunSettings) -> Iterator[Finding]:
    """Read-only."""
    yield from _collect("service", lambda: _check_service(cloud))
    if not settings.service_account:
        yield from _collect("service account", lambda: _check_account(cloud))
    yield from _collect("identity token", lambda: _check_token(cloud))
    for secret in dict.fromkeys(reference.partition(":")[0] for reference in settings.secrets.values()):
        yield from _collect("secrets", partial(_check_secret, cloud, secret))


def _check_service(cloud: CloudRunCloud) -> Iterator[Finding]:
    service, region = describe_service(cloud), cloud.account.region
    if service is None:
        yield ok("service", f"{cloud.app} does not exist in {region} yet: `mldeploy deploy` creates it")
    elif service.missing_labels:
        todo = "Rename the app, or set these labels to let mldeploy manage it."
        what = f"{cloud.app} exists, but mldeploy did not create it ({', '.join(service.missing_labels)})"
        yield error("service", what, todo)
    else:
        yield _service_finding(service)


def _service_finding(service: RunServiceInfo) -> Finding:
    if service.complaint:
        todo = "The revision that serves is not affected. `mldeploy deploy` tries again."
        return warning("service", f"its newest revision is not ready: {service.complaint}", todo)
    return ok("service", f"{service.serving or 'no revision'} serves at {service.uri}")


def _check_account(cloud: CloudRunCloud) -> Iterator[Finding]:
    name = account_id(cloud.app)
    description = find_description(cloud.account, name)
    if description is None:
        yield ok("service account", f"{name} does not exist yet: `mldeploy deploy` creates it")
    elif description == owner_text(cloud.app):
        yield ok("service account", f"{name} is the app's")
    else:
        todo = f"Set `service_account` in [{TABLE}] to use it, or rename the app."
        yield error("service account", f"{name} exists, but mldeploy did not create it", todo)


def _check_token(cloud: CloudRunCloud) -> Iterator[Finding]:
    """The new version is asked while nobody else may: that needs an identity token."""
    fetch_identity_token(cloud.account.identity, f"https://{cloud.app}.run.app")
    yield ok("identity token", "the credentials give one: a new version can be asked before it is public")


def _check_secret(cloud: CloudRunCloud, secret: str) -> Iterator[Finding]:
    if secret_exists(cloud, secret):
        yield ok("secrets", f"{secret} exists")
    else:
        todo = f"Create it (`gcloud secrets create {secret.rpartition('/')[2]} --data-file=-`), or correct `secrets`."
        yield error("secrets", f"{secret} does not exist", todo)


def _collect(subject: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings, or the error that ended the check."""
    try:
        yield from look()
    except MldeployError as problem:
        yield error(subject, problem.what, problem.todo)
