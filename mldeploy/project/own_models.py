"""The models of a folder whose app is known: nothing else of it is looked at."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mldeploy.project.detect.model_names import may_hold_models
from mldeploy.project.detect.source import Sources
from mldeploy.project.detect.tree import scan
from mldeploy.project.ignore import Ignore
from mldeploy.project.shipping import USUALLY_IGNORED, Ships, own_ignore


def own_models(folder: Path, served: Iterable[str]) -> tuple[str, ...]:
    """The files of the models, as paths below the folder, sorted. Raises ProjectError.

    served: the paths of what may be the app's own file.
    """
    tree = scan(folder)
    if not may_hold_models(tree):
        return ()
    from mldeploy.project.detect.models import models, shipped  # noqa: PLC0415 - its readers are for models alone

    sources = Sources(tree)
    found, _ = models(tree, sources.reachable(module for path in served if (module := sources.module(path))))
    return shipped(tree, found, Ships(own_ignore(folder) or Ignore.of(USUALLY_IGNORED)))
