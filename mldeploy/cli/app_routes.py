"""The app's own routes: they correct settings that are not configured, and were guessed from the source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

from mldeploy.check.route_step import ListedRoutes, recall_latest, starts_itself
from mldeploy.check.served_routes import ServedRoutes, apply_corrections, find_corrections
from mldeploy.cli.run import CommandRun
from mldeploy.cli.workspace import Workspace
from mldeploy.config.override import Overrides
from mldeploy.config.settings import Project
from mldeploy.core import verbs
from mldeploy.core.events import Action
from mldeploy.core.graph import steps_of
from mldeploy.core.journal import Session
from mldeploy.core.monitor import Cancel
from mldeploy.core.step import AnyCloudT, Step
from mldeploy.core.verbs import Deployed, Done
from mldeploy.image.steps import BuiltImage
from mldeploy.project.completion import CompletedConfig

WorkspaceT = TypeVar("WorkspaceT", bound=Workspace[Any])
GUESSED = frozenset({"health", "health_by", "predict"})
"""Keys of [app] that the app's own routes decide."""
ASKED = frozenset({"health", "port"})
"""Keys of [app] that an app with its own server is asked for, if nothing is configured and no file says them."""


def settle_routes(
    run: CommandRun, workspace: WorkspaceT, goal: Step[AnyCloudT, object], work: Session[AnyCloudT]
) -> tuple[WorkspaceT, tuple[Done, ...]]:
    """Build the image, list its routes, and return the workspace with the corrected project, and the finished steps.

    Does nothing if all of it is configured; an app with its own server is asked only for what is a guess. The routes of
    an image are listed once.
    Raises what `verbs.deploy` raises.
    """
    image = _image_step(workspace, goal)
    if image is None:
        return workspace, ()
    done = list_routes(image, work)
    return _correct(run, workspace, done.out), done.steps


def start_of(project: Project) -> tuple[object, ...]:
    """What decides which app the image of a project serves."""
    app = project.app
    return (app.command, app.chdir, project.build.dockerfile, "" if starts_itself(project) else app.entry)


def list_routes(image: BuiltImage, work: Session[AnyCloudT]) -> Deployed[ServedRoutes]:
    """Build the image and list its routes. Raises what `verbs.deploy` raises."""
    step = cast("Step[AnyCloudT, ServedRoutes]", ListedRoutes(image))  # its cloud has an engine, as the image's
    return verbs.deploy(step, work)


def recall_settled(
    run: CommandRun, workspace: WorkspaceT, goal: Step[AnyCloudT, object], cloud: AnyCloudT, cancel: Cancel
) -> WorkspaceT:
    """The same for a command that changes nothing: without the image, it reports that the routes are not known yet."""
    image = _image_step(workspace, goal)
    if image is None:
        return workspace
    step = cast("Step[AnyCloudT, ServedRoutes]", ListedRoutes(image))
    views = verbs.look(step, cloud, cancel)
    seen = next((view.seen for view in views if isinstance(view.step, ListedRoutes)), None)
    if seen is not None and isinstance(seen.out, ServedRoutes):
        return _correct(run, workspace, seen.out)
    keys = sorted(_guessed(workspace) - {"health_by"})
    if keys:
        run.output.info(f"{' and '.join(keys)}: known after the build, from the app's own routes.")
    return workspace


def recall_corrected(folder: Path, overrides: Overrides = ()) -> Project:
    """The settings of an existing deployment, with what the app's latest image corrected of the guessed ones.

    Raises ConfigError, or ProjectError if the folder cannot be read.
    """
    completion = CompletedConfig(folder, overrides)
    project = completion.project()
    routes = recall_latest(project)
    if routes is None or (starts_itself(project) and completion.written):
        return project
    guessed = (
        ASKED if starts_itself(project) else GUESSED & {each.key.removeprefix("app.") for each in completion.assumed()}
    )
    return apply_corrections(project, find_corrections(project.app, routes, guessed))


def recall_latest_routes(workspace: WorkspaceT) -> WorkspaceT:
    """The workspace with what the app's latest image corrected. Reports nothing, and reads no image."""
    project = workspace.project
    routes = recall_latest(project)
    if routes is None:
        return workspace
    corrections = find_corrections(project.app, routes, _guessed(workspace))
    return replace(workspace, project=apply_corrections(project, corrections))


def merge_steps(first: tuple[Done, ...], second: tuple[Done, ...]) -> tuple[Done, ...]:
    """The steps of two walks over the same image: what the first one made is not reported as unchanged."""
    made = {each.resource: each for each in first if each.action is not Action.UNCHANGED}
    merged = tuple(made.get(each.resource, each) if each.action is Action.UNCHANGED else each for each in second)
    return (*(each for each in first if each.resource.kind == ListedRoutes.kind), *merged)


def _image_step(workspace: Workspace[Any], goal: Step[AnyCloudT, object]) -> BuiltImage | None:
    """The step that builds the image, if its app's routes are to be listed."""
    if not _guessed(workspace):
        return None
    return next((step for step in steps_of(goal) if isinstance(step, BuiltImage)), None)


def _guessed(workspace: Workspace[Any]) -> frozenset[str]:
    """The keys of [app] that the app in the image decides."""
    assumed = {each.key.removeprefix("app."): each for each in workspace.assumed}
    if not starts_itself(workspace.project):
        return GUESSED & assumed.keys()
    if workspace.project.served or workspace.written:  # a start more for each image is for a folder as it came
        return frozenset()
    return ASKED - {key for key, each in assumed.items() if not each.guess}


def _correct(run: CommandRun, workspace: WorkspaceT, routes: ServedRoutes) -> WorkspaceT:
    corrections = tuple(find_corrections(workspace.project.app, routes, _guessed(workspace)))
    for each in corrections:
        run.output.info(f"{each}.") if not each.fixed else run.output.warn(f"{each}.")
    values = {f"app.{each.key}": each.value for each in corrections if not each.fixed}
    assumed = tuple(
        replace(each, value=values[each.key], why="the app's own routes", guess=False) if each.key in values else each
        for each in workspace.assumed
    )
    return replace(workspace, project=apply_corrections(workspace.project, corrections), assumed=assumed)
