"""The workflow as values: what decides it, and the steps that check every change and deploy."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from mldeploy.ci.installing import Installation
from mldeploy.ci.signing.base import CiSystem, SignIn, WorkflowStep, secret
from mldeploy.ci.stages import PipelineStage, StageKind
from mldeploy.ci.tools import TestSuite, Tool

FOLDER = ".github/workflows"
CHECKOUT_FOLDER = "source"
"""Where the repository is checked out if nothing may be written beside the app."""
RESULT = '"$RUNNER_TEMP/mldeploy.json"'
HANDED_OVER = "${{ runner.temp }}/image"
"""The folder of the image that one job hands over to another."""
ENV_FILE_NAME = "MLDEPLOY_ENV_FILE"
"""The secret that holds the app's file of variables."""
ENV_FILE_VARIABLE = "APP_ENV_FILE"
"""The same where each variable is in the job's environment: those of mldeploy begin with MLDEPLOY."""


@dataclass(frozen=True)
class WorkflowSpec:
    """All that decides the file. Equal values give the same file.

    folder: the app's path in the repository, "" for its root. python: a feature release, "3.11". unnamed: the app has
    the name of its folder, which a runner calls something else. runner: the label of the machines that the jobs run
    on. requirements: what installs mldeploy with the target's SDK, and the package of the target's provider ("" if that
    is mldeploy). env_file: a file of variables, below the app's folder, that the repository does not have; "" if there
    is none.
    """

    version: str
    app: str
    target: str
    verb: str
    branch: str
    folder: str
    environment: str
    python: str
    large_files: bool
    installation: Installation
    linters: tuple[Tool, ...]
    tests: TestSuite
    stages: tuple[PipelineStage, ...]
    unnamed: bool
    runner: str
    requirements: tuple[str, str]
    env_file: str = ""
    system: CiSystem = CiSystem.GITHUB

    @property
    def install_commands(self) -> tuple[str, ...]:
        """Install mldeploy, the target's provider and its SDK."""
        mldeploy, plugin = self.requirements
        return (f"pipx install '{mldeploy}'", *((f"pipx inject mldeploy '{plugin}'",) if plugin else ()))

    @property
    def deploys(self) -> bool:
        return self.verb == "deploy"

    @property
    def file(self) -> str:
        """Where the system looks for it. A repository that holds more than one app has one for each."""
        if self.system is CiSystem.GITLAB:
            return f".gitlab/mldeploy-{self.app}.yml" if self.folder else ".gitlab-ci.yml"
        if self.system is CiSystem.AZURE_PIPELINES:
            return f"azure-pipelines-{self.app}.yml" if self.folder else "azure-pipelines.yml"
        return f"{FOLDER}/mldeploy-{self.app}.yml" if self.folder else f"{FOLDER}/mldeploy.yml"

    @property
    def paths(self) -> tuple[str, ...]:
        """Which changes concern the app, where the repository holds more than that; a filter's own signs escaped."""
        return (re.sub(r"([\\*?+\[\]!])", r"\\\1", self.folder) + "/**", self.file) if self.folder else ()

    @property
    def is_staged(self) -> bool:
        """Whether it deploys to environments of the configuration. One job then builds, and others deploy."""
        return any(stage.name for stage in self.stages)

    def stage(self, kind: StageKind) -> PipelineStage | None:
        """The stage of a kind, if there is one."""
        return next((stage for stage in self.stages if stage.kind is kind), None)

    def working_folder(self, sign_in: SignIn) -> str:
        """The working directory of a deploying job."""
        return "/".join(filter(None, (CHECKOUT_FOLDER if sign_in.aside else "", self.folder)))


def list_checks(spec: WorkflowSpec) -> tuple[WorkflowStep, ...]:
    """What every change goes through. Nobody is signed in."""
    return (
        _checkout(spec),
        _python(spec),
        *_dependencies(spec),
        *(_lint(spec, tool) for tool in spec.linters),
        *_tests(spec),
        WorkflowStep("Install mldeploy", (f"pipx install 'mldeploy=={spec.version}'",)),
        _build(spec),
        *((_upload(),) if spec.is_staged else ()),
    )


def list_deployment(spec: WorkflowSpec, sign_in: SignIn) -> tuple[WorkflowStep, ...]:
    """What follows where everything was good. Nobody is signed in while the image is built."""
    return (
        *_prelude(spec, sign_in),
        *_variables(spec),
        WorkflowStep(
            "Build the image", ("mldeploy build",), why="Before the sign-in. Later steps use the built image."
        ),
        *sign_in.steps,
        _deploy(spec, sign_in),
        _summary(spec),
    )


def list_handover(spec: WorkflowSpec, stage: PipelineStage) -> tuple[WorkflowStep, ...]:
    """What deploys the image that the checking job has built. Nothing of the app runs here."""
    download = WorkflowStep(
        "Download the image", uses="actions/download-artifact@v8", given=(("name", "image"), ("path", HANDED_OVER))
    )
    return (
        *_prelude(spec, stage.sign_in),
        *_variables(spec),
        download,
        *stage.sign_in.steps,
        _deploy(spec, stage.sign_in, f' --image "$RUNNER_TEMP/image"{stage.confirmation}'),
        _summary(spec),
    )


def list_promotion(spec: WorkflowSpec, stage: PipelineStage) -> tuple[WorkflowStep, ...]:
    """What brings the image of one environment to the next one. Nothing of the app runs here."""
    (source,) = stage.sources
    words = f"promote {source} {stage.name} --target {spec.target} --no-check{stage.confirmation} --json"
    lines = (f"mldeploy {words} > {RESULT}", _OUTPUT)
    return (
        *_prelude(spec, stage.sign_in, depth="0"),
        *_variables(spec),
        *stage.sign_in.steps,
        _same_commit(spec, source, stage.sign_in),
        WorkflowStep(f"Promote the image of {source}", lines, env=stage.sign_in.env, id="mldeploy"),
        _summary(spec),
    )


def list_removal(spec: WorkflowSpec, stage: PipelineStage) -> tuple[WorkflowStep, ...]:
    """What removes a preview, and proves it."""
    destroy = f"mldeploy destroy --target {spec.target} --yes --json"
    proof = WorkflowStep(
        "Prove that nothing is left",
        (f"{destroy} > {RESULT}", f"jq --exit-status '.removed == []' {RESULT}"),
        env=stage.sign_in.env,
        why="A second removal asks the platform again for everything with the preview's name.",
    )
    return (
        *_prelude(spec, stage.sign_in),
        *_variables(spec),
        *stage.sign_in.steps,
        WorkflowStep("Remove the preview", (destroy,), env=stage.sign_in.env),
        proof,
    )


def list_comment(spec: WorkflowSpec) -> tuple[WorkflowStep, ...]:
    """What says on the pull request where the preview is, or that it is gone: one comment, which is kept up to date."""
    mark = f"<!-- mldeploy {spec.app} {spec.target} -->"
    comments = "repos/$GITHUB_REPOSITORY/issues"
    found = f"""[.[] | select(.body | startswith("{mark}")) | .id] | first // empty"""
    lines = (
        f"TEXT='Preview of {spec.app} on {spec.target}'",
        """if [[ -n $URL ]]; then TEXT="$TEXT: $URL ($COMMIT)"; else TEXT="$TEXT: removed, nothing is left."; fi""",
        f"BODY=$(printf '%s\\n%s' '{mark}' \"$TEXT\")",
        f"""ID=$(gh api --paginate "{comments}/$NUMBER/comments" --jq '{found}' | sed -n 1p)""",
        "if [[ -n $ID ]]; then",
        f"""  gh api --silent --method PATCH "{comments}/comments/$ID" --raw-field body="$BODY\"""",
        "else",
        f"""  gh api --silent --method POST "{comments}/$NUMBER/comments" --raw-field body="$BODY\"""",
        "fi",
    )
    env = (
        ("GH_TOKEN", "${{ github.token }}"),
        ("NUMBER", "${{ github.event.pull_request.number }}"),
        ("COMMIT", "${{ github.event.pull_request.head.sha }}"),
        ("URL", "${{ needs.preview.outputs.url }}"),
    )
    return (WorkflowStep("Comment on the pull request", lines, env=env),)


def _prelude(spec: WorkflowSpec, sign_in: SignIn, depth: str = "") -> Iterator[WorkflowStep]:
    """What a job that signs in begins with."""
    yield _checkout(spec, CHECKOUT_FOLDER if sign_in.aside else "", depth)
    yield WorkflowStep("Install mldeploy", spec.install_commands)


def _same_commit(spec: WorkflowSpec, source: str, sign_in: SignIn) -> WorkflowStep:
    """A tag may be of a commit that the source does not serve yet, or no more."""
    status = f"mldeploy status --env {source} --target {spec.target} --json"
    files = "-- . ':!*.md' ':!.github'"
    lines = (
        f"COMMIT=$({status} | jq --raw-output '.release.commit // empty')",
        f'if ! git diff --quiet "${{COMMIT:-none}}" HEAD {files} 2> "$RUNNER_TEMP/git.txt"; then',
        f"""  echo "::error::{source} serves the commit ${{COMMIT:-unknown}}, which has other files than this one.\"""",
        "  exit 1",
        "fi",
    )
    why = "What is promoted is what the environment serves. Its files must be those of this commit."
    return WorkflowStep(f"Compare with what {source} serves", lines, env=sign_in.env, why=why)


def _checkout(spec: WorkflowSpec, path: str = "", depth: str = "") -> WorkflowStep:
    given = [("persist-credentials", "false")]
    given += [("lfs", "true")] if spec.large_files else []
    given += [("path", path)] if path else []
    given += [("fetch-depth", depth)] if depth else []
    return WorkflowStep("Check out the repository", uses="actions/checkout@v6", given=tuple(given))


def _python(spec: WorkflowSpec) -> WorkflowStep:
    # What is deployed must not be built with what another run has left in a cache.
    cached = "" if spec.is_staged else spec.installation.cached
    path = "/".join(filter(None, (spec.folder, cached)))
    kept = (("cache", "pip"), ("cache-dependency-path", path)) if cached else ()
    given = (("python-version", spec.python), *kept)
    return WorkflowStep(f"Set up Python {spec.python}", uses="actions/setup-python@v6", given=given)


def _dependencies(spec: WorkflowSpec) -> Iterator[WorkflowStep]:
    runner = (spec.tests.runner,) if spec.tests.runner else ()
    lines = spec.installation.with_tools((*spec.linters, *runner))
    if lines:
        what = spec.installation.what
        yield WorkflowStep(f"Install the dependencies of {what}" if what else "Install the tools", lines)


def _lint(spec: WorkflowSpec, tool: Tool) -> WorkflowStep:
    return WorkflowStep(f"Lint with {tool.package}", (spec.installation.run(tool),), why=tool.why.capitalize() + ".")


def _tests(spec: WorkflowSpec) -> Iterator[WorkflowStep]:
    if runner := spec.tests.runner:
        yield WorkflowStep(f"Test with {runner.module}", (spec.installation.run(runner),))


def _build(spec: WorkflowSpec) -> WorkflowStep:
    save = ' --save "$RUNNER_TEMP/image"' if spec.is_staged else ""
    if spec.env_file:
        who = "the deployment" if spec.is_staged else "the deployment, which checks the image"
        why = f"The app's variables are available only to {who}."
        lines = (f"touch {shlex.quote(spec.env_file)}", f"mldeploy build --no-check{save}")
        return WorkflowStep("Build the image", lines, why=why)
    return WorkflowStep("Build the image and check it", (f"mldeploy build{save}",))


def _upload() -> WorkflowStep:
    given = (("name", "image"), ("path", HANDED_OVER), ("retention-days", "1"), ("compression-level", "1"))
    return WorkflowStep("Hand the image over", uses="actions/upload-artifact@v7", given=given)


def _variables(spec: WorkflowSpec) -> Iterator[WorkflowStep]:
    if spec.env_file:
        lines = ("umask 077", f'printf "%s\\n" "$ENV_FILE" > {shlex.quote(spec.env_file)}')
        yield WorkflowStep("Write the app's variables", lines, env=(("ENV_FILE", secret(ENV_FILE_NAME)),))


_OUTPUT = f"""jq --raw-output '"url=\\(.url)"' {RESULT} >> "$GITHUB_OUTPUT\""""
"""The address goes to the environment that GitHub shows."""


def _deploy(spec: WorkflowSpec, sign_in: SignIn, options: str = "") -> WorkflowStep:
    lines = [f"mldeploy {spec.verb} --target {spec.target}{options} --json > {RESULT}"]
    if spec.deploys:
        lines.append(_OUTPUT)
    name = "Deploy" if spec.deploys else "Push the image"
    return WorkflowStep(name, tuple(lines), env=sign_in.env, id="mldeploy")


def _summary(spec: WorkflowSpec) -> WorkflowStep:
    image = "`\\(.image.reference)`"
    good = f'"\\(.app) on \\(.target): [\\(.url)](\\(.url))\\n\\n{image}"' if spec.deploys else f'"{image}"'
    bad = '"\\(.error.where): \\(.error.what)\\n\\n\\(.error.todo)"'
    lines = (
        f"if test -s {RESULT}; then",
        f"""  jq --raw-output 'if .error then {bad} else {good} end' {RESULT} >> "$GITHUB_STEP_SUMMARY\"""",
        "fi",
    )
    return WorkflowStep("Write the summary", lines, when="${{ !cancelled() }}")
