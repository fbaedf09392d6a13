"""The image of `runtime = "minimal"`: of all that made the model it has NumPy, in the version of the proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from packaging.version import Version

from mldeploy.check.inspection import Distribution
from mldeploy.config.settings import Project

KEPT = ("numpy", "orjson")
"""What a plan is computed with, and what the server uses where it is installed."""


def has_plans(project: Project) -> bool:
    """Whether the image has plans instead of its models."""
    return any(each.plan for each in project.served)


def with_minimal_build(project: Project, installed: Sequence[Distribution]) -> Project:
    """Return the project with the requirements of its plans. installed: in the image that the models were proved in."""
    pinned = sorted(f"{each.name}=={Version(each.version).public}" for each in installed if each.name.lower() in KEPT)
    text = "\n".join(["# By mldeploy, for the plans of the models.", *pinned, ""])
    build = replace(
        project.build, requirements="requirements.txt", requirements_text=text, lock=None, system_packages=()
    )
    return replace(project, build=build)
