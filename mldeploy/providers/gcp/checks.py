"""What `mldeploy doctor` looks at on Google Cloud: whose project it is, which APIs are enabled, what is in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from mldeploy.core.errors import MldeployError
from mldeploy.core.events import ignore
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Resource
from mldeploy.providers.checks import Finding, Fix, error, ok, warning
from mldeploy.providers.gcp.account import Account
from mldeploy.providers.gcp.apis import Apis
from mldeploy.providers.gcp.cloud import GcpCloud
from mldeploy.providers.gcp.granted import missing
from mldeploy.providers.gcp.labels import foreign
from mldeploy.providers.gcp.repositories import describe

C = TypeVar("C", bound=GcpCloud)

SECONDS = 30.0
"""A region may be far away, and a call is tried again by itself."""


def target(
    connect: Callable[[], C], services: Sequence[str], needed: Sequence[str], more: Callable[[C], Iterator[Finding]]
) -> Iterator[Finding]:
    """What the doctor is told of a target. Reads only. services, needed: its APIs and permissions. more: its own."""
    try:
        cloud = connect()
    except MldeployError as problem:
        yield error("credentials", problem.what, problem.todo)
        return
    yield from account(cloud.account, services)
    yield from permissions(cloud.account, needed)
    yield from repository(cloud)
    yield from more(cloud)


def account(entered: Account, services: Sequence[str]) -> Iterator[Finding]:
    """Who we are, and whether the project exists and has what is called. Reads only."""
    yield ok("credentials", f"{entered.identity.user} in {entered.project}, {entered.location}")
    try:
        yield from _apis(entered, Apis(entered), services)
    except MldeployError as problem:
        yield error("project", problem.what, problem.todo)


def _apis(entered: Account, apis: Apis, services: Sequence[str]) -> Iterator[Finding]:
    missing = apis.disabled(services)
    yield ok("project", f"{entered.project} exists, and lets us in")
    if not missing:
        yield ok("APIs", f"{', '.join(services)}: enabled")
        return
    names = " ".join(missing)
    fix = Fix(f"enable {names}", lambda: apis.enable(missing, _nobody()))
    todo = f"Enable them: `gcloud services enable {names} --project {entered.project}`, or --fix."
    yield error("APIs", f"not enabled: {', '.join(missing)}", todo, fix)


def permissions(entered: Account, needed: Sequence[str]) -> Iterator[Finding]:
    """Whether the credentials have them in the project; what is granted on a single thing is not seen there."""
    try:
        lacking = missing(entered, needed)
    except MldeployError as problem:
        yield warning("permissions", f"cannot be asked for: {problem.what}", problem.todo)
        return
    if lacking:
        todo = "Have a role granted that has them: `mldeploy policy` prints one."
        yield warning("permissions", f"missing in {entered.project}: {', '.join(lacking)}", todo)
    else:
        yield ok("permissions", f"all {len(needed)} that are needed")


def repository(cloud: GcpCloud) -> Iterator[Finding]:
    """Whether the repository is there, and whose it is. Reads only."""
    try:
        yield _repository(cloud)
    except MldeployError as problem:
        yield error("repository", problem.what, problem.todo)


def _repository(cloud: GcpCloud) -> Finding:
    name, found = cloud.repository, describe(cloud, cloud.repository)
    if found is None:
        return ok("repository", f"there is no {name} yet: `mldeploy push` makes it")
    if not found.is_docker:
        todo = "Choose another name (`repository` in the target's table)."
        return error("repository", f"{name} is there, and cannot take images", todo)
    missing = foreign(found.labels, cloud.app, cloud.target)
    if missing and cloud.target == "gar":
        todo = "Choose another name (`repository` in the target's table), or hand it over by setting these labels."
        return error("repository", f"{name} is there, and mldeploy did not make it ({', '.join(missing)})", todo)
    return ok("repository", f"{name} is the project's, and is used" if missing else f"{name} is the app's")


def _nobody() -> Monitor:
    """A fix of the doctor's is no step: nobody listens."""
    return Monitor(Resource("project", Key("apis")), ignore, Cancel())
