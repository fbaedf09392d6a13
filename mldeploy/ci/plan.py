"""Plan a workflow for a folder: read the folder and its repository, and decide what the workflow contains."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from mldeploy import __version__
from mldeploy.ci.git_repository import GitRepository
from mldeploy.ci.installing import FROM_IMPORTS, plan_installation
from mldeploy.ci.signing.base import (
    UNKNOWN_REPOSITORY,
    CiSystem,
    PromotionSource,
    SetupStep,
    SignIn,
    SignInContext,
)
from mldeploy.ci.signing.service_connection import list_connection_setup
from mldeploy.ci.stages import TAGS, PipelineStage, StageChoice, StageKind, list_stages
from mldeploy.ci.tools import PROPOSAL, choose_linters, detect_tests
from mldeploy.ci.workflow import ENV_FILE_NAME, ENV_FILE_VARIABLE, WorkflowSpec
from mldeploy.config.environments import EnvironmentChoice, overlay_environment
from mldeploy.config.errors import ConfigError
from mldeploy.config.settings import Project
from mldeploy.config.sources import ConfigSource, read_files
from mldeploy.project.completion import CompletedConfig
from mldeploy.project.detect.folder import DetectedFolder
from mldeploy.project.detect.python_version import DEFAULT, format_release
from mldeploy.project.detect.tree import scan_folder
from mldeploy.project.errors import ProjectError
from mldeploy.project.load import load_project

_PYTHON_IMAGE = re.compile(r"(?:.*/)?python:(3\.\d+)\b.*")


@dataclass(frozen=True)
class WorkflowRequest:
    """The options of `mldeploy ci`, and what the target declares.

    verb: the command that brings the app there. sign_in: returns the sign-in of the deploying job. requirements: what
    installs mldeploy with the target's SDK, and the package of the target's provider if that is another ("" if not).
    choice: the environments that the user named.
    """

    target: str
    branch: str
    verb: str
    sign_in: Callable[[SignInContext], SignIn]
    requirements: tuple[str, str]
    system: CiSystem = CiSystem.GITHUB
    choice: StageChoice = field(default_factory=StageChoice)


@dataclass(frozen=True)
class WorkflowPlan:
    """The workflow, and messages for the user. once: the manual setup steps, in order."""

    spec: WorkflowSpec
    repository: GitRepository
    once: tuple[SetupStep, ...]
    variables: tuple[str, ...]
    secrets: tuple[str, ...]
    remarks: tuple[str, ...]


def plan_workflow(folder: Path, request: WorkflowRequest) -> WorkflowPlan:
    """Read the folder and its repository. Changes nothing and runs no user code.

    Raises ConfigError, ProjectError if a build or a workflow is not possible.
    """
    project = load_project(folder).project
    root = project.app.folder
    repository, own = GitRepository.of(root, request.system), ProjectConfigFile.of(root)
    previews = request.system is not CiSystem.AZURE_PIPELINES
    staging = list_stages(root, request.choice, deploys=request.verb == "deploy", previews=previews)
    contexts = [_make_context(project, repository, own, request, stage) for stage in staging.stages]
    for context in contexts:
        _refuse_profile(context)
    stages = tuple(
        replace(stage, ci_environment=context.environment, sign_in=request.sign_in(context))
        for stage, context in zip(staging.stages, contexts, strict=True)
    )
    env_file = _env_file(project, repository)
    spec = replace(_make_spec(root, repository, own, contexts[0], stages, request), env_file=env_file)
    _refuse_actions(request, stages)
    once = tuple(_list_setup(context, stage, env_file) for context, stage in zip(contexts, stages, strict=True))
    texts = dict.fromkeys(text for stage in stages for text in stage.sign_in.remarks)
    remarks = (*list_remarks(project, repository, spec), *staging.remarks, *texts)
    return WorkflowPlan(
        spec,
        repository,
        tuple(step for steps in once for step in steps),
        tuple(dict.fromkeys(name for stage in stages for name in stage.sign_in.variables)),
        (*dict.fromkeys(n for each in stages for n in each.sign_in.secrets), *((ENV_FILE_NAME,) if env_file else ())),
        remarks,
    )


def _refuse_actions(request: WorkflowRequest, stages: tuple[PipelineStage, ...]) -> None:
    """Raises ConfigError if the sign-in of a third party's target is one for GitHub alone."""
    used = [step.uses for stage in stages for step in stage.sign_in.steps if step.uses]
    if used and request.system is not CiSystem.GITHUB:
        what = f"its package signs in with {used[0]}, an action of GitHub's"
        raise ConfigError(f"target {request.target}", what, "Use `mldeploy ci github`.")


def _list_setup(context: SignInContext, stage: PipelineStage, env_file: str) -> tuple[SetupStep, ...]:
    """What is to be done once for one environment."""
    return (*_environment_setup(context, stage), *stage.sign_in.once, *_secret_setup(context, env_file))


def _make_spec(
    root: Path,
    repository: GitRepository,
    own: ProjectConfigFile,
    context: SignInContext,
    stages: tuple[PipelineStage, ...],
    request: WorkflowRequest,
) -> WorkflowSpec:
    tree = scan_folder(root)
    detected = CompletedConfig(root, ()).detected
    installed = plan_installation(tree, detected.dependencies)
    return WorkflowSpec(
        version=__version__,
        app=context.app,
        target=context.target,
        verb=request.verb,
        branch=request.branch,
        folder=_check_folder_name(repository.below(root)),
        environment=f"{context.app}-{context.target}",
        python=_python_release(own, detected),
        large_files=repository.has_large_files(),
        installation=installed,
        linters=choose_linters(tree, installed.chosen),
        tests=detect_tests(tree, installed.listed),
        stages=stages,
        unnamed=not own.setting("app", "name"),
        runner=_runner(own),
        requirements=request.requirements,
        system=request.system,
    )


def _refuse_profile(context: SignInContext) -> None:
    """Raises ConfigError if the target's table names what no runner has."""
    if context.setting("profile"):
        what = f"is a profile of this machine, which {context.system.label} runners do not have"
        todo = "Remove it from mldeploy.toml, and use --profile NAME on the command line."
        raise ConfigError(f"target.{context.target}.profile", what, todo)


def _check_folder_name(folder: str) -> str:
    """Raises ProjectError for a path that GitHub would read as something else."""
    if re.search(r"\$\{\{|[\x00-\x1f\x7f]", folder):
        what = "has a name that a workflow cannot contain"
        raise ProjectError(folder, what, "Rename the folder.")
    return folder


def _make_context(
    project: Project, repository: GitRepository, own: ProjectConfigFile, request: WorkflowRequest, stage: PipelineStage
) -> SignInContext:
    app, target = project.app.name, request.target
    command = f"mldeploy policy --target {target}" + (f" --env {stage.name}" if stage.name else "")
    return SignInContext(
        app=app,
        target=target,
        repository=repository.name or UNKNOWN_REPOSITORY,
        branch=request.branch,
        environment="-".join(filter(None, (app, stage.name, target))),
        command=command,
        table=own.in_environment(stage.name).target(target),
        system=request.system,
        host=repository.host,
        ref_type=stage.ref(request.branch)[0],
        ref=stage.ref(request.branch)[1],
        stage=stage.name,
        sources=tuple(PromotionSource(name, own.in_environment(name).target(target)) for name in stage.sources),
        own=own.overlay(stage.name, target),
    )


def _env_file(project: Project, repository: GitRepository) -> str:
    """The file of the app's variables, if git keeps it out of the repository."""
    path = project.app.env_file
    if path is None or not path.is_relative_to(project.app.folder):
        return ""
    name = path.relative_to(project.app.folder).as_posix()
    return name if repository.left_out(project.app.folder, [name]) else ""


def _python_release(own: ProjectConfigFile, folder: DetectedFolder) -> str:
    """That of the image: what the project's own file says, else what the folder asks for."""
    if match := _PYTHON_IMAGE.fullmatch(own.setting("build", "base_image")):
        return match[1]
    return str(folder.python.value) if folder.python else format_release(DEFAULT)


def _runner(own: ProjectConfigFile) -> str:
    """A machine that builds for the platform without emulating it."""
    return "ubuntu-24.04-arm" if own.setting("build", "platform") == "linux/arm64" else "ubuntu-24.04"


def _environment_setup(context: SignInContext, stage: PipelineStage) -> tuple[SetupStep, ...]:
    """GitHub's environment: nobody gets into it, nor reads its secrets, but from where it is deployed from."""
    if context.system is CiSystem.GITLAB:
        return _gitlab_refs(context, stage)
    if context.system is CiSystem.AZURE_PIPELINES:
        return tuple(list_connection_setup(context, approved=stage.by_approval))
    address = f"repos/{context.repository}/environments/{context.environment}"
    if stage.kind is StageKind.PREVIEW:
        # Any branch can be a pull request's, so a rule for branches would limit nothing.
        made = f"gh api --method PUT {address} -F deployment_branch_policy=null"
        return (SetupStep("create the environment for the previews of pull requests", (made,)),)
    branches = "'deployment_branch_policy[{}]={}'".format
    rule = f"-F {branches('protected_branches', 'false')} -F {branches('custom_branch_policies', 'true')}"
    reviewed = """ -F 'reviewers[][type]=User' -F "reviewers[][id]=$(gh api user --jq .id)\""""
    policies = f"gh api --method POST {address}/deployment-branch-policies"
    allowed = f"{policies} -f name='{TAGS}' -f type=tag" if stage.by_tag else f"{policies} -f name={context.branch}"
    subject = "environment for the workflow" if not stage.name else f"environment of {stage.name}"
    limits = f"the tags {TAGS}" if stage.by_tag else f"the branch {context.branch}"
    needs = "requires GitHub Pro, Team or Enterprise"
    if stage.by_approval:
        limits, needs = f"{limits}, with you as the reviewer who approves", "requires GitHub Enterprise"
    return (
        SetupStep(
            f"create the {subject}, restricted to {limits} (a private repository {needs})",
            (f"gh api --method PUT {address} {rule}{reviewed if stage.by_approval else ''}", allowed),
        ),
    )


def _gitlab_refs(context: SignInContext, stage: PipelineStage) -> tuple[SetupStep, ...]:
    """GitLab makes an environment at its first deployment. Who may push to its ref decides who deploys."""
    if stage.kind is StageKind.PREVIEW:
        return ()
    project = f"projects/{context.repository.replace('/', '%2F')}"
    kind, name = ("tags", TAGS) if stage.by_tag else ("branches", context.branch)
    what = f"let maintainers alone push the {context.ref_type} {name}, unless it is protected already"
    return (SetupStep(what, (f"glab api --method POST {project}/protected_{kind} --field name='{name}' || true",)),)


def _secret_setup(context: SignInContext, env_file: str) -> Iterator[SetupStep]:
    if env_file:
        yield SetupStep(
            f"store {env_file}, which git ignores, as a secret"
            + (f" with the values for {context.stage}" if context.stage else ""),
            (context.secret(ENV_FILE_NAME if context.system is CiSystem.GITHUB else ENV_FILE_VARIABLE, env_file),),
        )


@dataclass(frozen=True)
class ProjectConfigFile:
    """Checked already, except for the targets' tables: each is checked by its provider, once that is used."""

    written: ConfigSource

    @classmethod
    def of(cls, root: Path) -> Self:
        """Raises ConfigError."""
        return cls(read_files(root))

    def setting(self, table: str, key: str) -> str:
        """The value of a key as text; "" if the file leaves it out, whatever this machine's own file says."""
        table_values = _as_table(self.written.values.get(table))
        return str(table_values.get(key, "")) if (table, key) not in self.written.origins else ""

    def in_environment(self, name: str) -> ProjectConfigFile:
        """The same with the tables of an environment over it; itself for ""."""
        values, _ = overlay_environment(self.written.values, "", EnvironmentChoice(name, "--env") if name else None)
        return ProjectConfigFile(replace(self.written, values=values))

    def overlay(self, environment: str, target: str) -> Mapping[str, object]:
        """What the table of an environment itself says of a target; empty if it says nothing."""
        tables = _as_table(_as_table(self.written.values.get("env")).get(environment))
        return _as_table(_as_table(tables.get("target")).get(target))

    def target(self, name: str) -> Mapping[str, object]:
        """A target's table; empty if there is none."""
        return _as_table(_as_table(self.written.values.get("target")).get(name))


def _as_table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def list_remarks(project: Project, repository: GitRepository, spec: WorkflowSpec) -> Iterator[str]:
    """Sentences, the gravest first."""
    yield from _repository_remarks(repository, spec)
    yield from _build_remarks(project, repository, spec)
    if spec.linters == (PROPOSAL,):
        yield "the folder configures no linter; ruff is proposed with rules for definite errors"
    if spec.tests.runner is None:
        also = f" ({', '.join(spec.tests.unused)} exists and is not run)" if spec.tests.unused else ""
        yield f"there are no tests{also}"


def _repository_remarks(repository: GitRepository, spec: WorkflowSpec) -> Iterator[str]:
    if not repository.is_git:
        where = f"{spec.system.label} reads the workflow from the root of one"
        yield f"{repository.root} is not in a git repository. {where}"
    elif not repository.name:
        what = f"replace {UNKNOWN_REPOSITORY} with the name of the repository"
        yield f"`origin` is no repository of {spec.system.label}: {what}"
    if repository.branch and repository.branch != spec.branch:
        yield f"the current branch is {repository.branch}, but {spec.branch} is deployed: see --branch"


def _build_remarks(project: Project, repository: GitRepository, spec: WorkflowSpec) -> Iterator[str]:
    for name in repository.left_out(project.app.folder, project.app.models):
        yield f"git ignores {name}: a runner cannot build the image without it"
    if any(each and each.credentials for each in (project.build.index, *project.build.extra_indexes)):
        yield "the build uses a package index with a password: set its variables in the build steps, from secrets"
    if plugin := spec.requirements[1]:
        yield f"the runner installs {plugin} from the package index: publish that version there"
    if spec.installation.what == FROM_IMPORTS:
        yield "no file lists the dependencies: `mldeploy init` writes requirements.txt with versions"
