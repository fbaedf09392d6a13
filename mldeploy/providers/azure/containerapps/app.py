"""The container app: the app's image behind HTTPS, one revision for each version.

https://learn.microsoft.com/azure/container-apps/revisions
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, TypeVar

from mldeploy.app.client import GoldenRow
from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.registry.steps import PushedImage
from mldeploy.image.types import Image
from mldeploy.providers.azure import tags
from mldeploy.providers.azure.containerapps.app_spec import AppSpec, compare_app_specs, is_elsewhere
from mldeploy.providers.azure.containerapps.apps import (
    AppInfo,
    RevisionInfo,
    app_exists,
    begin_when_free,
    describe_app,
    get_app,
)
from mldeploy.providers.azure.containerapps.cloud import ContainerAppsCloud, app_key
from mldeploy.providers.azure.containerapps.environment import AppsEnvironment
from mldeploy.providers.azure.containerapps.rollout import AppRollout
from mldeploy.providers.azure.containerapps.settings import ContainerAppsSettings
from mldeploy.providers.azure.containerapps.version_spec import (
    VersionSpec,
    build_version,
    compare_versions,
    secret_name,
)
from mldeploy.providers.azure.errors import ignore_not_found, translate_errors
from mldeploy.providers.azure.identity import ManagedIdentity, PullRole
from mldeploy.providers.azure.keyvault.secrets import AppSecrets, list_app_secrets
from mldeploy.providers.azure.registry import ContainerRegistry
from mldeploy.providers.azure.registry_client import admin_credentials
from mldeploy.providers.azure.tags import CONTAINERAPPS
from mldeploy.providers.azure.waiting import wait_until_gone
from mldeploy.providers.secret_store import refuse_conflicts

OutT = TypeVar("OutT")


@dataclass(frozen=True)
class RunningApp:
    """A container app whose version serves. info: as it was last read.

    image: None while it is not known. seconds: how long the version took to start. gap: downtime in seconds.
    """

    info: AppInfo
    image: Image | None
    is_new: bool = False
    was_changed: bool = False
    seconds: float = 0.0
    gap: float = 0.0


@dataclass(frozen=True, eq=False)
class VersionStep(Step[ContainerAppsCloud, OutT]):
    """A step that starts a version: what it needs, and the desired state that follows from it."""

    project: Project
    settings: ContainerAppsSettings
    image: PushedImage
    registry: ContainerRegistry
    environment: AppsEnvironment
    identity: ManagedIdentity
    role: PullRole | None = None
    """None where the registry's admin user pulls."""

    def key(self) -> Key:
        return app_key(self.project.app.name, self.registry.group.name)

    def stored_secrets(
        self, cloud: ContainerAppsCloud, app: AppInfo | None, monitor: Monitor | None = None
    ) -> AppSecrets:
        """The secrets of `mldeploy secrets`. Raises ConfigError if one of them is set in another way, too."""
        serving = app.serving if app else None
        is_referenced = serving is not None and bool(dict(serving.spec.secrets).keys() - self.settings.secrets.keys())
        stored = list_app_secrets(cloud, is_referenced=is_referenced, monitor=monitor)
        refuse_conflicts(self.project.app, stored.uris, self.settings.secrets)
        return stored

    def desired_version(self, outs: Outputs, was: RevisionInfo | None, stored: AppSecrets) -> VersionSpec:
        image = outs.get(self.image)
        uris = {**self.settings.secrets, **stored.uris}
        reference = image.reference if image else ""
        return build_version(self.project, self.settings, reference, was.spec if was else None, uris)

    def desired_app(self, cloud: ContainerAppsCloud, outs: Outputs, stored: AppSecrets) -> AppSpec:
        """Values of dependencies that do not exist yet are empty."""
        environment, identity, registry = (
            outs.get(self.environment),
            outs.get(self.identity),
            outs.get(self.registry),
        )
        user, password = "", None
        uris = {**self.settings.secrets, **stored.uris}
        if self.role is None and registry is not None and registry.admin:
            user, password = admin_credentials(cloud, self.registry.group.name, registry.name)
        return AppSpec(
            port=self.project.app.port,
            external=not self.settings.is_internal,
            environment=environment.id if environment else "",
            identity=identity.id if identity else "",
            registry=registry.address if registry else "",
            user=user,
            vault=tuple(sorted((secret_name(name, uri), uri) for name, uri in uris.items())),
            keep=self.settings.keep,
            password=password,
            store=stored,
        )

    def rollout(self, cloud: ContainerAppsCloud, monitor: Monitor) -> AppRollout:
        golden = GoldenRow.load(self.project.check.golden, self.project.app) if self.project.check.golden else None
        return AppRollout(cloud, self.project, self.settings, self.key(), monitor, golden)

    def check_platform(self, image: Image) -> None:
        """Raises RefusedError for another platform, which would fail with `exec format error`."""
        image.require_platform(self.project.build.platform, "the container app")
        if not image.platform.startswith("linux/amd64"):
            what = f"is for {image.platform}, but Container Apps only runs linux/amd64"
            raise RefusedError(image.reference, what, 'Set platform = "linux/amd64" in [build], and deploy again.')


@translate_errors
@dataclass(frozen=True, eq=False)
class ContainerAppStep(VersionStep[RunningApp]):
    """The version serves. A new one answers at an address of its own before it gets requests."""

    kind: ClassVar[str] = "container-app"
    title: ClassVar[str] = "Run the container app"

    def probe(self, cloud: ContainerAppsCloud, outs: Outputs) -> Seen[RunningApp] | None:
        app = describe_app(cloud, self.key())
        if app is None:
            return None
        out = RunningApp(app, outs.get(self.image))
        if missing := tags.missing_tags(app.tags, cloud.app, CONTAINERAPPS):
            return Seen(out, missing, ours=False)
        desired = self.desired_app(cloud, outs, self.stored_secrets(cloud, app))
        moved = ("the environment → another one",) if is_elsewhere(app.spec, desired) else ()
        return Seen(out, tuple(self._drift(outs, app, desired)), moved)

    def apply(
        self, cloud: ContainerAppsCloud, outs: Outputs, seen: Seen[RunningApp] | None, monitor: Monitor
    ) -> RunningApp:
        """Raises VerdictError if the version cannot serve, RefusedError while a canary stands."""
        image = outs[self.image]
        self.check_platform(image)
        was = describe_app(cloud, self.key())
        stored = self.stored_secrets(cloud, was, monitor)
        stored.allow(cloud, outs[self.identity], monitor)
        spec = self.desired_app(cloud, outs, stored)
        rollout = self.rollout(cloud, monitor)
        if was is None:
            wait_until_gone(monitor, self.key().name, lambda: not _is_deleting(cloud, self.key()))
            done = rollout.create(spec, self.desired_version(outs, None, stored), outs[self.environment].region)
            return RunningApp(done.app, image, is_new=True, was_changed=True, seconds=done.seconds)
        check_no_candidate(was)
        if was.is_stopped:
            start_app(cloud, monitor, self.key())
            was = describe_app(cloud, self.key()) or was
        done = rollout.deploy(was, spec, self.desired_version(outs, was.serving, stored))
        return RunningApp(done.app, image, False, True, done.seconds, done.gap)

    @staticmethod
    def undo(cloud: ContainerAppsCloud, key: Key, monitor: Monitor) -> bool:
        if not app_exists(cloud, key):
            if _is_deleting(cloud, key):
                wait_until_gone(monitor, key.name, lambda: not _is_deleting(cloud, key))
            return False
        begin = partial(cloud.apps.container_apps.begin_delete, key.scope[0], key.name)
        operation = ignore_not_found(partial(begin_when_free, monitor, key.name, begin))
        if operation is not None:
            ignore_not_found(partial(operation.wait, monitor, key.name))
        gone = partial(cloud.apps.container_apps.get, key.scope[0], key.name)
        wait_until_gone(monitor, key.name, lambda: ignore_not_found(gone) is None)
        return True

    def _drift(self, outs: Outputs, app: AppInfo, desired: AppSpec) -> Iterator[str]:
        serving = app.serving
        version = self.desired_version(outs, serving, desired.store)
        if app.candidate is not None:
            yield f"release {app.candidate.number} stands beside the serving one (a canary) → promoted or aborted first"
        if serving is None:
            yield "no version serves yet → the new one"
        else:
            if outs.get(self.image) is None:
                yield f"image {serving.spec.image} → a new image"
            yield from compare_versions(serving.spec, version)
        yield from compare_app_specs(app.spec, desired)
        if app.is_stopped:
            yield "stopped → running"
        elif serving is not None and app.leftovers:
            yield f"{len(app.leftovers)} other revision(s) still active → inactive"


def check_no_candidate(app: AppInfo) -> None:
    """Raises RefusedError while a canary stands."""
    if app.candidate is not None:
        share = f"{app.candidate.weight} % of the requests"
        what = f"release {app.candidate.number} stands beside the serving one, with {share}"
        todo = "Run `mldeploy canary promote` or `mldeploy canary abort` first."
        raise RefusedError(app.name, what, todo)


def start_app(cloud: ContainerAppsCloud, monitor: Monitor, key: Key) -> None:
    """Start an app that was stopped. Raises SDK errors."""
    monitor.progress(Progress("", "starting the app"))
    begin = partial(cloud.apps.container_apps.begin_start, key.scope[0], key.name)
    begin_when_free(monitor, key.name, begin).wait(monitor, key.name)


def _is_deleting(cloud: ContainerAppsCloud, key: Key) -> bool:
    """Whether it exists, but no longer counts."""
    existing = ignore_not_found(partial(cloud.apps.container_apps.get, key.scope[0], key.name))
    return existing is not None and get_app(cloud, key) is None
