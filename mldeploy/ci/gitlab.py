"""The pipeline of GitLab CI/CD: the same steps as GitHub's, each a block of bash.

https://docs.gitlab.com/ci/yaml/
"""

from __future__ import annotations

from collections.abc import Iterable

from mldeploy.ci.pipeline_yaml import Document, dump_pipeline, plain_lines
from mldeploy.ci.signing.base import WorkflowStep
from mldeploy.ci.stages import PipelineStage, StageKind
from mldeploy.ci.workflow import (
    RESULT,
    WorkflowSpec,
    list_checks,
    list_deployment,
    list_handover,
    list_promotion,
    list_removal,
)

IMAGE_FOLDER = "mldeploy-image"
"""Artifacts must be below the project's folder. There the image is only between two jobs, never while one builds."""
ADDRESS_FILE = "mldeploy.env"
MERGE_REQUEST = '$CI_PIPELINE_SOURCE == "merge_request_event"'
OWN = f"{MERGE_REQUEST} && $CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID"
"""Of this project: the token of a fork's names the fork."""
TAG = "$CI_COMMIT_TAG =~ /^v/"
_START = (
    'export RUNNER_TEMP="${RUNNER_TEMP:-$(mktemp -d)}"',
    'if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then',
    "  apt-get -qq update && apt-get -qq install --yes docker.io git jq pipx > /dev/null",
    "fi",
    'export PATH="$HOME/.local/bin:$PATH"',
    "if ! docker info > /dev/null 2>&1; then",
    '  dockerd --data-root /builds/.docker > "$RUNNER_TEMP/dockerd.log" 2>&1 &',
    "  timeout 90 sh -c 'until docker info > /dev/null 2>&1; do sleep 1; done'",
    "fi",
)
"""An engine on the same machine: that of a shell executor, or one of its own in a privileged container."""


def render_gitlab(spec: WorkflowSpec) -> str:
    """The file without its header."""
    return dump_pipeline(_pipeline(spec))


def _pipeline(spec: WorkflowSpec) -> Document:
    jobs: Document = {"check": _check(spec)}
    for stage in spec.stages:
        match stage.kind:
            case StageKind.PREVIEW:
                jobs |= {"preview": _preview(spec, stage), "remove-preview": _removal(spec, stage)}
            case StageKind.BRANCH:
                jobs["deploy"] = _branch(spec, stage)
            case StageKind.PRODUCTION:
                jobs["promote"] = _production(spec, stage)
    production = spec.stage(StageKind.PRODUCTION)
    triggers = [MERGE_REQUEST, _branch_rule(spec), *([TAG] if production and production.by_tag else [])]
    named: Document = {"variables": {"MLDEPLOY_APP_NAME": spec.app}} if spec.unnamed else {}
    return {
        "workflow": {"rules": [{"if": each} for each in triggers]},
        "stages": ["check", "deploy", "promote"],
        **named,
        "default": {"image": f"python:{spec.python}"},
        **jobs,
    }


def _branch_rule(spec: WorkflowSpec) -> str:
    return f'$CI_COMMIT_BRANCH == "{spec.branch}"'


def _rule(spec: WorkflowSpec, condition: str) -> Document:
    changes: Document = (
        {"changes": [f"{spec.folder}/**/*", spec.file]} if spec.folder and "TAG" not in condition else {}
    )
    return {"if": condition, **changes}


def _check(spec: WorkflowSpec) -> Document:
    handover = _block(
        "Hand the image over",
        (f'rm -rf "$CI_PROJECT_DIR/{IMAGE_FOLDER}"', f'mv "$RUNNER_TEMP/image" "$CI_PROJECT_DIR/{IMAGE_FOLDER}"'),
    )
    chosen = _block("Choose the environment", _environment_lines(spec))
    artifacts: Document = {"artifacts": {"paths": [IMAGE_FOLDER], "expire_in": "1 day"}} if spec.is_staged else {}
    return {
        "stage": "check",
        "rules": [_rule(spec, MERGE_REQUEST), _rule(spec, _branch_rule(spec))],
        "interruptible": True,
        "timeout": "45 minutes",
        "script": [
            *_start(spec),
            *([chosen] if spec.is_staged else []),
            *_blocks(list_checks(spec)),
            *([handover] if spec.is_staged else []),
        ],
        **artifacts,
    }


def _environment_lines(spec: WorkflowSpec) -> tuple[str, ...]:
    """The environment that the image is built for: a merge request's preview, else the branch's."""
    branch = next((stage.name for stage in spec.stages if stage.kind is StageKind.BRANCH), "")
    if not spec.stage(StageKind.PREVIEW):
        return (f"export MLDEPLOY_ENV={branch}",)
    return (
        'if [ "$CI_PIPELINE_SOURCE" = merge_request_event ]; then',
        '  export MLDEPLOY_ENV="preview-$CI_MERGE_REQUEST_IID"',
        "else",
        f"  export MLDEPLOY_ENV={branch}",
        "fi",
    )


def _preview(spec: WorkflowSpec, stage: PipelineStage) -> Document:
    environment: Document = {
        "name": f"{stage.ci_environment}/$CI_MERGE_REQUEST_IID",
        "url": "$APP_URL",
        "on_stop": "remove-preview",
        "deployment_tier": "development",
    }
    return {
        **_deploying(spec, stage, "deploy", [_rule(spec, OWN)]),
        "needs": ["check"],
        "variables": {"MLDEPLOY_ENV": "preview-$CI_MERGE_REQUEST_IID"},
        "resource_group": f"{stage.ci_environment}-$CI_MERGE_REQUEST_IID",
        "environment": environment,
        "script": [*_start(spec), _taken_over(), *_blocks(list_handover(spec, stage)), _address()],
    }


def _removal(spec: WorkflowSpec, stage: PipelineStage) -> Document:
    """GitLab runs it when the merge request is merged or closed, and its branch deleted; or somebody does."""
    deploying = _deploying(spec, stage, "deploy", [{**_rule(spec, OWN), "when": "manual", "allow_failure": True}])
    del deploying["artifacts"]
    return {
        **deploying,
        "needs": [],
        "variables": {"MLDEPLOY_ENV": "preview-$CI_MERGE_REQUEST_IID"},
        "resource_group": f"{stage.ci_environment}-$CI_MERGE_REQUEST_IID",
        "environment": {"name": f"{stage.ci_environment}/$CI_MERGE_REQUEST_IID", "action": "stop"},
        "script": [*_start(spec), *_blocks(list_removal(spec, stage))],
    }


def _branch(spec: WorkflowSpec, stage: PipelineStage) -> Document:
    steps = list_handover(spec, stage) if spec.is_staged else list_deployment(spec, stage.sign_in)
    taken = [_taken_over()] if spec.is_staged else []
    chosen: Document = {"variables": {"MLDEPLOY_ENV": stage.name}} if stage.name else {}
    return {
        **_deploying(spec, stage, "deploy", [_rule(spec, _branch_rule(spec))]),
        "needs": ["check"],
        **chosen,
        "resource_group": stage.ci_environment,
        "environment": _environment(spec, stage),
        "script": [*_start(spec), *taken, *_blocks(steps), *([_address()] if spec.deploys else [])],
    }


def _production(spec: WorkflowSpec, stage: PipelineStage) -> Document:
    """By a protected tag, or by hand after the deployment of the branch."""
    rule: Document = {"if": TAG} if stage.by_tag else {**_rule(spec, _branch_rule(spec)), "when": "manual"}
    return {
        **_deploying(spec, stage, "promote", [rule]),
        "needs": [] if stage.by_tag else ["deploy"],
        "variables": {"GIT_DEPTH": "0"},
        "resource_group": stage.ci_environment,
        "environment": {**_environment(spec, stage), "deployment_tier": "production"},
        "script": [*_start(spec), *_blocks(list_promotion(spec, stage)), _address()],
    }


def _environment(spec: WorkflowSpec, stage: PipelineStage) -> Document:
    return {"name": stage.ci_environment, **({"url": "$APP_URL"} if spec.deploys else {})}


def _deploying(spec: WorkflowSpec, stage: PipelineStage, name: str, rules: list[Document]) -> Document:
    """What every job that signs in has. Its token is issued to it alone."""
    token: Document = {}
    if stage.sign_in.federated:
        token = {"id_tokens": {"ID_TOKEN": {"aud": stage.sign_in.audience}}}
    report: Document = {"artifacts": {"reports": {"dotenv": ADDRESS_FILE}}} if spec.deploys else {}
    return {"stage": name, "rules": rules, "timeout": "60 minutes", **token, **report}


def _start(spec: WorkflowSpec) -> list[str]:
    folder = (f'cd "{spec.folder}"',) if spec.folder else ()
    return [_block("Prepare the runner", (*_START, *folder))]


def _taken_over() -> str:
    return _block("Take the image", (f'mv "$CI_PROJECT_DIR/{IMAGE_FOLDER}" "$RUNNER_TEMP/image"',))


def _address() -> str:
    line = f"""jq --raw-output '"APP_URL=\\(.url)"' {RESULT} > "$CI_PROJECT_DIR/{ADDRESS_FILE}\""""
    return _block("Report the address", (line,))


def _blocks(steps: Iterable[WorkflowStep]) -> list[str]:
    """The steps that run lines: actions are GitHub's, and so is its summary."""
    return [_block(step.name, plain_lines(step.run)) for step in steps if step.run and not step.when]


def _block(name: str, lines: Iterable[str]) -> str:
    return "\n".join((f"# {name}", *lines, ""))
