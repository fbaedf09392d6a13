"""The workflow as values: two jobs, one that everybody's change goes through, and one that deploys."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from mldeploy.ci.installing import Installation
from mldeploy.ci.linting import Tool
from mldeploy.ci.signing.base import SignIn, secret
from mldeploy.ci.steps import Step
from mldeploy.ci.testing import Tests

FOLDER = ".github/workflows"
BESIDE = "source"
"""Where the repository is checked out if nothing may be written beside the app."""
RESULT = '"$RUNNER_TEMP/mldeploy.json"'
OF_VARIABLES = "MLDEPLOY_ENV_FILE"
"""The secret that holds the app's file of variables."""


@dataclass(frozen=True)
class Wanted:
    """All that decides the file. Equal values give the same file.

    folder: the app's path in the repository, "" for its root. python: a feature release, "3.11". unnamed: the app has
    the name of its folder, which a runner calls something else. runner: the label of the machines that the jobs run
    on. extra: of mldeploy's package, for the target's SDK; "" for none. env_file: a file of variables, below the app's
    folder, that the repository does not have; "" if there is none.
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
    tests: Tests
    sign_in: SignIn
    unnamed: bool
    runner: str
    extra: str = ""
    env_file: str = ""

    @property
    def requirement(self) -> str:
        """What brings mldeploy and the target's SDK."""
        return f"mldeploy{self.extra and f'[{self.extra}]'}=={self.version}"

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
    def place(self) -> str:
        """Where the deploying job's lines run."""
        return "/".join(filter(None, (BESIDE if self.sign_in.aside else "", self.folder)))


def checks(wanted: Wanted) -> tuple[Step, ...]:
    """What every change goes through. Nobody is signed in."""
    return (
        _checkout(wanted),
        _python(wanted),
        *_dependencies(wanted),
        *(_lint(wanted, tool) for tool in wanted.linters),
        *_tests(wanted),
        Step("Install mldeploy", (f"pipx install 'mldeploy=={wanted.version}'",)),
        _build(wanted),
    )


def deployment(wanted: Wanted) -> tuple[Step, ...]:
    """What follows where everything was good. Nobody is signed in while the image is built."""
    return (
        _checkout(wanted, BESIDE if wanted.sign_in.aside else ""),
        Step("Install mldeploy", (f"pipx install '{wanted.requirement}'",)),
        *_variables(wanted),
        Step("Build the image", ("mldeploy build",), why="Before anybody is signed in; what follows finds it built."),
        *wanted.sign_in.steps,
        _bring(wanted),
        _summary(wanted),
    )


def _checkout(wanted: Wanted, path: str = "") -> Step:
    given = [("persist-credentials", "false")]
    given += [("lfs", "true")] if wanted.large_files else []
    given += [("path", path)] if path else []
    return Step("Check out the repository", uses="actions/checkout@v6", given=tuple(given))


def _python(wanted: Wanted) -> Step:
    cached = wanted.installation.cached
    path = "/".join(filter(None, (wanted.folder, cached)))
    kept = (("cache", "pip"), ("cache-dependency-path", path)) if cached else ()
    given = (("python-version", wanted.python), *kept)
    return Step(f"Set up Python {wanted.python}", uses="actions/setup-python@v6", given=given)


def _dependencies(wanted: Wanted) -> Iterator[Step]:
    runner = (wanted.tests.runner,) if wanted.tests.runner else ()
    lines = wanted.installation.with_tools((*wanted.linters, *runner))
    if lines:
        what = wanted.installation.what
        yield Step(f"Install the dependencies of {what}" if what else "Install the tools", lines)


def _lint(wanted: Wanted, tool: Tool) -> Step:
    return Step(f"Lint with {tool.package}", (wanted.installation.run(tool),), why=tool.why.capitalize() + ".")


def _tests(wanted: Wanted) -> Iterator[Step]:
    if runner := wanted.tests.runner:
        yield Step(f"Test with {runner.module}", (wanted.installation.run(runner),))


def _build(wanted: Wanted) -> Step:
    if wanted.env_file:
        why = "The app's variables are known to the deployment alone, which starts the image and looks at it."
        lines = (f"touch {shlex.quote(wanted.env_file)}", "mldeploy build --no-check")
        return Step("Build the image", lines, why=why)
    return Step("Build the image and check it", ("mldeploy build",))


def _variables(wanted: Wanted) -> Iterator[Step]:
    if wanted.env_file:
        lines = ("umask 077", f'printf "%s\\n" "$ENV_FILE" > {shlex.quote(wanted.env_file)}')
        yield Step("Write the app's variables", lines, env=(("ENV_FILE", secret(OF_VARIABLES)),))


def _bring(wanted: Wanted) -> Step:
    """The address goes to the environment that GitHub shows."""
    lines = [f"mldeploy {wanted.verb} --target {wanted.target} --json > {RESULT}"]
    if wanted.deploys:
        lines.append(f"""jq --raw-output '"url=\\(.url)"' {RESULT} >> "$GITHUB_OUTPUT\"""")
    name = "Deploy" if wanted.deploys else "Push the image"
    return Step(name, tuple(lines), env=wanted.sign_in.env, id="mldeploy")


def _summary(wanted: Wanted) -> Step:
    image = "`\\(.image.reference)`"
    good = f'"\\(.app) on \\(.target): [\\(.url)](\\(.url))\\n\\n{image}"' if wanted.deploys else f'"{image}"'
    bad = '"\\(.error.where): \\(.error.what)\\n\\n\\(.error.todo)"'
    lines = (
        f"if test -s {RESULT}; then",
        f"""  jq --raw-output 'if .error then {bad} else {good} end' {RESULT} >> "$GITHUB_STEP_SUMMARY\"""",
        "fi",
    )
    return Step("Say what became of it", lines, when="${{ !cancelled() }}")
