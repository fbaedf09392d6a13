"""What `mldeploy promote` works on: the image that one environment runs, and the graph of the other one with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from mldeploy.cli.deployment import AppDeployment, as_runtime
from mldeploy.cli.open_deployment import open_for_requests, prepare_deployment
from mldeploy.cli.run import CommandRun
from mldeploy.config.settings import App, Build, Project
from mldeploy.config.text import listed
from mldeploy.core.errors import RefusedError
from mldeploy.core.step import Step
from mldeploy.image.build_inputs import collect_build_inputs
from mldeploy.image.promotion import ImageSource
from mldeploy.project.load import load_project
from mldeploy.providers.base import Address, Release
from mldeploy.providers.capabilities import Registry
from mldeploy.providers.errors import AbsentError

_ROUTES = ("health", "health_by", "predict", "image_health", "port", "image_port")
"""Keys of [app] that an image's own routes may have corrected."""


@dataclass(frozen=True)
class Promotion:
    """Two deployments of an app. release: what the source serves. deployment: the destination."""

    source: AppDeployment
    release: Release
    deployment: AppDeployment

    def goal(self) -> Step[object, Address]:
        """Return the destination's last step, on the source's image."""
        return replace(self.deployment, image=self._image_source()).require_goal()

    def _image_source(self) -> ImageSource:
        """Raises RefusedError for an image that is not named by its digest."""
        provider = self.source.provider
        if not isinstance(provider, Registry):
            return ImageSource(self.release.image)
        if "@sha256:" not in self.release.image:
            what = f"{self.source.environment} runs {self.release.image}, which is not named by its digest"
            raise RefusedError("mldeploy promote", what, "Deploy the source environment again.")
        return ImageSource(self.release.image, lambda: self.source.login().registry)


def open_promotion(run: CommandRun, source: str, to: str, target: str) -> Promotion:
    """Open both deployments of a promotion on one target. Reads; changes nothing.

    Raises RefusedError if the two environments build different images, AbsentError if the source does not serve.
    """
    source_run, to_run = replace(run, environment=source), replace(run, environment=to)
    _require_same_image(source_run, to_run)
    opened = open_for_requests(source_run, target)
    deployment = prepare_deployment(to_run, target, require=as_runtime, verbose=False, may_build=False)
    release = next((each for each in opened.service.releases() if each.state == "serving"), None)
    if release is None:
        what = f"the environment {source} does not serve on the target {target}"
        raise AbsentError(opened.app, what, f"Run `{source_run.commands(target)('deploy')}`.")
    routes = {key: getattr(opened.project.app, key) for key in _ROUTES}
    project = replace(deployment.project, app=replace(deployment.project.app, **routes), served=opened.project.served)
    return Promotion(opened, release, replace(deployment, project=project))


def _require_same_image(source: CommandRun, to: CommandRun) -> None:
    """Raise RefusedError if the tables of the two environments make different images of the same folder."""
    first, second = (load_project(run.folder, run.selection).project for run in (source, to))
    if _image_inputs(first) == _image_inputs(second):
        return
    keys = list(_list_differences(first, second)) or ["[model]"]
    what = f"{source.environment} and {to.environment} build different images: they differ in {listed(keys)}"
    todo = "Move these keys out of [env.NAME], or deploy with --env instead."
    if "app.cpus" in keys:
        todo += " app.cpus decides the number of workers in the image, unless app.workers is set."
    raise RefusedError("mldeploy promote", what, todo)


def _image_inputs(project: Project) -> tuple[object, ...]:
    """Return what decides the image, without the contents of files: both environments have the same folder."""
    app = replace(project.app, name="app", environment=None, env_file=project.app.env_file)
    inputs = collect_build_inputs(replace(project, app=app))
    recipe = inputs.recipe.digest() if inputs.recipe else inputs.dockerfile
    members = tuple((each.path, getattr(each, "content", b""), getattr(each, "stamp", ())) for each in inputs.members)
    return recipe, members, project.build.base_image, project.build.platform, project.build.args


def _list_differences(first: Project, second: Project) -> Iterator[str]:
    """Yield the keys that would change the image of the first project if they had the values of the second one."""
    tables: tuple[tuple[str, App | Build, App | Build], ...] = (
        ("app", first.app, second.app),
        ("build", first.build, second.build),
    )
    for table, ours, theirs in tables:
        for field in fields(ours):
            value: Any = getattr(theirs, field.name)
            if field.name not in ("name", "environment") and value != getattr(ours, field.name):
                changed: Any = replace(ours, **{field.name: value})
                if _image_inputs(replace(first, **{table: changed})) != _image_inputs(first):
                    yield f"{table}.{field.name}"
