"""A candidate beside the serving version, and the division of requests between them, by the weights of revisions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen
from mldeploy.image.types import Image
from mldeploy.providers.azure.containerapps import apps
from mldeploy.providers.azure.containerapps.app import VersionStep
from mldeploy.providers.azure.containerapps.apps import AppInfo, RevisionInfo, describe_app
from mldeploy.providers.azure.containerapps.cloud import ContainerAppsCloud
from mldeploy.providers.azure.containerapps.endpoint import app_url
from mldeploy.providers.azure.containerapps.ingress import WHOLE
from mldeploy.providers.azure.containerapps.operations import describe_release
from mldeploy.providers.azure.containerapps.releases import AppReleaseState
from mldeploy.providers.azure.containerapps.rollout import AppRollout
from mldeploy.providers.azure.containerapps.settings import ContainerAppsSettings
from mldeploy.providers.azure.containerapps.version_spec import VersionSpec
from mldeploy.providers.azure.errors import azure_errors, translate_errors
from mldeploy.providers.base import Address
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.traffic import Candidate, TrafficSplit


@translate_errors
@dataclass(frozen=True, eq=False)
class CandidateRevision(VersionStep[Candidate]):
    """The new version runs beside the serving one, and has answered at its own address. It gets no requests yet."""

    kind: ClassVar[str] = "container-app-candidate"
    title: ClassVar[str] = "Start the candidate"
    journaled: ClassVar[bool] = False

    def probe(self, cloud: ContainerAppsCloud, outs: Outputs) -> Seen[Candidate] | None:
        """Raises AbsentError where nothing serves yet, RefusedError if the version serves or its port differs."""
        app = require_serving(describe_app(cloud, self.key()), self.project.app.name)
        version = self.desired_version(outs, app.serving, self.stored_secrets(cloud, app))
        if app.serving is not None:
            self._check_differs(outs, app.serving, version)
        standing = app.candidate
        if standing is None:
            return None
        drift = () if standing.spec == version else (f"release {standing.number} → a new candidate",)
        return Seen(_to_candidate(app, standing), drift)

    def apply(
        self, cloud: ContainerAppsCloud, outs: Outputs, seen: Seen[Candidate] | None, monitor: Monitor
    ) -> Candidate:
        """Raises VerdictError if the version cannot serve. An earlier candidate is then still there."""
        self.check_platform(outs[self.image])
        was = require_serving(describe_app(cloud, self.key()), self.project.app.name)
        stored = self.stored_secrets(cloud, was, monitor)
        stored.allow(cloud, outs[self.identity], monitor)
        spec, version = self.desired_app(cloud, outs, stored), self.desired_version(outs, was.serving, stored)
        number, _ = self.rollout(cloud, monitor).start(was, spec, version)
        if was.candidate is not None and was.candidate.number != number:
            remove_candidate(cloud, monitor, self.key(), was)
        app = require_serving(describe_app(cloud, self.key()), self.project.app.name)
        apps.record_state(cloud, monitor, app, number, AppReleaseState.CANDIDATE)
        app = require_serving(describe_app(cloud, self.key()), self.project.app.name)
        revision = app.find(number)
        if revision is None:
            raise AbsentError(app.name, f"revision {number} was removed meanwhile", "Run the command again.")
        return _to_candidate(app, revision)

    @staticmethod
    def undo(cloud: ContainerAppsCloud, key: Key, monitor: Monitor) -> bool:
        """Nothing to do: it is a revision of the app, and goes with it."""
        return False

    def _check_differs(self, outs: Outputs, serving: RevisionInfo, version: VersionSpec) -> None:
        if serving.spec.port != version.port:
            what = f"the port changes from {serving.spec.port} to {version.port}, and holds for all revisions"
            raise RefusedError(self.project.app.name, what, "Deploy this change without a canary.")
        if outs.get(self.image) is not None and serving.spec == version:
            what = f"release {serving.number} is this version, and serves already"
            raise RefusedError(self.project.app.name, what, "Change the app, then start a canary.")


@dataclass(frozen=True)
class RevisionTraffic:
    """`mldeploy.providers.traffic.Traffic` of a container app. The weights and the tag of the app are all it knows."""

    cloud: ContainerAppsCloud
    project: Project
    settings: ContainerAppsSettings

    def split(self) -> TrafficSplit | None:
        with azure_errors(self.project.app.name):
            app = describe_app(self.cloud, self.cloud.app_key)
            if app is None or not app.ours or app.serving is None or app.candidate is None:
                return None
            return _to_split(app, app.serving, app.candidate)

    def shift(self, percent: int, monitor: Monitor) -> TrafficSplit:
        with azure_errors(self.project.app.name):
            app, stable, candidate = self._standing()
            weights = {stable.name: WHOLE - percent, candidate.name: percent}
            if app.weights != weights:
                apps.set_weights(self.cloud, monitor, app, weights)
            return _to_split(*self._standing())

    def promote(self, monitor: Monitor) -> Address:
        """Give the candidate all requests. After a crash behind that, only the old revision is left to be stopped."""
        with azure_errors(self.project.app.name):
            app = require_serving(describe_app(self.cloud, self.cloud.app_key), self.project.app.name)
            rollout = AppRollout(self.cloud, self.project, self.settings, self.cloud.app_key, monitor)
            if app.candidate is None and not app.leftovers:
                raise _no_candidate(self.project.app.name)
            if app.candidate is not None:
                rollout.give_all(app, app.candidate)
            app = rollout.settle()
            image = app.serving.spec.image if app.serving else ""
            return Address(app_url(app, self.settings.domain), Image(image, image.partition("@")[2], "", 0, ()))

    def abort(self, monitor: Monitor) -> bool:
        with azure_errors(self.project.app.name):
            app = describe_app(self.cloud, self.cloud.app_key)
            if app is None or app.candidate is None:
                return False
            remove_candidate(self.cloud, monitor, self.cloud.app_key, app)
            return True

    @contextmanager
    def reach(self, revision: str) -> Iterator[str]:
        with azure_errors(self.project.app.name):
            app = describe_app(self.cloud, self.cloud.app_key)
            number = revision.removeprefix("v")
            running = [each for each in (app.revisions if app else ()) if str(each.number) == number and each.active]
        if not running or self.settings.is_internal:
            why = "can only be reached in its environment" if running else "does not run"
            raise AbsentError(self.project.app.name, f"release {revision} {why}", "See `mldeploy history`.")
        yield running[0].url

    def _standing(self) -> tuple[AppInfo, RevisionInfo, RevisionInfo]:
        app = require_serving(describe_app(self.cloud, self.cloud.app_key), self.project.app.name)
        if app.serving is None or app.candidate is None:
            raise _no_candidate(self.project.app.name)
        return app, app.serving, app.candidate


def require_serving(app: AppInfo | None, name: str) -> AppInfo:
    """Raises AbsentError where no version serves, RefusedError if the app belongs to others."""
    if app is not None and not app.ours:
        raise RefusedError(name, f"mldeploy did not create the container app {app.name}", "Manage it in Azure.")
    if app is None or app.serving is None:
        todo = "Run `mldeploy deploy --target containerapps` first."
        raise AbsentError(name, "no version serves yet, so that there is none to stand beside", todo)
    return app


def remove_candidate(cloud: ContainerAppsCloud, monitor: Monitor, key: Key, app: AppInfo) -> None:
    """Give the stable release all requests, and stop the candidate. May be repeated."""
    if app.candidate is None or app.serving is None:
        return
    release = app.candidate.number, AppReleaseState.FAILED
    apps.set_weights(cloud, monitor, app, {app.serving.name: WHOLE}, release)
    apps.deactivate(cloud, key, app.candidate.name)


def _no_candidate(name: str) -> AbsentError:
    return AbsentError(name, "there is no candidate", "Start one with `mldeploy deploy --canary 10`.")


def _to_candidate(app: AppInfo, revision: RevisionInfo) -> Candidate:
    return Candidate(describe_release(app, revision), "" if not app.spec.external else revision.url)


def _to_split(app: AppInfo, stable: RevisionInfo, candidate: RevisionInfo) -> TrafficSplit:
    return TrafficSplit(describe_release(app, stable), describe_release(app, candidate), float(candidate.weight))
