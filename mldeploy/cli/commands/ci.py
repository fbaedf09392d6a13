"""`mldeploy ci`."""

# ruff: noqa: PLC0415 - `--help` must not load the templates

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.errors import UsageError
from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document
from mldeploy.ui.page import Page, Style

if TYPE_CHECKING:
    from collections.abc import Callable

    from mldeploy.ci.plan import WorkflowPlan
    from mldeploy.ci.signing.base import SignIn, SignInContext
    from mldeploy.ci.stages import PipelineStage
    from mldeploy.ci.workflow_file import WriteOutcome

BRANCH = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._/-]*[A-Za-z0-9_-])?")
"""Branch names that have no special meaning in a filter or an expression of GitHub Actions."""


class WorkflowSystem(StrEnum):
    """CI systems for which a workflow can be written."""

    GITHUB = "github"
    GITLAB = "gitlab"
    AZURE_PIPELINES = "azure-pipelines"


@dataclass(frozen=True)
class SetupTaskDocument:
    """A task that must be done once."""

    what: Annotated[str, "purpose"]
    commands: Annotated[tuple[str, ...], "bash commands in order; run those of all tasks in one shell"]


class PromoteOn(StrEnum):
    """What leads to a promotion."""

    TAG = "tag"
    APPROVAL = "approval"


@dataclass(frozen=True)
class StageDocument:
    """An environment that the workflow deploys to."""

    kind: Annotated[str, "`preview`: of a pull request; `branch`: pushes to the branch; `production`: promoted"]
    name: Annotated[str | None, "environment of the configuration; null for the app without one"]
    environment: Annotated[str, "environment of the CI system"]
    variables: Annotated[tuple[str, ...], "variables that this environment needs"]
    secrets: Annotated[tuple[str, ...], "secrets that this environment needs"]


@dataclass(frozen=True)
class WorkflowDocument(Document):
    """`ci`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    system: Annotated[str, "CI system: `github`, `gitlab` or `azure-pipelines`"]
    file: Annotated[str, "absolute path of the file"]
    state: Annotated[str, "`written`, `unchanged`, `replaced` or `printed`"]
    text: Annotated[str, "content of the file"]
    repository: Annotated[str, "path of the repository on its host, from git's `origin`: `owner/name`; may be empty"]
    branch: Annotated[str, "branch whose pushes are deployed"]
    environment: Annotated[str, "environment of the CI system in which pushes are deployed"]
    python: Annotated[str, "Python version for linters and tests"]
    lint: Annotated[tuple[str, ...], "lint commands"]
    test: Annotated[str | None, "test command; null if there are no tests"]
    variables: Annotated[tuple[str, ...], "variables that the environment needs"]
    secrets: Annotated[tuple[str, ...], "secrets that the environment needs"]
    once: Annotated[tuple[SetupTaskDocument, ...], "tasks that must be done once, in order"]
    remarks: Annotated[tuple[str, ...], "notes"]
    stages: Annotated[tuple[StageDocument, ...], "environments that are deployed to, in order"] = ()


def ci(  # noqa: PLR0913, PLR0917 - one parameter per option
    run: CommandRun,
    system: Annotated[
        WorkflowSystem, typer.Argument(metavar="SYSTEM", help="CI system: github, gitlab or azure-pipelines.")
    ],
    # Not called `target`: a workflow authenticates by itself, so profiles and contexts of this machine do not apply.
    onto: options.Target = options.DEFAULT_TARGET,
    branch: Annotated[str, typer.Option("--branch", metavar="NAME", help="Branch whose pushes are deployed.")] = "main",
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    stdout: Annotated[bool, typer.Option("--stdout", help="Print the file instead of writing it.")] = False,
    promote: Annotated[
        str | None,
        typer.Option(
            "--promote",
            metavar="NAME",
            help="Environment to promote to. Default: production, if it is configured.",
            show_default=False,
            autocompletion=options.completed_by("--env"),
        ),
    ] = None,
    promote_on: Annotated[
        PromoteOn, typer.Option("--promote-on", help="What promotes: a tag v*, or an approval after the deployment.")
    ] = PromoteOn.TAG,
) -> None:
    """Write a CI workflow that lints, tests, builds and deploys the app, for GitHub, GitLab or Azure Pipelines.

    Writes `.github/workflows/mldeploy.yml`, `.gitlab-ci.yml` or `azure-pipelines.yml` in the root of the git
    repository; for an app in a subfolder, a file with the app's name.

    Pull requests are linted, tested and built. Pushes to the branch are also deployed, or pushed for a registry. The
    workflow runs the linters and tests that the folder is configured for. On AWS, Google Cloud and Azure it
    authenticates with short-lived tokens of the CI system (OIDC): no cloud keys are stored.

    With environments in the configuration, pull requests get a preview each ([env.preview]), pushes to the branch are
    deployed to `staging` (or `--env NAME`), and a tag or an approval promotes that image to `production`. The image is
    built once, by a job without credentials.

    Prints the remaining setup tasks as bash commands. An existing file that differs is not replaced without `--force`.

    Examples:
        mldeploy ci github --target fargate
        mldeploy ci github --target ecr --branch release --stdout
        mldeploy ci gitlab --target fargate
        mldeploy ci github --target fargate --promote-on approval --stdout
    """
    from mldeploy.ci.plan import WorkflowRequest, plan_workflow
    from mldeploy.ci.signing.base import CiSystem
    from mldeploy.ci.stages import PromotionTrigger, StageChoice
    from mldeploy.ci.workflow_file import WriteOutcome, render_workflow, write_workflow
    from mldeploy.providers import registry

    _refuse_unsupported(run, onto, branch)
    verb, sign_in = registry.declaration(onto).verb, _load_sign_in(onto)
    choice = StageChoice(run.environment, promote, PromotionTrigger(promote_on.value))
    request = WorkflowRequest(onto, branch, verb, sign_in, registry.requirement(onto), CiSystem(system.value), choice)
    workflow = plan_workflow(run.folder, request)
    text = render_workflow(workflow.spec)
    state = (
        WriteOutcome.PRINTED
        if stdout
        else write_workflow(workflow.repository.root, workflow.spec.file, text, force=force)
    )
    document = _workflow_document(workflow, system, state, text, branch)
    if stdout and not run.output.mode.json:
        run.output.write_lines(text.splitlines())
        return
    run.output.result(document, lambda page: _print_workflow(document, page, terse=run.output.mode.quiet))


def _refuse_unsupported(run: CommandRun, target: str, branch: str) -> None:
    """Raises UsageError for what a workflow cannot do, UnknownTargetError for an unknown target."""
    from mldeploy.config.environments import VARIABLE

    if run.clone:
        what = "a file in the temporary clone would be lost"
        raise UsageError("mldeploy ci", what, "Clone the repository with `git clone` and run this command there.")
    if os.environ.get(VARIABLE):
        raise UsageError(VARIABLE, "does not apply to `mldeploy ci`", "Unset it, and use --env NAME.")
    if target == options.DEFAULT_TARGET:
        what = f"You cannot deploy to `{target}` from CI: the runner is deleted afterwards"
        raise UsageError("--target", what, f"Choose a target with --target: {_supported_targets()}.")
    if not BRANCH.fullmatch(branch) or ".." in branch or "//" in branch:
        what = f"{branch!a} is not a valid branch name for a workflow"
        raise UsageError("--branch", what, "Use letters, digits and . _ / - only, for example --branch main.")


def _load_sign_in(target: str) -> Callable[[SignInContext], SignIn]:
    """Raises UsageError if the target declares none, UnknownTargetError, PluginError."""
    from mldeploy.ci.signing.base import SignIn
    from mldeploy.providers import registry

    path = registry.declaration(target).sign_in
    if not path:
        what = f"the package of {target} declares no sign-in for CI"
        raise UsageError(
            "--target", what, f"Write the workflow yourself, or choose one of these: {_supported_targets()}."
        )
    declared = registry.load_declared(target, path)
    if not callable(declared):
        raise registry.unusable(target, f"{path} is not a function")

    def sign_in(context: SignInContext) -> SignIn:
        result = declared(context)
        if not isinstance(result, SignIn):
            raise registry.unusable(target, f"{path} returned {result!r}, which is not a SignIn")
        return result

    return sign_in


def _supported_targets() -> str:
    """The targets that a workflow can be written for, of packages that can be used."""
    from mldeploy.providers import registry

    return ", ".join(each.name for each in registry.usable_declarations() if each.sign_in)


def _workflow_document(
    workflow: WorkflowPlan, system: WorkflowSystem, state: WriteOutcome, text: str, branch: str
) -> WorkflowDocument:
    spec, runner = workflow.spec, workflow.spec.tests.runner
    return WorkflowDocument(
        app=spec.app,
        target=spec.target,
        system=system.value,
        file=str(workflow.repository.root / spec.file),
        state=state.value,
        text=text,
        repository=workflow.repository.name,
        branch=branch,
        environment=next(each.ci_environment for each in spec.stages if each.kind == "branch"),
        python=spec.python,
        lint=tuple(spec.installation.run(linter) for linter in spec.linters),
        test=spec.installation.run(runner) if runner else None,
        variables=workflow.variables,
        secrets=workflow.secrets,
        once=tuple(SetupTaskDocument(what=task.what, commands=task.commands) for task in workflow.once),
        remarks=workflow.remarks,
        stages=tuple(map(_stage_document, spec.stages)),
    )


def _stage_document(stage: PipelineStage) -> StageDocument:
    sign_in = stage.sign_in
    return StageDocument(stage.kind.value, stage.name or None, stage.ci_environment, sign_in.variables, sign_in.secrets)


def _describe_stage(stage: StageDocument, document: WorkflowDocument) -> str:
    if stage.kind == "preview":
        return f"pull requests of this repository get a preview on {document.target}, removed when they are closed"
    if stage.kind == "production":
        return f"what was deployed before is promoted to {stage.name} on {document.target}"
    where = f"{stage.name} on {document.target}" if stage.name else document.target
    return f"pushes to {document.branch} are deployed to {where}"


def _print_workflow(document: WorkflowDocument, page: Page, *, terse: bool) -> None:
    """Print the result. terse: only the file name."""
    if terse:
        page.line(document.file)
        return
    page.line(f"{document.state} ", (document.file, Style.STRONG))
    page.line("lint   ", "; ".join(document.lint) or "none")
    page.line("test   ", document.test or "none")
    for stage in document.stages:
        page.line("deploy ", _describe_stage(stage, document))
    for remark in document.remarks:
        page.item((("note: ", Style.WARN),), remark)
    page.line()
    page.line("Run these commands once, in one shell, in the app's folder:")
    for number, task in enumerate(document.once, start=1):
        page.line()
        page.verbatim(f"# {number}. {task.what[0].upper()}{task.what[1:]}")
        for command in task.commands:
            page.verbatim(command)
