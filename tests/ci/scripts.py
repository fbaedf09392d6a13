"""Runs the jobs of a GitLab or an Azure pipeline: their blocks of bash, in order, in a fresh copy each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.ci.repo import Repo, Workflow
from tests.ci.runner import provide

ARTIFACT = "mldeploy-image"


def gitlab_blocks(pipeline: Workflow, job: str) -> Iterator[str]:
    """The blocks of a job."""
    yield from pipeline[job]["script"]


def azure_blocks(pipeline: Workflow, stage: str) -> Iterator[str]:
    """The blocks of a stage's only job, those of its tasks included."""
    (found,) = (each for each in pipeline["stages"] if each["stage"] == stage)
    (job,) = found["jobs"]
    steps = job.get("steps") or job["strategy"]["runOnce"]["deploy"]["steps"]
    for step in steps:
        yield from filter(None, (step.get("bash"), step.get("inputs", {}).get("inlineScript")))


def run_blocks(folder: Path, repo: Repo, blocks: Iterator[str], env: Mapping[str, str]) -> str:
    """Run all blocks in one shell, as GitLab does. Returns "", or what the one that failed said.

    folder: of the whole pipeline; what one job hands over to another is kept in it.
    """
    number = len(list(folder.glob("job-*"))) if folder.exists() else 0
    job = folder / f"job-{number}"
    workspace, temp = job / "workspace", job / "temp"
    temp.mkdir(parents=True)
    subprocess.run(("git", "clone", "--quiet", str(repo.root), str(workspace)), check=True)
    kept = folder / "artifact"
    if kept.exists():
        shutil.copytree(kept, workspace / ARTIFACT)
        shutil.copytree(kept, job / "pipeline" / "image")
    path = provide(job / "bin", temp)
    names = {name: value for name, value in os.environ.items() if not name.startswith(("MLDEPLOY_", "GITHUB_"))}
    own = {
        "HOME": str(job),
        "RUNNER_TEMP": str(temp),
        "AGENT_TEMPDIRECTORY": str(temp),
        "PIPELINE_WORKSPACE": str(job / "pipeline"),
        "CI_PROJECT_DIR": str(workspace),
        "ID_TOKEN": "a-token",
        "idToken": "a-token",
        "PATH": f"{path}:{os.environ['PATH']}",
    }
    folders = ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    below = repo.folder.relative_to(repo.root)
    script = "\n".join(re.sub(r"apt-get -qq .*", "true", block) for block in blocks)
    started = workspace if f'cd "{below}"' in script else workspace / below
    assert all(name in env for name in folders)
    done = subprocess.run(
        ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script),
        cwd=started, env={**names, **own, **env}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    for made in (workspace / ARTIFACT, temp / "image"):
        if made.exists() and not kept.exists():
            shutil.copytree(made, kept)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def result_of(folder: Path, number: int) -> str:
    """What mldeploy answered last in a job: the JSON document."""
    return (folder / f"job-{number}" / "temp" / "mldeploy.json").read_text()
