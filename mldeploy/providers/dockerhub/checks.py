"""What `mldeploy doctor` looks at on Docker Hub: who we are, what the token may, whose the repository is, the pulls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.image.registry.client import RegistryClient
from mldeploy.providers.capabilities import Finding, error, ok, warning
from mldeploy.providers.dockerhub.account import HubAccount, authenticate
from mldeploy.providers.dockerhub.repository_api import (
    HubRepositoryInfo,
    describe_repository,
    is_marked,
    missing_labels,
)
from mldeploy.providers.dockerhub.settings import DockerHubSettings, repository_name

SECONDS = 20.0
"""What fails is tried again by itself."""
MEASURE = "ratelimitpreview/test"
"""The repository by which anybody may ask what is left, without using any of it.

https://docs.docker.com/docker-hub/usage/pulls/
"""


def check_target(project: Project, settings: DockerHubSettings, endpoints: Endpoints) -> Iterator[Finding]:
    """Reads only."""
    try:
        name = repository_name(project, settings)
        account = authenticate(settings, endpoints)
    except MldeployError as problem:
        yield error("credentials", problem.what, problem.todo)
        return
    yield ok("credentials", f"{account.client.user}, in the namespace {account.namespace}")
    for subject, findings in (
        ("token", _check_token(account, name)),
        ("repository", _check_repository(account, name, project.app.name, settings)),
        ("pulls", _check_pulls(account)),
    ):
        try:
            yield from findings
        except MldeployError as problem:
            yield error(subject, problem.what, problem.todo)


def _check_token(account: HubAccount, name: str) -> Iterator[Finding]:
    path = f"{account.namespace}/{name}"
    actions = account.client.list_granted_actions(path)
    if "push" in actions:
        yield ok("token", f"may push to {path}")
        return
    allowed = ", ".join(sorted(actions)) or "nothing"
    yield error("token", f"the registry allows {allowed} with {path}", "Make one with Read, Write, Delete.")


def _check_repository(account: HubAccount, name: str, app: str, settings: DockerHubSettings) -> Iterator[Finding]:
    repository, path = describe_repository(account, name), f"{account.namespace}/{name}"
    if repository is None:
        kind = "private" if settings.private else "public"
        yield ok("repository", f"there is no {path} yet: `mldeploy push` makes it, {kind}")
    elif missing := missing_labels(repository.description, app):
        yield _describe_unmarked(path, repository, missing, settings)
    else:
        yield ok("repository", f"{path} is the app's, and {_visibility(repository)}")


def _describe_unmarked(
    path: str, repository: HubRepositoryInfo, missing: tuple[str, ...], settings: DockerHubSettings
) -> Finding:
    todo = "Choose another name: `repository` in [target.dockerhub]."
    if is_marked(repository.description):
        return error("repository", f"{path} is another app's ({', '.join(missing)})", todo)
    if settings.private and not repository.is_private:
        todo = "Make it private on Docker Hub, choose another one, or say private = false in [target.dockerhub]."
        return error("repository", f"{path} is there, mldeploy did not make it, and everybody sees it", todo)
    return ok(
        "repository", f"{path} is there and {_visibility(repository)}; mldeploy did not make it, uses it and leaves it"
    )


def _visibility(repository: HubRepositoryInfo) -> str:
    return "private" if repository.is_private else "public"


def _check_pulls(account: HubAccount) -> Iterator[Finding]:
    with RegistryClient(account.access()) as registry:
        headers = registry.read_headers(MEASURE, "latest")
    left, limit = (
        _parse_rate_limit(headers.get("ratelimit-remaining")),
        _parse_rate_limit(headers.get("ratelimit-limit")),
    )
    if left is None or limit is None:
        yield ok("pulls", "are not limited for this user")
        return
    text = f"{left[0]} of {limit[0]} are left, counted over {limit[1] // 3600} hours"
    if left[0]:
        yield ok("pulls", text)
    else:
        yield warning("pulls", text, "Wait; a base image that is on the engine is not pulled again.")


def _parse_rate_limit(text: str | None) -> tuple[int, int] | None:
    """`100;w=21600`: so many in so many seconds."""
    number, _, window = (text or "").partition(";w=")
    return (int(number), int(window)) if number.isdecimal() and window.isdecimal() else None


NEEDED: Mapping[str, tuple[str, ...]] = {
    "Read": ("GetRepository", "listNamespaceRepositories", "ListRepositoryTags", "RegistryToken with pull"),
    "Write": ("RegistryToken with push",),
    "Delete": ("CreateRepository", "SetRepositoryPrivacy", "DeleteRepository", "DeleteTag"),
}
"""By permission. A repository that is there and stays needs no more than the first two."""


def build_policy(app: str) -> Mapping[str, object]:
    """What makes a token, with why: the scope `repo:admin` is Read, Write, Delete together.

    https://docs.docker.com/reference/api/hub/latest/#tag/access-tokens
    """
    needed = {permission: list(operations) for permission, operations in NEEDED.items()}
    return {"token_label": f"mldeploy {app}", "scopes": ["repo:admin"], "permissions": needed}
