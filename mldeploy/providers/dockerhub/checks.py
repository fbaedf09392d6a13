"""What `mldeploy doctor` looks at on Docker Hub: who we are, what the token may, whose the repository is, the pulls."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.image.registry.client import Registry
from mldeploy.providers.checks import Finding, error, ok, warning
from mldeploy.providers.dockerhub.account import Account, enter
from mldeploy.providers.dockerhub.marker import foreign, is_marked
from mldeploy.providers.dockerhub.repositories import Described, describe
from mldeploy.providers.dockerhub.settings import DockerHubSettings, repository_name

SECONDS = 20.0
"""What fails is tried again by itself."""
MEASURE = "ratelimitpreview/test"
"""The repository by which anybody may ask what is left, without using any of it.

https://docs.docker.com/docker-hub/usage/pulls/
"""


def look(project: Project, settings: DockerHubSettings, endpoints: Endpoints) -> Iterator[Finding]:
    """Reads only."""
    try:
        name = repository_name(project, settings)
        account = enter(settings, endpoints)
    except MldeployError as problem:
        yield error("credentials", problem.what, problem.todo)
        return
    yield ok("credentials", f"{account.hub.user}, in the namespace {account.namespace}")
    for subject, found in (
        ("token", _token(account, name)),
        ("repository", _repository(account, name, project.app.name, settings)),
        ("pulls", _pulls(account)),
    ):
        try:
            yield from found
        except MldeployError as problem:
            yield error(subject, problem.what, problem.todo)


def _token(account: Account, name: str) -> Iterator[Finding]:
    path = f"{account.namespace}/{name}"
    granted = account.hub.granted(path)
    if "push" in granted:
        yield ok("token", f"may push to {path}")
        return
    allowed = ", ".join(sorted(granted)) or "nothing"
    yield error("token", f"the registry allows {allowed} with {path}", "Make one with Read, Write, Delete.")


def _repository(account: Account, name: str, app: str, settings: DockerHubSettings) -> Iterator[Finding]:
    found, path = describe(account, name), f"{account.namespace}/{name}"
    if found is None:
        kind = "private" if settings.private else "public"
        yield ok("repository", f"there is no {path} yet: `mldeploy push` makes it, {kind}")
    elif missing := foreign(found.description, app):
        yield _others(path, found, missing, settings)
    else:
        yield ok("repository", f"{path} is the app's, and {_kind(found)}")


def _others(path: str, found: Described, missing: tuple[str, ...], settings: DockerHubSettings) -> Finding:
    todo = "Choose another name: `repository` in [target.dockerhub]."
    if is_marked(found.description):
        return error("repository", f"{path} is another app's ({', '.join(missing)})", todo)
    if settings.private and not found.is_private:
        todo = "Make it private on Docker Hub, choose another one, or say private = false in [target.dockerhub]."
        return error("repository", f"{path} is there, mldeploy did not make it, and everybody sees it", todo)
    return ok("repository", f"{path} is there and {_kind(found)}; mldeploy did not make it, uses it and leaves it")


def _kind(found: Described) -> str:
    return "private" if found.is_private else "public"


def _pulls(account: Account) -> Iterator[Finding]:
    with Registry(account.access()) as registry:
        told = registry.told(MEASURE, "latest")
    left, limit = _count(told.get("ratelimit-remaining")), _count(told.get("ratelimit-limit"))
    if left is None or limit is None:
        yield ok("pulls", "are not limited for this user")
        return
    said = f"{left[0]} of {limit[0]} are left, counted over {limit[1] // 3600} hours"
    if left[0]:
        yield ok("pulls", said)
    else:
        yield warning("pulls", said, "Wait; a base image that is on the engine is not pulled again.")


def _count(text: str | None) -> tuple[int, int] | None:
    """`100;w=21600`: so many in so many seconds."""
    number, _, window = (text or "").partition(";w=")
    return (int(number), int(window)) if number.isdecimal() and window.isdecimal() else None
