"""Workflow steps and the sign-in of a workflow: the common types."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mldeploy.config.environments import PREVIEW, environment_key
from mldeploy.config.errors import ConfigError

ISSUER = "https://token.actions.githubusercontent.com"
"""Who signs the tokens of GitHub's jobs: https://docs.github.com/en/actions/reference/security/oidc"""

UNKNOWN_REPOSITORY = "OWNER/NAME"
"""Stands for a repository that git does not name."""

_WORD = re.compile(r"[A-Za-z0-9._:/@+-]*")


class CiSystem(StrEnum):
    """CI systems for which a pipeline can be written."""

    GITHUB = "github"
    GITLAB = "gitlab"
    AZURE_PIPELINES = "azure-pipelines"

    @property
    def label(self) -> str:
        """As its makers write it."""
        return {"github": "GitHub", "gitlab": "GitLab", "azure-pipelines": "Azure Pipelines"}[self.value]


@dataclass(frozen=True)
class PromotionSource:
    """An environment whose image is promoted. table: of the target there; it is not checked."""

    name: str
    table: Mapping[str, object]

    def setting(self, key: str) -> str:
        """The text of a key, "" if there is none, or more than a word."""
        value = self.table.get(key, "")
        return value if isinstance(value, str) and _WORD.fullmatch(value) else ""


@dataclass(frozen=True)
class SignInContext:
    """The app, target, repository and branch of a sign-in.

    table: what stands in the target's own table of the configuration; it is not checked. environment: the CI system's,
    in which the deploying job runs, and for which alone it is trusted. stage: the environment of the configuration that
    it deploys to, "" without one. sources: those whose image it promotes. own: what that environment's own table says
    of the target.
    """

    app: str
    target: str
    repository: str
    branch: str
    environment: str
    command: str
    """How `mldeploy policy` is called for it."""
    table: Mapping[str, object]
    system: CiSystem = CiSystem.GITHUB
    host: str = "gitlab.com"
    """Of GitLab, whose instances are many."""
    ref_type: str = "branch"
    ref: str = ""
    """From where it is deployed: a branch or a tag, which GitLab's tokens name; `*` stands for any text."""
    stage: str = ""
    sources: tuple[PromotionSource, ...] = ()
    own: Mapping[str, object] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The app's name in the environment."""
        return environment_key(self.app, self.stage) if self.stage else self.app

    @property
    def is_preview(self) -> bool:
        """Whether the job deploys any pull request."""
        return self.stage == PREVIEW

    @property
    def commands(self) -> tuple[str, ...]:
        """How `mldeploy policy` is called for all that the job works on: its own environment first."""
        return (self.command, *(f"mldeploy policy --target {self.target} --env {each.name}" for each in self.sources))

    def require_isolation(self, key: str, example: str) -> None:
        """Require that the previews have something of their own, to which a role can be limited.

        Raises ConfigError if they share it with the other environments.
        """
        if self.is_preview and not self.own.get(key):
            what = "is missing: without it, no role can be limited to the previews of pull requests"
            todo = f'Add {key} = "{example}" to [env.{PREVIEW}.target.{self.target}] in mldeploy.toml.'
            raise ConfigError(f"env.{PREVIEW}.target.{self.target}.{key}", what, todo)

    def setting(self, key: str) -> str:
        """The text that a key of the target's table holds, "" if there is none.

        Somebody will paste it into a shell. Raises ConfigError if it is more than a word there.
        """
        value = self.table.get(key, "")
        text = value if isinstance(value, str) else ""
        if not _WORD.fullmatch(text):
            what = "contains characters that a shell or GitHub does not read literally"
            raise ConfigError(f"target.{self.target}.{key}", what, "Use only letters, digits and . _ - + : / @.")
        return text

    @property
    def subject(self) -> str:
        """What the CI system calls a job: GitHub of this repository in this environment, by names; GitLab by its ref.

        https://docs.gitlab.com/ci/secrets/id_token_authentication/#token-payload
        """
        if self.system is CiSystem.GITLAB:
            return f"project_path:{self.repository}:ref_type:{self.ref_type}:ref:{self.ref}"
        if self.system is CiSystem.AZURE_PIPELINES:
            return "$SUBJECT"
        return f"repo:{self.repository}:environment:{self.environment}"

    @property
    def issuer(self) -> str:
        """Who signs the tokens of its jobs."""
        if self.system is CiSystem.AZURE_PIPELINES:
            return "$ISSUER"
        return f"https://{self.host}" if self.system is CiSystem.GITLAB else ISSUER

    @property
    def scope(self) -> str:
        """The environments of GitLab that read a variable. Each preview has one."""
        return f"{self.environment}/*" if self.is_preview else self.environment

    @property
    def role(self) -> str:
        """What is made for the workflow bears this name."""
        return "-".join(filter(None, ("mldeploy-ci", self.app, self.stage)))

    @property
    def trusted(self) -> str:
        """Whose tokens are accepted, in words."""
        if self.system is CiSystem.AZURE_PIPELINES:
            return f"the service connection {self.environment}"
        return f"the jobs of this project's {self.ref_type} {self.ref}"

    @property
    def project(self) -> str:
        """The options of `az` that name the project of Azure DevOps."""
        organization, _, project = self.repository.partition("/")
        return f"--organization https://dev.azure.com/{organization} --project {project}"

    def variable(self, name: str, value: str = "") -> str:
        """The command that sets a variable of the environment; it asks for the value where none is given.

        value: as bash reads it between double quotes.
        """
        if self.system is CiSystem.GITLAB:
            given = f'"{value}"' if value else f'"$(read -rp "{name}: " && echo "$REPLY")"'
            return f"glab variable set {name} {given} --repo {self.repository} --scope '{self.scope}'"
        if self.system is CiSystem.AZURE_PIPELINES:
            given = f'"{value}"' if value else f'"$(read -rp "{name}: " && echo "$REPLY")"'
            return f"{self._group_variable} --name {name} --value {given}"
        body = f' --body "{value}"' if value else ""
        return f"gh variable set {name} --repo {self.repository} --env {self.environment}{body}"

    def secret(self, name: str, source: str = "", *, piped: bool = False) -> str:
        """The command that asks for a secret, or reads it from a file, so that it stands in no shell's history.

        piped: it reads what another command writes.
        """
        if self.system is CiSystem.GITLAB:
            stored = f"glab variable set {name} --repo {self.repository} --scope '{self.scope}'"
            if source or piped:
                return f"{stored} < {shlex.quote(source)}" if source else stored
            return f'read -rsp "{name}: " && printf %s "$REPLY" | {stored} --masked'
        if self.system is CiSystem.AZURE_PIPELINES:
            stored = f"{self._group_variable} --secret true --name {name}"  # asks for the value
            read = f"$(cat {shlex.quote(source)})" if source else "$(cat)"
            return f'AZURE_DEVOPS_EXT_PIPELINE_VAR_{name}="{read}" {stored}' if source or piped else stored
        read = f" < {shlex.quote(source)}" if source else ""
        return f"gh secret set {name} --repo {self.repository} --env {self.environment}{read}"

    @property
    def _group_variable(self) -> str:
        """https://learn.microsoft.com/cli/azure/pipelines/variable-group/variable"""
        return f'az pipelines variable-group variable create {self.project} --group-id "$GROUP_ID"'


@dataclass(frozen=True)
class SetupStep:
    """Something that somebody has to do once, before the first deployment. commands: lines of bash, in order."""

    what: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class SignIn:
    """How the deploying job gets its credentials.

    federated: by a token that is issued to that very job. audience: whom GitLab's token is for. aside: an action leaves
    a file where it stands, so the repository is checked out beside it. variables, secrets: names of what the workflow
    reads. remarks: what one should know of it.
    """

    steps: tuple[WorkflowStep, ...]
    once: tuple[SetupStep, ...]
    variables: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    env: Pairs = ()
    federated: bool = False
    aside: bool = False
    audience: str = ""
    remarks: tuple[str, ...] = ()


def var(name: str) -> str:
    """A variable of the repository or the environment, as an expression."""
    return f"${{{{ vars.{name} }}}}"


def secret(name: str) -> str:
    """A secret, as an expression: for `env` alone."""
    return f"${{{{ secrets.{name} }}}}"


def identity_command(repository: str) -> str:
    """A line of bash that sets IDENTITY to the repository's name with the numbers by which newer subjects name it.

    https://docs.github.com/en/actions/reference/security/oidc#immutable-subject-claims
    """
    query = r'"\(.owner.login)@\(.owner.id)/\(.name)@\(.id)"'
    return f"IDENTITY=$(gh api repos/{repository} --jq '{query}')"


TOKEN_FILE = '"$RUNNER_TEMP/token"'  # noqa: S105 - a path
KEEP_TOKEN = ("umask 077", f'printf "%s" "$ID_TOKEN" > {TOKEN_FILE}')
"""Lines of bash that put the job's own token into a file, where the clouds' SDKs read it."""


Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class WorkflowStep:
    """A step as GitHub reads it: an action that is used, or lines of bash that are run.

    `run` must not contain input from events or other people: pass it through `env`.
    given: the action's inputs (`with`). why: a comment above it.
    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idsteps
    """

    name: str
    run: tuple[str, ...] = ()
    uses: str = ""
    given: Pairs = ()
    env: Pairs = ()
    id: str = ""
    when: str = ""
    why: str = ""
