"""Protected environments: their name must be typed before the first deployment and before a removal."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from mldeploy.cli.deployment import AppDeployment
from mldeploy.cli.errors import UsageError
from mldeploy.cli.run import CommandRun
from mldeploy.config.environments import environment_override
from mldeploy.config.load import list_environments, load
from mldeploy.core.errors import MldeployError


def confirm_first_deployment(run: CommandRun, deployment: AppDeployment, confirmed: str | None) -> None:
    """Require the name of a protected environment to which nothing is deployed yet.

    confirmed: the value of `--confirm`. Asks the platform what runs there. Raises UsageError.
    """
    environment = deployment.project.app.environment
    name = environment.name if environment and environment.protected else ""
    _check_flag(confirmed, deployment.project.app.environment_name or "")
    if name and confirmed is None and not _is_deployed(deployment):
        _ask(run, name, f"mldeploy {run.name}", (f"This is the first deployment to the environment {name}.",))


def confirm_protected_removal(
    run: CommandRun, deployment: AppDeployment, confirmed: str | None, facts: Iterable[str]
) -> bool:
    """Require the name of the deployment's environment if it is protected. True if the removal is confirmed by it.

    Raises UsageError.
    """
    name = _protected_environment(run, deployment)
    _check_flag(confirmed, name or deployment.project.app.environment_name or "")
    if name and confirmed is None:
        _ask(run, name, "mldeploy destroy", facts)
    return bool(name) or confirmed is not None


def _protected_environment(run: CommandRun, deployment: AppDeployment) -> str:
    """Return the protected environment of a deployment, also of one that is known by its name alone; "" for none."""
    environment = deployment.project.app.environment
    if environment and environment.protected:
        return environment.name
    with suppress(MldeployError):  # the folder is broken or gone: nothing says that it is protected
        for name in list_environments(run.folder):
            app = load(run.folder, environment_override(name)).app
            if app.name == deployment.app and app.environment and app.environment.protected:
                return name
    return ""


def _is_deployed(deployment: AppDeployment) -> bool:
    service = deployment.service
    return bool(service.url() or service.instances() or service.releases())


def _check_flag(confirmed: str | None, name: str) -> None:
    if confirmed is not None and confirmed != name:
        what = f"must be {name!r}, the name of the environment" if name else "applies to an environment only"
        raise UsageError("--confirm", what, "")


def _ask(run: CommandRun, name: str, command: str, facts: Iterable[str]) -> None:
    if not run.output.is_interactive:
        what = f"the environment {name} is protected: this needs a confirmation"
        raise UsageError(command, what, f"Use `--confirm {name}`.")
    question = f"The environment is protected. Type its name ({name}) to continue:"
    if run.output.ask(question, facts=facts) != name:
        raise UsageError(command, "canceled; nothing was changed", "")
