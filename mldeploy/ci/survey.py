"""What a workflow for a folder would be: everything that is read, in the one place where it comes together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from mldeploy import __version__
from mldeploy.ci.installing import installation
from mldeploy.ci.linting import linters
from mldeploy.ci.own_file import OwnFile
from mldeploy.ci.remarks import remarks
from mldeploy.ci.repository import Repository
from mldeploy.ci.signing.base import UNKNOWN_REPOSITORY, Once, Place, SignIn
from mldeploy.ci.targets import TARGETS, signed_in
from mldeploy.ci.testing import tests
from mldeploy.ci.workflow import OF_VARIABLES, Wanted
from mldeploy.config.settings import Project
from mldeploy.project.completion import Completion
from mldeploy.project.detect.folder import Folder
from mldeploy.project.detect.python_version import DEFAULT, text_of
from mldeploy.project.detect.tree import scan
from mldeploy.project.errors import ProjectError
from mldeploy.project.inspect import inspect

_PYTHON = re.compile(r"(?:.*/)?python:(3\.\d+)\b.*")


@dataclass(frozen=True)
class Asked:
    """What the command line says. extra: of mldeploy's package, for the target's SDK; "" for none."""

    target: str
    branch: str
    extra: str


@dataclass(frozen=True)
class Survey:
    """What is to be written, and what else there is to say. once: what remains to be done, in order."""

    wanted: Wanted
    repository: Repository
    once: tuple[Once, ...]
    variables: tuple[str, ...]
    secrets: tuple[str, ...]
    remarks: tuple[str, ...]


def survey(folder: Path, asked: Asked) -> Survey:
    """Read the folder and the repository that it is in. Changes nothing, runs nothing of the user's.

    Raises ConfigError, ProjectError: what stands in the way of a build, or of a workflow.
    """
    project = inspect(folder).project
    root = project.app.folder
    repository, own = Repository.of(root), OwnFile.of(root)
    place = _place(project, repository, own, asked)
    sign_in = signed_in(place)
    env_file = _env_file(project, repository)
    wanted = _wanted(root, repository, own, place, sign_in)
    wanted = replace(wanted, extra=asked.extra, env_file=env_file)
    secrets = (*sign_in.secrets, *((OF_VARIABLES,) if env_file else ()))
    once = (_environment(place), *sign_in.once, *_of_variables(place, env_file))
    said = (*remarks(project, repository, wanted), *sign_in.remarks)
    return Survey(wanted, repository, once, sign_in.variables, secrets, said)


def _wanted(root: Path, repository: Repository, own: OwnFile, place: Place, sign_in: SignIn) -> Wanted:
    tree = scan(root)
    found = Completion(root, ()).survey.folder
    installed = installation(tree, found.dependencies)
    return Wanted(
        version=__version__,
        app=place.app,
        target=place.target,
        verb=TARGETS[place.target].verb,
        branch=place.branch,
        folder=_sound(repository.below(root)),
        environment=place.environment,
        python=_python(own, found),
        large_files=repository.has_large_files(),
        installation=installed,
        linters=linters(tree, installed.chosen),
        tests=tests(tree, installed.listed),
        sign_in=sign_in,
        unnamed=not own.said("app", "name"),
        runner=_runner(own),
    )


def _sound(folder: str) -> str:
    """Raises ProjectError for a path that GitHub would read as something else."""
    if re.search(r"\$\{\{|[\x00-\x1f\x7f]", folder):
        what = "has a name that cannot stand in a workflow"
        raise ProjectError(folder, what, "Rename the folder.")
    return folder


def _place(project: Project, repository: Repository, own: OwnFile, asked: Asked) -> Place:
    app, target = project.app.name, asked.target
    return Place(
        app=app,
        target=target,
        repository=repository.name or UNKNOWN_REPOSITORY,
        branch=asked.branch,
        environment=f"{app}-{target}",
        command=f"mldeploy policy --target {target}",
        table=own.target(target),
    )


def _env_file(project: Project, repository: Repository) -> str:
    """The file of the app's variables, if git keeps it out of the repository."""
    path = project.app.env_file
    if path is None or not path.is_relative_to(project.app.folder):
        return ""
    name = path.relative_to(project.app.folder).as_posix()
    return name if repository.left_out(project.app.folder, [name]) else ""


def _python(own: OwnFile, folder: Folder) -> str:
    """That of the image: what the project's own file says, else what the folder asks for."""
    if match := _PYTHON.fullmatch(own.said("build", "base_image")):
        return match[1]
    return str(folder.python.value) if folder.python else text_of(DEFAULT)


def _runner(own: OwnFile) -> str:
    """A machine that builds for the platform without emulating it."""
    return "ubuntu-24.04-arm" if own.said("build", "platform") == "linux/arm64" else "ubuntu-24.04"


def _environment(place: Place) -> Once:
    """GitHub's environment: nobody gets into it, nor reads its secrets, but from the one branch."""
    address = f"repos/{place.repository}/environments/{place.environment}"
    branches = "'deployment_branch_policy[{}]={}'".format
    rule = f"-F {branches('protected_branches', 'false')} -F {branches('custom_branch_policies', 'true')}"
    return Once(
        f"make the environment that the workflow deploys from, for the branch {place.branch} alone (in a private "
        "repository that takes GitHub Pro, Team or Enterprise)",
        (
            f"gh api --method PUT {address} {rule}",
            f"gh api --method POST {address}/deployment-branch-policies -f name={place.branch}",
        ),
    )


def _of_variables(place: Place, env_file: str) -> Iterator[Once]:
    if env_file:
        yield Once(
            f"keep {env_file}, which git leaves out of the repository, as a secret",
            (place.secret(OF_VARIABLES, env_file),),
        )
