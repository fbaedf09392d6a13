"""The pipeline of Azure Pipelines: the same steps as GitHub's, in stages with an environment each.

https://learn.microsoft.com/azure/devops/pipelines/yaml-schema/
"""

from __future__ import annotations

from collections.abc import Iterable

from mldeploy.ci.pipeline_yaml import Document, dump_pipeline, plain_lines
from mldeploy.ci.signing.base import WorkflowStep
from mldeploy.ci.stages import TAGS, PipelineStage, StageKind
from mldeploy.ci.workflow import (
    WorkflowSpec,
    list_checks,
    list_deployment,
    list_handover,
    list_promotion,
)

ARTIFACT = "image"
_START = 'export RUNNER_TEMP="$AGENT_TEMPDIRECTORY" PATH="$HOME/.local/bin:$PATH"'
_SECRET_NAMES = ("KUBECONFIG_FILE", "REGISTRY_PASSWORD", "DOCKERHUB_TOKEN", "APP_ENV_FILE")


def render_azure_pipelines(spec: WorkflowSpec) -> str:
    """The file without its header."""
    return dump_pipeline(_pipeline(spec))


def _pipeline(spec: WorkflowSpec) -> Document:
    production = spec.stage(StageKind.PRODUCTION)
    trigger: Document = {"branches": {"include": [spec.branch]}}
    if production and production.by_tag:
        trigger["tags"] = {"include": [TAGS]}
    paths: Document = {"paths": {"include": [spec.folder, spec.file]}} if spec.folder else {}
    named: Document = {"variables": {"MLDEPLOY_APP_NAME": spec.app}} if spec.unnamed else {}
    stages = [_check(spec), *(_stage(spec, stage) for stage in spec.stages)]
    return {
        "trigger": {**trigger, **paths},
        "pr": {"branches": {"include": [spec.branch]}, **paths},
        "pool": {"vmImage": "ubuntu-24.04"},
        **named,
        "stages": stages,
    }


def _check(spec: WorkflowSpec) -> Document:
    checks = list_checks(spec)
    branch = next((stage.name for stage in spec.stages if stage.kind is StageKind.BRANCH), "")
    chosen: Document = {"variables": {"MLDEPLOY_ENV": branch}} if branch else {}
    publish: Document = {"publish": "$(Agent.TempDirectory)/image", "artifact": ARTIFACT}
    python: Document = {"task": "UsePythonVersion@0", "inputs": {"versionSpec": spec.python}}
    steps = [_checkout(spec), python, *(_bash(spec, step) for step in checks if step.run)]
    job: Document = {"job": "check", "timeoutInMinutes": "45", **chosen}
    job["steps"] = [*steps, *([publish] if spec.is_staged else [])]
    condition: Document = {}
    if (production := spec.stage(StageKind.PRODUCTION)) and production.by_tag:
        condition = {"condition": "not(startsWith(variables['Build.SourceBranch'], 'refs/tags/'))"}
    return {"stage": "check", "displayName": "Lint, test, build", **condition, "jobs": [job]}


def _stage(spec: WorkflowSpec, stage: PipelineStage) -> Document:
    if stage.kind is StageKind.PRODUCTION:
        title, steps = f"Promote to {stage.name} on {spec.target}", list_promotion(spec, stage)
        needs: list[str] = [] if stage.by_tag else ["deploy"]
    else:
        where = f"{stage.name} on {spec.target}" if stage.name else spec.target
        title = f"Deploy to {where}" if spec.deploys else f"Push to {where}"
        steps = list_handover(spec, stage) if spec.is_staged else list_deployment(spec, stage.sign_in)
        needs = ["check"]
    return {
        "stage": "promote" if stage.kind is StageKind.PRODUCTION else "deploy",
        "displayName": title,
        "dependsOn": needs,
        "condition": _condition(spec, stage),
        "lockBehavior": "sequential",
        "variables": [{"group": stage.ci_environment}, *_chosen(stage)],
        "jobs": [_deployment(spec, stage, steps)],
    }


def _chosen(stage: PipelineStage) -> list[Document]:
    is_named = stage.name and stage.kind is not StageKind.PRODUCTION
    return [{"name": "MLDEPLOY_ENV", "value": stage.name}] if is_named else []


def _condition(spec: WorkflowSpec, stage: PipelineStage) -> str:
    """A pull request's build has a ref of its own, and is never deployed."""
    ref = "variables['Build.SourceBranch']"
    if stage.by_tag:
        return f"and(succeeded(), startsWith({ref}, 'refs/tags/{TAGS.rstrip('*')}'))"
    return f"and(succeeded(), eq({ref}, 'refs/heads/{spec.branch}'))"


def _deployment(spec: WorkflowSpec, stage: PipelineStage, steps: Iterable[WorkflowStep]) -> Document:
    """An environment's approvals and checks are waited for before its job begins."""
    depth = "0" if stage.kind is StageKind.PRODUCTION else "1"
    download: list[Document] = []
    if spec.is_staged and stage.kind is not StageKind.PRODUCTION:
        download = [
            {"download": "current", "artifact": ARTIFACT},
            {
                "bash": f'mv "$PIPELINE_WORKSPACE/{ARTIFACT}" "$AGENT_TEMPDIRECTORY/image"',
                "displayName": "Take the image",
            },
        ]
    deploy: Document = {"steps": [_checkout(spec, depth), *download, *_signed_in(spec, stage, steps)]}
    return {
        "deployment": "promote" if stage.kind is StageKind.PRODUCTION else "deploy",
        "timeoutInMinutes": "60",
        "environment": stage.ci_environment,
        "strategy": {"runOnce": {"deploy": deploy}},
    }


def _signed_in(spec: WorkflowSpec, stage: PipelineStage, steps: Iterable[WorkflowStep]) -> list[Document]:
    """What comes before the sign-in runs without it; the rest is one script of the task that signs in."""
    ran = [step for step in steps if step.run and not step.when]
    if not stage.sign_in.federated:
        secrets = {
            name: f"$({name})" for name in _SECRET_NAMES if name in stage.sign_in.secrets or _is_env_file(spec, name)
        }
        lines = [line for step in ran for line in ("# " + step.name, *plain_lines(step.run))]
        return [_script(spec, "Sign in and deploy", lines, secrets)]
    first = [step for step in ran if step.name == "Install mldeploy"]
    rest = [step for step in ran if step not in first]
    lines = ['ID_TOKEN="$idToken"', *(line for step in rest for line in ("# " + step.name, *plain_lines(step.run)))]
    task: Document = {
        "task": "AzureCLI@2",
        "displayName": "Sign in and deploy",
        "inputs": {
            "azureSubscription": stage.ci_environment,
            "scriptType": "bash",
            "scriptLocation": "inlineScript",
            "addSpnToEnvironment": True,
            **({"workingDirectory": spec.folder} if spec.folder else {}),
            "inlineScript": "\n".join(("set -eo pipefail", _START, *lines, "")),
        },
    }
    if spec.env_file:
        task["env"] = {"APP_ENV_FILE": "$(APP_ENV_FILE)"}
    return [*(_bash(spec, step) for step in first), task]


def _is_env_file(spec: WorkflowSpec, name: str) -> bool:
    return name == "APP_ENV_FILE" and bool(spec.env_file)


def _bash(spec: WorkflowSpec, step: WorkflowStep) -> Document:
    return _script(spec, step.name, plain_lines(step.run), {})


def _script(spec: WorkflowSpec, name: str, lines: Iterable[str], env: dict[str, str]) -> Document:
    """Secret variables reach a script only where they are named."""
    where: Document = {"workingDirectory": spec.folder} if spec.folder else {}
    text = "\n".join(("set -eo pipefail", _START, *lines, ""))
    return {"bash": text, "displayName": name, **where, **({"env": env} if env else {})}


def _checkout(spec: WorkflowSpec, depth: str = "1") -> Document:
    large: Document = {"lfs": "true"} if spec.large_files else {}
    return {"checkout": "self", "persistCredentials": "false", "fetchDepth": depth, **large}
