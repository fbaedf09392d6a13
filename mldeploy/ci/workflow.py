"""The workflow as values: a job that checks every change, and a job that deploys."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from mldeploy.ci.installing import Installation
from mldeploy.ci.signing.base import SignIn, WorkflowStep, secret
from mldeploy.ci.tools import TestSuite, Tool

FOLDER = ".github/workflows"
CHECKOUT_FOLDER = "source"
"""Where the repository is checked out if nothing may be written beside the app."""
RESULT = '"$RUNNER_TEMP/mldeploy.json"'
ENV_FILE_NAME = "MLDEPLOY_ENV_FILE"
"""The secret that holds the app's file of variables."""


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
    sign_in: SignIn
    unnamed: bool
    runner: str
    requirements: tuple[str, str]
    env_file: str = ""

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
        """Where GitHub looks for it. A repository that holds more than one app has one for each."""
        return f"{FOLDER}/mldeploy-{self.app}.yml" if self.folder else f"{FOLDER}/mldeploy.yml"

    @property
    def paths(self) -> tuple[str, ...]:
        """Which changes concern the app, where the repository holds more than that; a filter's own signs escaped."""
        return (re.sub(r"([\\*?+\[\]!])", r"\\\1", self.folder) + "/**", self.file) if self.folder else ()

    @property
    def working_folder(self) -> str:
        """The working directory of the deploying job."""
        return "/".join(filter(None, (CHECKOUT_FOLDER if self.sign_in.aside else "", self.folder)))


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
    )


def list_deployment(spec: WorkflowSpec) -> tuple[WorkflowStep, ...]:
    """What follows where everything was good. Nobody is signed in while the image is built."""
    return (
        _checkout(spec, CHECKOUT_FOLDER if spec.sign_in.aside else ""),
        WorkflowStep("Install mldeploy", spec.install_commands),
        *_variables(spec),
        WorkflowStep(
            "Build the image", ("mldeploy build",), why="Before the sign-in. Later steps use the built image."
        ),
        *spec.sign_in.steps,
        _deploy(spec),
        _summary(spec),
    )


def _checkout(spec: WorkflowSpec, path: str = "") -> WorkflowStep:
    given = [("persist-credentials", "false")]
    given += [("lfs", "true")] if spec.large_files else []
    given += [("path", path)] if path else []
    return WorkflowStep("Check out the repository", uses="actions/checkout@v6", given=tuple(given))


def _python(spec: WorkflowSpec) -> WorkflowStep:
    cached = spec.installation.cached
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
    if spec.env_file:
        why = "The app's variables are available only to the deployment, which checks the image."
        lines = (f"touch {shlex.quote(spec.env_file)}", "mldeploy build --no-check")
        return WorkflowStep("Build the image", lines, why=why)
    return WorkflowStep("Build the image and check it", ("mldeploy build",))


def _variables(spec: WorkflowSpec) -> Iterator[WorkflowStep]:
    if spec.env_file:
        lines = ("umask 077", f'printf "%s\\n" "$ENV_FILE" > {shlex.quote(spec.env_file)}')
        yield WorkflowStep("Write the app's variables", lines, env=(("ENV_FILE", secret(ENV_FILE_NAME)),))


def _deploy(spec: WorkflowSpec) -> WorkflowStep:
    """The address goes to the environment that GitHub shows."""
    lines = [f"mldeploy {spec.verb} --target {spec.target} --json > {RESULT}"]
    if spec.deploys:
        lines.append(f"""jq --raw-output '"url=\\(.url)"' {RESULT} >> "$GITHUB_OUTPUT\"""")
    name = "Deploy" if spec.deploys else "Push the image"
    return WorkflowStep(name, tuple(lines), env=spec.sign_in.env, id="mldeploy")


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
