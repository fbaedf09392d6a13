"""Two versions of an app side by side: which targets can run them, how they stand, and the rows to compare by."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mldeploy.app.sample_request import SampleRequest
from mldeploy.cli.commands.predict_input import PredictInput, read_request
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.providers import registry
from mldeploy.providers.errors import AbsentError, canary_stands, without_canary
from mldeploy.providers.traffic import CanSplitTraffic, Traffic, TrafficSplit

if TYPE_CHECKING:
    from mldeploy.cli.deployment import AppDeployment
    from mldeploy.config.target import TargetSettings
    from mldeploy.providers.registry import AnyProvider


def as_splitting(provider: AnyProvider) -> CanSplitTraffic[object, TargetSettings]:
    """Return the provider as one that runs two versions. Raises WrongTargetError, which names those that can."""
    if not isinstance(provider, CanSplitTraffic):
        raise without_canary(provider.name, list_splitting())
    return provider


@functools.cache
def list_splitting() -> Sequence[str]:
    """The names of the targets that run two versions side by side, without those that cannot be loaded here."""
    able = []
    for name in registry.names():
        with suppress(MldeployError, ImportError):
            if isinstance(registry.find(name), CanSplitTraffic):
                able.append(name)
    return able


def open_traffic(deployment: AppDeployment) -> Traffic:
    """Return the requests of the running app. Raises WrongTargetError."""
    return as_splitting(deployment.provider).traffic(deployment.cloud, deployment.project, deployment.settings)


def read_split(deployment: AppDeployment) -> TrafficSplit | None:
    """Return how the requests are divided; None without a canary, and on a target that has none."""
    if not isinstance(deployment.provider, CanSplitTraffic):
        return None
    try:
        return open_traffic(deployment).split()
    except AbsentError:  # nothing is deployed
        return None


def refuse_canary(deployment: AppDeployment) -> None:
    """Raises RefusedError while a canary stands."""
    split = read_split(deployment)
    if split:
        raise canary_stands(deployment.app, split.candidate.revision, split.percent)


def read_sample(project: Project, sample: str | None) -> tuple[SampleRequest, ...]:
    """Return a request for each row to compare two versions by.

    The rows of the CSV file `sample`, else of the first model's sample, else the golden row; none without any. Raises
    UsageError, ProjectError.
    """
    model = next((each for each in project.served if each.sample), None)
    if sample is not None:
        return _from_rows(project, sample)
    if model is not None and model.sample:
        return _from_rows(project, str(project.app.folder / model.sample), frozenset(c.name for c in model.columns))
    if project.check.golden is None:
        return ()
    request = read_request(PredictInput(), project)
    return (SampleRequest(1, request.path, request.body),)


def _from_rows(project: Project, name: str, model_columns: frozenset[str] = frozenset()) -> tuple[SampleRequest, ...]:
    """One request a row, so that a rejected row hides no other. model_columns: those of the model, if known."""
    request = read_request(PredictInput(csv=str(Path(name))), project)
    if request.rows is not None:
        return tuple(SampleRequest(number, request.path, row) for number, row in enumerate(request.rows, start=1))
    body = request.body
    assert isinstance(body, dict)  # noqa: S101 - the form of a table
    columns, data = body["columns"], body["data"]
    assert isinstance(columns, list)  # noqa: S101
    assert isinstance(data, list)  # noqa: S101
    kept = [at for at, column in enumerate(columns) if not model_columns or column in model_columns]
    names = [columns[at] for at in kept]
    return tuple(
        SampleRequest(number, request.path, {"columns": names, "data": [[row[at] for at in kept]]})
        for number, row in enumerate(data, start=1)
        if isinstance(row, list)
    )
