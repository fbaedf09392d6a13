"""A small git repository with an app, and the workflow that would be written for it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import yaml

from mldeploy.ci.plan import WorkflowPlan, WorkflowRequest, plan_workflow
from mldeploy.ci.signing.base import CiSystem, SignIn, SignInContext
from mldeploy.ci.stages import StageChoice
from mldeploy.ci.workflow_file import render_workflow
from mldeploy.providers import registry

APP = """\
from flask import Flask

app = Flask(__name__)


@app.get("/health")
def health():
    return "ok"
"""
ORIGIN = "git@github.com:octo/insurance.git"
ORIGINS = {
    CiSystem.GITHUB: ORIGIN,
    CiSystem.GITLAB: "git@gitlab.com:octo/ml/insurance.git",
    CiSystem.AZURE_PIPELINES: "https://octo@dev.azure.com/octo/ml/_git/insurance",
}
NAME = "octo/insurance"
REGISTRY = '[target.kubernetes]\nregistry = "ghcr.io/octo"\n'
"""What the target `kubernetes` cannot do without."""

USUAL = StageChoice()
ENVIRONMENTS = """\
[env.preview.target]
cloudrun = { project = "previews" }
gke = { project = "previews" }
containerapps = { resource_group = "previews" }
webapp = { resource_group = "previews" }
kubernetes = { namespace = "previews" }

[env.staging]

[env.production]
protected = true
"""
"""Previews have a project, group or namespace of their own on every target."""

Workflow = dict[str, Any]


@dataclass(frozen=True)
class Repo:
    """root: of the repository. folder: the app's, in it. system: that the workflow is for."""

    root: Path
    folder: Path
    system: CiSystem = CiSystem.GITHUB

    def write(self, **files: str) -> None:
        """Files below the app's folder. `__` in a name is a dot, `___` a slash."""
        for name, text in files.items():
            self.put(name.replace("___", "/").replace("__", "."), text)

    def put(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def git(self, *words: str) -> None:
        identity = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        who = ("-c", "user.name=A", "-c", "user.email=a@example.com")
        subprocess.run(
            ("git", "-C", str(self.root), *who, *words), env={**os.environ, **identity}, check=True, capture_output=True
        )

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "All")

    def on(self, system: CiSystem) -> Repo:
        """The same repository, where another CI system finds it."""
        self.git("remote", "set-url", "origin", ORIGINS[system])
        return replace(self, system=system)

    def plan(self, target: str = "fargate", branch: str = "main", choice: StageChoice = USUAL) -> WorkflowPlan:
        declared = registry.declaration(target)
        sign_in = cast("Callable[[SignInContext], SignIn]", registry.load_declared(target, declared.sign_in))
        request = WorkflowRequest(
            target, branch, declared.verb, sign_in, registry.requirement(target), self.system, choice
        )
        return plan_workflow(self.folder, request)

    def text(self, target: str = "fargate") -> str:
        return render_workflow(self.plan(target).spec)

    def workflow(self, target: str = "fargate") -> Workflow:
        return parsed(self.text(target))


def repo(root: Path, below: str = "") -> Repo:
    """A new one, on the branch main; nothing is committed."""
    folder = root / below
    folder.mkdir(parents=True)
    made = Repo(root, folder)
    made.git("init", "--quiet", "--initial-branch=main")
    made.git("remote", "add", "origin", ORIGIN)
    return made


def app(root: Path, below: str = "") -> Repo:
    """The same with an app in it, which is configured."""
    made = repo(root, below)
    made.put("app.py", APP)
    made.put("requirements.txt", "flask==3.1.3\n")
    made.put("mldeploy.toml", f'[app]\nname = "insurance"\nmodels = []\n\n{REGISTRY}')
    return made


def staged(root: Path, below: str = "") -> Repo:
    """The same with previews, staging and production."""
    made = app(root, below)
    made.put("mldeploy.toml", f"{(made.folder / 'mldeploy.toml').read_text()}\n{ENVIRONMENTS}")
    return made


def parsed(text: str) -> Workflow:
    """As GitHub reads it: `on` is a key, and no truth."""
    document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - the base loader makes nothing but texts
    assert isinstance(document, dict)
    return document


def lines(workflow: Workflow, job: str = "check") -> list[str]:
    """All that a job runs, line by line."""
    return [line for step in workflow["jobs"][job]["steps"] for line in step.get("run", "").splitlines()]
