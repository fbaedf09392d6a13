"""The models of a folder whose app is known: nothing else of it is looked at."""

from __future__ import annotations

from pathlib import Path

from mldeploy.project.detect.model_names import may_hold_models
from mldeploy.project.detect.source import Sources
from mldeploy.project.detect.tree import scan
from mldeploy.project.ignore import Ignore
from mldeploy.project.shipping import USUALLY_IGNORED, Ships, own_ignore


def own_models(folder: Path, entry: str) -> tuple[str, ...]:
    """The files of the models, as paths below the folder, sorted. entry: as configured. Raises ProjectError."""
    tree = scan(folder)
    if not may_hold_models(tree):
        return ()
    from mldeploy.project.detect.models import models, shipped  # noqa: PLC0415 - its readers are for models alone

    sources = Sources(tree)
    path = entry.partition(":")[0].replace(".", "/")
    served = [module for name in (f"{path}.py", f"{path}/__init__.py") if (module := sources.module(name))]
    found, _ = models(tree, sources.reachable(served))
    return shipped(tree, found, Ships(own_ignore(folder) or Ignore.of(USUALLY_IGNORED)))
