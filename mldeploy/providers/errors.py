"""What can be wrong with a target or with what runs on it."""

from __future__ import annotations

from collections.abc import Sequence

from mldeploy.core.errors import ExitCode, MldeployError, NotFoundError, RefusedError


class UnknownTargetError(MldeployError):
    """No provider bears the name after `--target`."""

    code = ExitCode.USAGE


class WrongTargetError(MldeployError):
    """The target is of another kind than the command needs: a registry runs nothing, an engine has no registry."""

    code = ExitCode.USAGE


def without_registry(target: str) -> WrongTargetError:
    """Somebody wants to push to a target that runs what is built beside it."""
    todo = "Choose a target with a registry, for example `mldeploy push --target ecr`."
    return WrongTargetError(f"target {target}", "has no registry", todo)


def without_service(target: str) -> WrongTargetError:
    """Somebody wants the app to run on a registry."""
    todo = f"Run `mldeploy push --target {target}` to push the image."
    return WrongTargetError(f"target {target}", "is a registry and does not run apps", todo)


def without_releases(target: str) -> WrongTargetError:
    """Somebody wants an earlier version of a target that keeps only the present one."""
    todo = "Check out the earlier version and deploy it. An image that still exists is not rebuilt."
    return WrongTargetError(f"target {target}", "does not support rollback", todo)


def without_scale(target: str) -> WrongTargetError:
    """Somebody wants several copies of a target that runs one."""
    todo = "Increase `workers` in [app] of mldeploy.toml instead."
    return WrongTargetError(f"target {target}", "runs a single replica", todo)


def without_policy(target: str) -> WrongTargetError:
    """Somebody asks what must be allowed where nothing has to be."""
    return WrongTargetError(f"target {target}", "needs no cloud permissions")


def without_manifests(target: str) -> WrongTargetError:
    """Somebody asks for manifests where nothing is made of any."""
    todo = "Run `mldeploy plan` to see what a deployment would change."
    return WrongTargetError(f"target {target}", "is not a Kubernetes cluster and has no manifests", todo)


def without_secrets(target: str) -> WrongTargetError:
    """Somebody wants to keep a secret on a target that has no store for it."""
    todo = "Use `env_file` in [app] of mldeploy.toml, or a target with a store, such as kubernetes or fargate."
    return WrongTargetError(f"target {target}", "keeps no secrets", todo)


def without_exec(target: str) -> WrongTargetError:
    """Somebody wants to run a command where there is no way in."""
    return WrongTargetError(f"target {target}", "does not support running commands in an instance")


def without_canary(target: str, able: Sequence[str]) -> WrongTargetError:
    """Somebody wants two versions side by side where the platform cannot run them. able: the targets that can."""
    todo = f"These targets can: {', '.join(able)}. Elsewhere, `mldeploy deploy` switches to a new version at once."
    return WrongTargetError(f"target {target}", "cannot run a canary beside the serving version", todo)


def canary_stands(app: str, revision: str, percent: float | None = None) -> RefusedError:
    """Somebody wants to deploy, roll back or scale while a candidate stands beside the serving version."""
    share = "" if percent is None else f", {percent:.3g} % of the requests"
    what = f"a canary (revision {revision}{share}) stands beside the serving version"
    todo = (
        "Run `mldeploy canary promote` to keep it, or `mldeploy canary abort` to remove it, then repeat this command."
    )
    return RefusedError(app, what, todo)


def without_candidate(app: str) -> AbsentError:
    """Somebody wants to change the share of a candidate that is not there."""
    return AbsentError(app, "there is no canary", "Run `mldeploy deploy --canary 10` to start one.")


def nothing_serves(app: str) -> AbsentError:
    """Somebody wants to place a candidate where nothing serves."""
    return AbsentError(app, "nothing serves yet beside which a canary could stand", "Run `mldeploy deploy` first.")


class PluginError(MldeployError):
    """A provider that was installed beside mldeploy cannot be used."""

    code = ExitCode.USAGE


class AbsentError(NotFoundError):
    """The command needs a deployment that does not exist."""


class NotRestoredError(MldeployError):
    """A new version failed on the port, and the old one could not be brought to answer again."""

    code = ExitCode.FAILED


class AddressError(MldeployError):
    """The app cannot answer at the address that the configuration says."""

    code = ExitCode.CONFIG


class PortTakenError(MldeployError):
    """The port that the app should answer on belongs to something else. Nothing was stopped for it.

    free_port: the next unused port, or None if there is none.
    """

    code = ExitCode.FAILED

    def __init__(self, port: int, owner: str, free_port: int | None) -> None:
        todo = f"Stop it, or use another port: `--port {free_port}`." if free_port else "Stop it."
        super().__init__(f"port {port}", f"is used by {owner}", todo)
        self.port = port
        self.owner = owner
        self.free_port = free_port
