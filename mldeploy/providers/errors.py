"""What can be wrong with a target or with what runs on it."""

from __future__ import annotations

from mldeploy.core.errors import ExitCode, MldeployError


class UnknownTargetError(MldeployError):
    """No provider bears the name after `--target`."""

    code = ExitCode.USAGE


class WrongTargetError(MldeployError):
    """The target is of another kind than the command needs: a registry runs nothing, an engine has no registry."""

    code = ExitCode.USAGE


def without_registry(target: str) -> WrongTargetError:
    """Somebody wants to push to a target that runs what is built beside it."""
    todo = "Name one that has: `mldeploy push --target ecr`."
    return WrongTargetError(f"target {target}", "has no registry to push to", todo)


def without_service(target: str) -> WrongTargetError:
    """Somebody wants the app to run on a registry."""
    todo = f"`mldeploy push --target {target}` brings its image there."
    return WrongTargetError(f"target {target}", "is a registry: no app runs there", todo)


def without_releases(target: str) -> WrongTargetError:
    """Somebody wants an earlier version of a target that keeps only the present one."""
    todo = "Check the earlier version out, and deploy it: an image that is still there is not built again."
    return WrongTargetError(f"target {target}", "keeps no earlier versions of what runs", todo)


def without_scale(target: str) -> WrongTargetError:
    """Somebody wants several copies of a target that runs one."""
    todo = "Raise `workers` in [app] of mldeploy.toml instead."
    return WrongTargetError(f"target {target}", "runs a single copy of the app", todo)


def without_policy(target: str) -> WrongTargetError:
    """Somebody asks what must be allowed where nothing has to be."""
    return WrongTargetError(f"target {target}", "needs no permissions of a cloud's")


def without_manifests(target: str) -> WrongTargetError:
    """Somebody asks for manifests where nothing is made of any."""
    todo = "`mldeploy plan` says what a deployment would do."
    return WrongTargetError(f"target {target}", "is not a cluster, and has no manifests", todo)


def without_exec(target: str) -> WrongTargetError:
    """Somebody wants to run a command where there is no way in."""
    return WrongTargetError(f"target {target}", "offers no way to run a command in a copy of the app")


class PluginError(MldeployError):
    """A provider that was installed beside mldeploy cannot be used."""

    code = ExitCode.USAGE


class AbsentError(MldeployError):
    """Something was asked of a deployment that is not there."""

    code = ExitCode.REMOTE


class NotRestoredError(MldeployError):
    """A new version failed on the port, and the old one could not be brought to answer again."""

    code = ExitCode.FAILED


class HostError(MldeployError):
    """The app cannot answer at the address that the configuration says."""

    code = ExitCode.CONFIG


class PortTakenError(MldeployError):
    """The port that the app should answer on belongs to something else. Nothing was stopped for it.

    free_port: the next one that nobody uses, or None if none was found.
    """

    code = ExitCode.FAILED

    def __init__(self, port: int, owner: str, free_port: int | None) -> None:
        todo = f"Stop that, or choose another port: `--port {free_port}`." if free_port else "Stop that."
        super().__init__(f"port {port}", f"is taken by {owner}", todo)
        self.port = port
        self.owner = owner
        self.free_port = free_port
