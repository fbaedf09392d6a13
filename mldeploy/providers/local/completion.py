"""The apps, instances and releases on the Docker Engine of this machine."""

from __future__ import annotations

from collections.abc import Iterable

from mldeploy.app.containers import Containers, list_deployed
from mldeploy.config.load import named, target_settings
from mldeploy.image.engine import Engine, configured_endpoint
from mldeploy.image.labels import LOCAL
from mldeploy.providers.completion import CompletedOption, CompletionRequest, CompletionValue
from mldeploy.providers.local.service import LocalService
from mldeploy.providers.local.settings import LocalSettings

SECONDS = 2.0
"""For each answer of the engine."""


def complete(request: CompletionRequest) -> Iterable[CompletionValue]:
    """`mldeploy.providers.completion.CompletionSource`. An engine over SSH could ask for a password: it is not used."""
    if configured_endpoint().startswith("ssh://"):
        return ()
    engine = Engine.connect(SECONDS)
    if request.option is CompletedOption.APP:
        return _apps(engine)
    if not request.app:
        return ()
    if request.option is CompletedOption.INSTANCE:
        return _instances(engine, request.app)
    return _releases(engine, request.app) if request.option is CompletedOption.RELEASE else ()


def _apps(engine: Engine) -> Iterable[CompletionValue]:
    return [CompletionValue(name, "on this machine") for name in list_deployed(engine)]


def _instances(engine: Engine, app: str) -> Iterable[CompletionValue]:
    containers = Containers(engine, app)
    running = [each for each in containers.all() if each.running and each.name != containers.candidate]
    return [CompletionValue(each.name, each.spec.image) for each in running]


def _releases(engine: Engine, app: str) -> Iterable[CompletionValue]:
    project = named(app, CompletedOption.APP)
    settings = target_settings(project.app.folder, LOCAL, LocalSettings)
    releases = LocalService(engine, project, settings).releases()
    return [CompletionValue(each.revision, f"{each.state}, {each.created}") for each in releases]
