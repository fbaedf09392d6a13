"""How a Dockerfile of the folder's own serves the app, looked at by itself: a build asks for nothing else."""

from __future__ import annotations

from pathlib import Path

from mldeploy.project.detect import dockerfile, smells
from mldeploy.project.detect.findings import Remark
from mldeploy.project.detect.runs import Run, runs
from mldeploy.project.detect.served import of_dockerfile
from mldeploy.project.detect.source import Sources
from mldeploy.project.detect.tree import scan


def remarks(root: Path, path: str) -> tuple[Remark, ...]:
    """What is wrong with the server that the Dockerfile at a path below the folder starts. Raises ProjectError."""
    tree = scan(root)
    file = tree.get(path)
    if file is None:
        return ()
    read = dockerfile.read(tree, file)
    sources = Sources(tree)
    commands = of_dockerfile(tree, read)
    starts = tuple(run for each in commands for run in _started(sources, each.value.target))
    found = (*smells.of_runs(starts, own=True), *smells.of_commands(commands, starts, own=True))
    return (*found, *smells.of_dockerfile(read))


def _started(sources: Sources, target: str) -> tuple[Run, ...]:
    """The servers that a script starts which Python runs."""
    module = sources.module(target.removeprefix("./")) if target.endswith(".py") else None
    return tuple(run for each in sources.reachable([module]) for run in runs(each)) if module else ()
