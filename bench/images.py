"""What an image costs: its size, its building, what an edit makes a push carry; against the tutorials' Dockerfile."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from docker import APIClient

from bench.engine import carried, fresh_base, size, tutorial_image
from bench.pairs import Pair, Spread, repeated, seconds
from bench.subject import Subject, subject
from mldeploy.config.load import load


@dataclass(frozen=True)
class Figures:
    """Bytes and seconds of one run of everything."""

    size: int
    tutorial_size: int
    base_size: int
    pushed: int
    tutorial_pushed: int
    cold_build: Pair
    unchanged_build: Spread
    unchanged_deploy: Spread
    code_edit_build: Spread
    model_edit_build: Spread
    code_edit_deploy: Spread
    code_edit_gap: Spread
    code_edit_pushed: int
    model_edit_pushed: int
    tutorial_edit_pushed: int


def measure(client: APIClient, runs: int, cold_runs: int) -> Figures:
    """Build, edit and deploy a copy of the example, and the same folder through the tutorials' Dockerfile."""
    with tempfile.TemporaryDirectory() as scratch, subject(Path(scratch)) as app:
        build = load(app.folder).build
        cold = _cold(client, app, build.base_image, build.ca_bundle, cold_runs)
        before = _image(app.mldeploy("build", "--no-check"))
        unchanged = repeated(partial(app.mldeploy, "build", "--no-check"), runs)
        code = _after(app.edit_code, partial(app.mldeploy, "build", "--no-check"), runs)
        edited = _image(app.mldeploy("build", "--no-check"))
        model = _after(app.edit_model, partial(app.mldeploy, "build", "--no-check"), runs)
        remodelled = _image(app.mldeploy("build", "--no-check"))
        app.mldeploy("deploy")
        idle = repeated(partial(app.mldeploy, "deploy"), runs)
        gaps: list[float] = []
        deploys = _after(app.edit_code, lambda: gaps.append(_gap(app.mldeploy("deploy"))), runs)
        with ExitStack() as stack:
            theirs = stack.enter_context(tutorial_image(client, app.folder, build.base_image, build.ca_bundle))
            app.edit_code()
            later = stack.enter_context(tutorial_image(client, app.folder, build.base_image, build.ca_bundle))
            return Figures(
                size=size(client, before),
                tutorial_size=size(client, theirs),
                base_size=size(client, build.base_image),
                pushed=carried(client, before),
                tutorial_pushed=carried(client, theirs),
                cold_build=cold,
                unchanged_build=unchanged,
                unchanged_deploy=idle,
                code_edit_build=code,
                model_edit_build=model,
                code_edit_deploy=deploys,
                code_edit_gap=Spread(tuple(gaps)),
                code_edit_pushed=carried(client, edited, before),
                model_edit_pushed=carried(client, remodelled, edited),
                tutorial_edit_pushed=carried(client, later, theirs),
            )


def _cold(client: APIClient, app: Subject, base: str, ca_bundle: Path | None, runs: int) -> Pair:
    """Building with nothing cached, in turn, by the same builder; every run on a base of its own."""
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(runs):
        with fresh_base(client, base) as fresh:
            ours.append(seconds(partial(app.on_base(fresh).mldeploy, "build", "--no-check", "--builder=classic")))
            theirs.append(seconds(partial(_build_tutorial, client, app.folder, fresh, ca_bundle)))
            app.mldeploy("destroy", "--yes")
    return Pair(Spread(tuple(ours)), Spread(tuple(theirs)))


def _build_tutorial(client: APIClient, folder: Path, base: str, ca_bundle: Path | None) -> None:
    with tutorial_image(client, folder, base, ca_bundle):
        pass


def _after(edit: Callable[[], None], action: Callable[[], object], runs: int) -> Spread:
    times: list[float] = []
    for _ in range(runs):
        edit()
        times.append(seconds(action))
    return Spread(tuple(times))


def _image(document: dict[str, object]) -> str:
    image = document["image"]
    return str(image["reference"]) if isinstance(image, dict) else ""


def _gap(document: dict[str, object]) -> float:
    gap = document["gap_seconds"]
    return float(gap) if isinstance(gap, (int, float)) else 0.0
