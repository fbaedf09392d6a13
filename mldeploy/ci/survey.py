"""What a workflow for a folder would be: everything that is read, in the one place where it comes together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mldeploy import __version__
from mldeploy.ci.installing import OF_IMPORTS, Installation, installation
from mldeploy.ci.linting import PROPOSAL, linters
from mldeploy.ci.repository import Repository
from mldeploy.ci.signing.base import UNKNOWN_REPOSITORY, Once, Place
from mldeploy.ci.targets import TARGETS, signed_in
from mldeploy.ci.testing import tests
from mldeploy.ci.workflow import OF_VARIABLES, Wanted
from mldeploy.config.settings import Project
from mldeploy.config.sources import read_files
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
    inspection = inspect(folder)
    project = inspection.project
    root = project.app.folder
    repository = Repository.of(root)
    below = _sound(repository.below(root))
    found = Completion(root, ()).survey.folder
    env_file = _env_file(project, repository)
    place = _place(root, project, repository, asked)
    sign_in = signed_in(place)
    tree = scan(root)
    installed = installation(tree, found.dependencies)
    wanted = Wanted(
        __version__, project.app.name, asked.target, TARGETS[asked.target].verb, asked.branch, below,
        place.environment, _python(root, found), _requirement(asked.extra), repository.has_large_files(), installed,
        linters(tree, installed.chosen), tests(tree, installed.listed), sign_in, env_file,
        unnamed=not _named(root),
    )  # fmt: skip
    secrets = (*sign_in.secrets, *((OF_VARIABLES,) if env_file else ()))
    once = (_environment(place), *sign_in.once, *_of_variables(place, env_file))
    remarks = (*_remarks(project, repository, asked, wanted, installed), *sign_in.remarks)
    return Survey(wanted, repository, once, sign_in.variables, secrets, remarks)


def _sound(folder: str) -> str:
    """Raises ProjectError for a path that GitHub would read as something else."""
    if re.search(r"\$\{\{|[\x00-\x1f\x7f]", folder):
        what = "has a name that cannot stand in a workflow"
        raise ProjectError(folder, what, "Rename the folder.")
    return folder


def _place(root: Path, project: Project, repository: Repository, asked: Asked) -> Place:
    name = repository.name or UNKNOWN_REPOSITORY
    environment = f"{project.app.name}-{asked.target}"
    command = f"mldeploy policy --target {asked.target}"
    return Place(project.app.name, asked.target, name, asked.branch, environment, command, _table(root, asked.target))


def _table(root: Path, target: str) -> Mapping[str, object]:
    """What stands in the target's table of the project's file; its own provider checks it, once it is used."""
    tables = read_files(root).values.get("target", {})
    found = tables.get(target, {}) if isinstance(tables, dict) else {}
    return found if isinstance(found, dict) else {}


def _named(root: Path) -> bool:
    """The project's own file says what the app is called."""
    app = read_files(root).values.get("app", {})
    return isinstance(app, dict) and "name" in app


def _env_file(project: Project, repository: Repository) -> str:
    """The file of the app's variables, if git keeps it out of the repository."""
    path = project.app.env_file
    if path is None or not path.is_relative_to(project.app.folder):
        return ""
    name = path.relative_to(project.app.folder).as_posix()
    return name if repository.left_out(project.app.folder, [name]) else ""


def _python(root: Path, folder: Folder) -> str:
    """That of the image: what the project's own file says, else what the folder asks for."""
    written = read_files(root)
    build = written.values.get("build", {})
    image = build.get("base_image", "") if isinstance(build, dict) else ""
    if ("build", "base_image") not in written.origins and (match := _PYTHON.fullmatch(str(image))):
        return match[1]
    return str(folder.python.value) if folder.python else text_of(DEFAULT)


def _requirement(extra: str) -> str:
    return f"mldeploy[{extra}]=={__version__}" if extra else f"mldeploy=={__version__}"


def _environment(place: Place) -> Once:
    """GitHub's environment: nobody gets into it, nor reads its secrets, but from the one branch."""
    address = f"repos/{place.repository}/environments/{place.environment}"
    branches = "'deployment_branch_policy[{}]={}'".format
    rule = f"-F {branches('protected_branches', 'false')} -F {branches('custom_branch_policies', 'true')}"
    return Once(
        f"make the environment that the workflow deploys from, for the branch {place.branch} alone",
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


def _remarks(
    project: Project, repository: Repository, asked: Asked, wanted: Wanted, installed: Installation
) -> Iterator[str]:
    if not repository.is_git:
        yield f"{repository.root} is in no git repository: GitHub finds the workflow once this folder is one's root"
    elif not repository.name:
        yield f"git names no repository of GitHub's as `origin`: read {UNKNOWN_REPOSITORY} as the repository's name"
    if repository.branch and repository.branch != asked.branch:
        yield f"what is checked out is {repository.branch}, and what deploys is {asked.branch}: see --branch"
    for name in repository.left_out(project.app.folder, project.app.models):
        yield f"git leaves {name} out of the repository: no runner could build the image without it"
    if any(each and each.credentials for each in (project.build.index, *project.build.extra_indexes)):
        yield "the build takes packages from an index with a password: give the build steps its variables, from secrets"
    if wanted.linters == (PROPOSAL,):
        yield "the folder is set up for no linter; ruff is proposed, for what can only be a mistake"
    if wanted.tests.runner is None:
        also = f" ({', '.join(wanted.tests.unused)} is there, and is not run)" if wanted.tests.unused else ""
        yield f"no tests were found, so none are run{also}"
    if installed.what == OF_IMPORTS:
        yield "nothing lists the dependencies: `mldeploy init` writes requirements.txt, with versions"
