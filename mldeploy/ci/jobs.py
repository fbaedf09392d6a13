"""The jobs of a GitHub workflow: one that checks every change, and those that deploy, promote and remove.

A job that gets the cloud's token runs nothing of the repository: decision 0027.
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mldeploy.ci.signing.base import Pairs, SignIn, WorkflowStep
from mldeploy.ci.stages import TAGS, PipelineStage, StageKind
from mldeploy.ci.workflow import (
    WorkflowSpec,
    list_checks,
    list_comment,
    list_deployment,
    list_handover,
    list_promotion,
    list_removal,
)

URL = "${{ steps.mldeploy.outputs.url }}"
NUMBER = "${{ github.event.pull_request.number }}"
OWN = (
    "github.event.pull_request.head.repo.full_name == github.repository && "
    "github.event.pull_request.user.login != 'dependabot[bot]'"
)
"""Of this repository: GitHub gives no token to the jobs of a fork's pull request, nor to those of Dependabot's."""
ONE_BY_ONE = "One after another: a deployment that has begun is never cancelled."


@dataclass(frozen=True)
class Job:
    """As GitHub reads it. permissions: lines. group, cancel: its concurrency, and why. folder: where it runs."""

    id: str
    name: str
    steps: tuple[WorkflowStep, ...]
    minutes: int
    folder: str = ""
    needs: tuple[str, ...] = ()
    when: str = ""
    permissions: tuple[str, ...] = ()
    group: str = ""
    cancel: str = "false"
    why: str = ""
    environment: str = ""
    url: str = ""
    outputs: Pairs = ()
    env: Pairs = ()


@dataclass(frozen=True)
class Triggers:
    """closing: a pull request's end counts, too. tags: those that promote, "" for none."""

    closing: bool
    tags: str


def list_triggers(spec: WorkflowSpec) -> Triggers:
    """What starts the workflow, beside pull requests and pushes to the branch."""
    production = spec.stage(StageKind.PRODUCTION)
    return Triggers(spec.stage(StageKind.PREVIEW) is not None, TAGS if production and production.by_tag else "")


def list_jobs(spec: WorkflowSpec) -> tuple[Job, ...]:
    """The jobs, in the order in which a change passes them."""
    return (_check(spec), *_preview_jobs(spec), *_branch_jobs(spec), *_production_jobs(spec))


def _check(spec: WorkflowSpec) -> Job:
    triggers = list_triggers(spec)
    left_out = (
        *(("github.event.action != 'closed'",) if triggers.closing else ()),
        *(("github.ref_type != 'tag'",) if triggers.tags else ()),
    )
    return Job(
        "check",
        "Lint, test, build",
        list_checks(spec),
        45,
        spec.folder,
        when=" && ".join(left_out),
        group=f"{spec.environment}-${{{{ github.ref }}}}",
        cancel="${{ github.event_name == 'pull_request' }}",
        why="Of a pull request, only what stands in it last is of interest.",
        env=_built_environment(spec),
    )


def _built_environment(spec: WorkflowSpec) -> Pairs:
    """The environment that the image is built for: a pull request's preview, else the branch's."""
    branch = next((stage.name for stage in spec.stages if stage.kind is StageKind.BRANCH), "")
    if spec.stage(StageKind.PREVIEW):
        preview = "format('preview-{0}', github.event.pull_request.number)"
        return (("MLDEPLOY_ENV", f"${{{{ github.event_name == 'pull_request' && {preview} || '{branch}' }}}}"),)
    return (("MLDEPLOY_ENV", branch),) if branch else ()


def _preview_jobs(spec: WorkflowSpec) -> Iterator[Job]:
    stage = spec.stage(StageKind.PREVIEW)
    if stage is None:
        return
    env = (("MLDEPLOY_ENV", f"preview-{NUMBER}"),)
    yield Job(
        "preview",
        "Deploy a preview",
        list_handover(spec, stage),
        60,
        spec.working_folder(stage.sign_in),
        needs=("check",),
        when=f"github.event_name == 'pull_request' && {OWN}",
        permissions=_permissions(stage.sign_in),
        environment=stage.ci_environment,
        url=URL,
        outputs=(("url", URL),),
        env=env,
    )
    yield Job(
        "remove",
        "Remove the preview",
        list_removal(spec, stage),
        60,
        spec.working_folder(stage.sign_in),
        when=f"github.event.action == 'closed' && {OWN}",
        permissions=_permissions(stage.sign_in),
        environment=stage.ci_environment,
        env=env,
    )
    results = " || ".join(f"needs.{job}.result == 'success'" for job in ("preview", "remove"))
    yield Job(
        "comment",
        "Comment on the pull request",
        list_comment(spec),
        5,
        needs=("preview", "remove"),
        when=f"${{{{ !cancelled() && ({results}) }}}}",
        permissions=("pull-requests: write # for the comment alone: this job signs in to no cloud",),
    )


def _branch_jobs(spec: WorkflowSpec) -> Iterator[Job]:
    stage = next((stage for stage in spec.stages if stage.kind is StageKind.BRANCH), None)
    if stage is None:
        return
    where = f"{stage.name} on {spec.target}" if stage.name else spec.target
    steps = list_handover(spec, stage) if spec.is_staged else list_deployment(spec, stage.sign_in)
    ref = f"refs/heads/{spec.branch}".replace("'", "''")
    yield Job(
        "deploy",
        f"Deploy to {where}" if spec.deploys else f"Push to {where}",
        steps,
        60,
        spec.working_folder(stage.sign_in),
        needs=("check",),
        when=f"github.event_name != 'pull_request' && github.ref == '{ref}'",
        permissions=_permissions(stage.sign_in),
        group=stage.ci_environment,
        why=ONE_BY_ONE,
        environment=stage.ci_environment,
        url=URL if spec.deploys else "",
        env=_environment(stage),
    )


def _production_jobs(spec: WorkflowSpec) -> Iterator[Job]:
    stage = spec.stage(StageKind.PRODUCTION)
    if stage is None:
        return
    yield Job(
        "promote",
        f"Promote to {stage.name} on {spec.target}",
        list_promotion(spec, stage),
        60,
        spec.working_folder(stage.sign_in),
        needs=() if stage.by_tag else ("deploy",),
        when=f"startsWith(github.ref, 'refs/tags/{TAGS.rstrip('*')}')" if stage.by_tag else "",
        permissions=_permissions(stage.sign_in),
        group=stage.ci_environment,
        why=ONE_BY_ONE,
        environment=stage.ci_environment,
        url=URL,
    )


def _environment(stage: PipelineStage) -> Pairs:
    return (("MLDEPLOY_ENV", stage.name),) if stage.name else ()


def _permissions(sign_in: SignIn) -> tuple[str, ...]:
    token = "id-token: write # what it signs in with: issued to this job alone, good for a few minutes"  # noqa: S105
    return ("contents: read", *((token,) if sign_in.federated else ()))
