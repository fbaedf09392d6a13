"""What `mldeploy doctor` looks at on AWS: whose account it is, whether its registry lets us in, what is in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.providers.aws.account import AwsAccount, authenticate
from mldeploy.providers.aws.repository import TARGET, describe_repository, fetch_registry_access
from mldeploy.providers.aws.settings import AwsSettings
from mldeploy.providers.aws.tags import missing_tags
from mldeploy.providers.capabilities import Finding, error, ok

SECONDS = 20.0
"""A region may be far away, and the SDK tries again by itself."""


def check_account(
    target: str,
    project: Project,
    settings: AwsSettings,
    endpoints: Endpoints,
    extra: Callable[[AwsAccount], Iterable[Finding]] = lambda _: (),
) -> Iterator[Finding]:
    """The account and its registry, as every target on AWS needs them. Reads only. extra: what one needs besides."""
    try:
        account = authenticate(f"target.{target}", settings, endpoints)
    except MldeployError as problem:
        yield error("credentials", problem.what, problem.todo)
        return
    yield ok("credentials", f"{account.user} in {account.region}")
    try:
        yield from _check_registry(account, project.app.name, settings.repository or project.app.name)
    except MldeployError as problem:
        yield error("registry", problem.what, problem.todo)
    yield from extra(account)


def _check_registry(account: AwsAccount, app: str, path: str) -> Iterator[Finding]:
    ecr = account.session.client("ecr", **account.options)
    yield ok("registry", f"{fetch_registry_access(ecr).address} lets us in")
    repository = describe_repository(ecr, path)
    if repository is None:
        yield ok("repository", f"there is no {path} yet: `mldeploy push` makes it")
    elif missing := missing_tags(repository.tags, app, TARGET):
        todo = "Choose another name (`repository` in the target's table), or hand it over by setting these tags."
        yield error("repository", f"{path} is there, and mldeploy did not make it ({', '.join(missing)})", todo)
    else:
        yield ok("repository", f"{path} is the app's")
