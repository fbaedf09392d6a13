"""What is worth knowing of a workflow: where the folder and the repository are not what a runner needs."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.ci.installing import OF_IMPORTS
from mldeploy.ci.linting import PROPOSAL
from mldeploy.ci.repository import Repository
from mldeploy.ci.signing.base import UNKNOWN_REPOSITORY
from mldeploy.ci.workflow import Wanted
from mldeploy.config.settings import Project


def remarks(project: Project, repository: Repository, wanted: Wanted) -> Iterator[str]:
    """Sentences, the gravest first."""
    yield from _of_repository(repository, wanted)
    yield from _of_build(project, repository, wanted)
    if wanted.linters == (PROPOSAL,):
        yield "the folder is set up for no linter; ruff is proposed, for what can only be a mistake"
    if wanted.tests.runner is None:
        also = f" ({', '.join(wanted.tests.unused)} is there, and is not run)" if wanted.tests.unused else ""
        yield f"no tests were found, so none are run{also}"


def _of_repository(repository: Repository, wanted: Wanted) -> Iterator[str]:
    if not repository.is_git:
        yield f"{repository.root} is in no git repository: GitHub finds the workflow once this folder is one's root"
    elif not repository.name:
        yield f"git names no repository of GitHub's as `origin`: read {UNKNOWN_REPOSITORY} as the repository's name"
    if repository.branch and repository.branch != wanted.branch:
        yield f"what is checked out is {repository.branch}, and what deploys is {wanted.branch}: see --branch"


def _of_build(project: Project, repository: Repository, wanted: Wanted) -> Iterator[str]:
    for name in repository.left_out(project.app.folder, project.app.models):
        yield f"git leaves {name} out of the repository: no runner could build the image without it"
    if any(each and each.credentials for each in (project.build.index, *project.build.extra_indexes)):
        yield "the build takes packages from an index with a password: give the build steps its variables, from secrets"
    if wanted.installation.what == OF_IMPORTS:
        yield "nothing lists the dependencies: `mldeploy init` writes requirements.txt, with versions"
