"""Describe the models of a project that has no app, before its image is built or deployed."""

from __future__ import annotations

import time
from dataclasses import replace

from mldeploy.check.minimal_image import has_plans, with_minimal_build
from mldeploy.check.model_cache import golden_file, recall_models, remember_models
from mldeploy.check.model_inspection import InspectedModels, inspect_models
from mldeploy.cli.run import CommandRun
from mldeploy.cli.workspace import Workspace
from mldeploy.config.settings import Project
from mldeploy.core import verbs
from mldeploy.core.events import Action, Failed, Finished, Started
from mldeploy.core.journal import Session
from mldeploy.core.monitor import CancelledError
from mldeploy.core.step import Key, Resource
from mldeploy.core.verbs.deploy import interrupted
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.steps import BuiltImage
from mldeploy.image.types import Image

TITLE = "Inspect the model"
KIND = "model-inspection"


def with_inspection(project: Project, inspected: InspectedModels) -> Project:
    """Return the project with its models described, and with a golden row if it has none."""
    golden = project.check.golden or golden_file(inspected)
    described = replace(inspected.complete(project), check=replace(project.check, golden=golden))
    return with_minimal_build(described, inspected.distributions) if has_plans(described) else described


def recall_description(project: Project) -> Project:
    """Return the project with its models described if they have been inspected before."""
    inspected = recall_models(project)
    return with_inspection(project, inspected) if inspected else project


def describe_project(run: CommandRun, workspace: Workspace[EngineCloud]) -> InspectedModels:
    """Inspect the models in a container of their image, which is built first; or return the cached inspection.

    Raises ProjectError for a model that does not load, and the errors of a build.
    """
    project = workspace.project
    inspected = recall_models(project)
    if inspected is None:
        with workspace.locked(run) as work:
            image = verbs.deploy(BuiltImage.of(project), work).out
            inspected = _inspect(project, image, work)
        remember_models(project, inspected)
    return inspected


def _inspect(project: Project, image: Image, work: Session[EngineCloud]) -> InspectedModels:
    """Inspect the models as a step that the user sees."""
    resource = Resource(KIND, Key(project.app.name))
    start = time.monotonic()
    work.events(Started(resource, TITLE))
    try:
        inspected = inspect_models(work.cloud.engine, project, image, work.monitor(resource))
    except CancelledError as error:
        raise interrupted() from error
    except Exception as error:
        work.events(Failed(resource, TITLE, error, time.monotonic() - start))
        raise
    work.events(Finished(resource, TITLE, Action.CREATED, time.monotonic() - start, ()))
    return inspected
