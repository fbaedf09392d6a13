"""The environments that a pipeline deploys to: previews of pull requests, staging, production."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from mldeploy.ci.signing.base import SignIn
from mldeploy.config.environments import PREVIEW, environment_override
from mldeploy.config.errors import ConfigError
from mldeploy.config.load import list_environments, load

STAGING, PRODUCTION = "staging", "production"
TAGS = "v*"
"""The tags that promote."""


class StageKind(StrEnum):
    """What leads to a deployment there."""

    PREVIEW = "preview"
    BRANCH = "branch"
    PRODUCTION = "production"


class PromotionTrigger(StrEnum):
    """What leads to a promotion: a tag, or somebody's approval of what the branch's pipeline has deployed."""

    TAG = "tag"
    APPROVAL = "approval"


@dataclass(frozen=True)
class StageChoice:
    """What the user chose. environment: to which the branch is deployed. promote: the one after it. None: not said."""

    environment: str | None = None
    promote: str | None = None
    trigger: PromotionTrigger = PromotionTrigger.TAG


@dataclass(frozen=True)
class PipelineStage:
    """name: of the environment, "" for the app without one. sources: environments whose image is promoted to it.

    ci_environment: the CI system's own. protected: its name is to be confirmed.
    """

    kind: StageKind
    name: str = ""
    protected: bool = False
    sources: tuple[str, ...] = ()
    trigger: PromotionTrigger | None = None
    ci_environment: str = ""
    sign_in: SignIn = field(default_factory=lambda: SignIn((), ()))

    @property
    def by_tag(self) -> bool:
        return self.trigger is PromotionTrigger.TAG

    @property
    def by_approval(self) -> bool:
        return self.trigger is PromotionTrigger.APPROVAL

    def ref(self, branch: str) -> tuple[str, str]:
        """The type and name of the git refs that lead here; `*` stands for any text."""
        if self.kind is StageKind.PREVIEW:
            return "branch", "*"
        return ("tag", TAGS) if self.by_tag else ("branch", branch)

    @property
    def confirmation(self) -> str:
        """The option that confirms the environment, with a space before it; "" if it needs none.

        The tag or the approval is what the typed name is at a terminal.
        """
        return f" --confirm {self.name}" if self.protected else ""


@dataclass(frozen=True)
class StageList:
    """stages: in the order in which a change passes them. remarks: sentences on those that are left out."""

    stages: tuple[PipelineStage, ...]
    remarks: tuple[str, ...] = ()


def list_stages(folder: Path, choice: StageChoice, *, deploys: bool, previews: bool = True) -> StageList:
    """Return the stages of a project's pipeline. Reads the configuration. Raises ConfigError.

    deploys: whether the target runs apps. A registry has no environments: there is nothing to promote. previews:
    whether the CI system tells when a pull request is closed; nothing else would remove them.
    """
    names = list_environments(folder)
    if not deploys:
        unused = (f"environments are left out: the target runs no apps ({', '.join(names)})",) if names else ()
        return StageList((PipelineStage(StageKind.BRANCH),), unused)
    branch = _named("--env", choice.environment, STAGING, names)
    production = _named("--promote", choice.promote, PRODUCTION, names)
    if choice.promote and not branch:
        what = "needs an environment whose image is promoted"
        raise ConfigError("--promote", what, f"Add [env.{STAGING}] to mldeploy.toml, or name one with --env.")
    stages = [PipelineStage(StageKind.BRANCH, branch, _is_protected(folder, branch))]
    if PREVIEW in names and branch != PREVIEW and previews:
        _refuse_protected_previews(folder)
        stages.insert(0, PipelineStage(StageKind.PREVIEW, PREVIEW))
    if branch and production and production != branch:
        protected = _is_protected(folder, production)
        stages.append(PipelineStage(StageKind.PRODUCTION, production, protected, (branch,), choice.trigger))
    left = [name for name in names if name not in {stage.name for stage in stages}]
    remark = f"environments are left out: {', '.join(left)} (--env and --promote choose other ones)"
    unseen = "there are no previews: nothing runs when a pull request is closed, so nobody would remove them"
    return StageList(tuple(stages), (*((remark,) if left else ()), *(() if previews else (unseen,))))


def _named(flag: str, chosen: str | None, usual: str, names: tuple[str, ...]) -> str:
    """The chosen environment, else the usual one if there is such one, else ""."""
    if chosen is not None and chosen not in names:
        known = f"Environments: {', '.join(sorted(names))}." if names else f"Add [env.{chosen}] to mldeploy.toml."
        raise ConfigError(flag, f'there is no environment "{chosen}"', known)
    return chosen or (usual if usual in names else "")


def _is_protected(folder: Path, name: str) -> bool:
    environment = load(folder, environment_override(name)).app.environment if name else None
    return environment is not None and environment.protected


def _refuse_protected_previews(folder: Path) -> None:
    if _is_protected(folder, PREVIEW):
        what = "previews come and go with pull requests, so nobody can confirm them"
        raise ConfigError(f"env.{PREVIEW}.protected", what, "Remove it.")
