"""Operate a deployed app on Container Apps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor, current_monitor
from mldeploy.image.types import Image
from mldeploy.providers.azure.containerapps.app import check_no_candidate, start_app
from mldeploy.providers.azure.containerapps.apps import AppInfo, RevisionInfo, begin_when_free, describe_app
from mldeploy.providers.azure.containerapps.cloud import ContainerAppsCloud
from mldeploy.providers.azure.containerapps.endpoint import app_url
from mldeploy.providers.azure.containerapps.logs import AppLogs, ReplicaInfo, list_replicas
from mldeploy.providers.azure.containerapps.releases import AppReleaseState
from mldeploy.providers.azure.containerapps.rollout import AppRollout
from mldeploy.providers.azure.containerapps.settings import TABLE, ContainerAppsSettings
from mldeploy.providers.azure.errors import AzureError, azure_errors
from mldeploy.providers.base import Address, Instance, Release
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.releases import choose_release

SCALE_POLL_SECONDS, SCALE_TIMEOUT_SECONDS = 1.0, 300.0


@dataclass(frozen=True)
class ContainerAppsService:
    """The app. Every method reads the current state from Azure."""

    cloud: ContainerAppsCloud
    project: Project
    settings: ContainerAppsSettings

    @property
    def app(self) -> str:
        return self.project.app.name

    def instances(self) -> tuple[Instance, ...]:
        """The replicas of all active revisions; none while the app is scaled to zero."""
        with azure_errors(self.app):
            app = self._app()
            if app is None or not app.ours or app.is_stopped:
                return ()
            active = sorted((each for each in app.revisions if each.active), key=lambda each: -each.weight)
            return tuple(
                self._instance(app, each, replica)
                for each in active
                for replica in list_replicas(self.cloud, self.cloud.app_key, each.name)
            )

    def url(self) -> str | None:
        with azure_errors(self.app):
            app = self._app()
            if app is None or not app.ours or app.is_stopped or app.serving is None:
                return None
            return app_url(app, self.settings.domain)

    def logs(self, *, follow: bool, tail: int) -> Iterator[str]:
        """The logs of the replicas that exist. Raises AbsentError if there is no app, or no replica to read from."""
        with azure_errors(self.app):
            app = self._require_app()
            if not follow and not self.instances():
                what = "stopped" if app.is_stopped else "scaled to zero"
                todo = "Send it a request (`mldeploy predict`), or set `min` to 1. Use `logs -f` to wait for a replica."
                raise AbsentError(self.app, f"is {what}: only running replicas have logs", todo)
            yield from AppLogs(self.cloud, self.cloud.app_key).follow(tail, on=follow)

    def stop(self) -> bool:
        with azure_errors(self.app):
            app = self._app()
            if app is None or not app.ours or app.is_stopped:
                return False
            key, monitor = self.cloud.app_key, current_monitor()
            begin = partial(self.cloud.apps.container_apps.begin_stop, key.scope[0], key.name)
            begin_when_free(monitor, app.name, begin).wait(monitor, app.name)
            return True

    def releases(self) -> tuple[Release, ...]:
        with azure_errors(self.app):
            app = self._app()
            if app is None or not app.ours:
                return ()
            return tuple(describe_release(app, each) for each in app.revisions if each.number)

    def rollback(self, revision: str | None, monitor: Monitor) -> Address:
        """Give the requests to an earlier revision. Raises AbsentError if there is none, VerdictError, RefusedError."""
        with azure_errors(self.app):
            app = self._require_app()
            check_no_candidate(app)
            chosen = self._find_release(revision, app)
            if app.is_stopped:
                start_app(self.cloud, monitor, self.cloud.app_key)
                app = self._require_app()
            done = self._rollout(monitor).bring_back(app, chosen)
            image = Image(chosen.spec.image, chosen.spec.digest, "", 0, ())
            return Address(app_url(done.app, self.settings.domain), image, gap_seconds=done.gap)

    def scale(self, count: int, monitor: Monitor) -> None:
        """Set the minimum number of replicas. The scale is part of a revision, so this makes a new one."""
        with azure_errors(self.app):
            app = self._require_app()
            check_no_candidate(app)
            serving = app.serving
            if serving is None:
                raise AbsentError(self.app, "no version serves", "Run `mldeploy deploy --target containerapps`.")
            self._check_scalable(count, monitor)
            if app.is_stopped:
                start_app(self.cloud, monitor, self.cloud.app_key)
                app = self._require_app()
            version = serving.spec.scaled(count)
            if version != serving.spec:
                known = {name for name, _ in app.spec.vault}
                self._rollout(monitor).deploy(app, None, version.with_known_secrets(known))
            self._wait_until_scaled(count, monitor)

    def _check_scalable(self, count: int, monitor: Monitor) -> None:
        if self.project.app.keeps_sessions and count > 1:
            todo = "Increase `workers` in [app], or use a target with session affinity, such as `webapp`."
            raise RefusedError(self.app, "keeps its visitors' sessions, so it runs as a single replica", todo)
        if self.settings.min not in (None, count):
            text = f"The next deployment sets the minimum back to {self.settings.min} ({TABLE}.min)."
            monitor.note(text, warning=True)

    def _wait_until_scaled(self, count: int, monitor: Monitor) -> None:
        ready = 0
        for _ in monitor.attempts(every=SCALE_POLL_SECONDS, within=SCALE_TIMEOUT_SECONDS):
            ready = sum(each.health == "healthy" for each in self.instances())
            monitor.progress(Progress("", "waiting until all replicas are ready", ready, count))
            if ready >= count:
                return
        what = f"{ready} of {count} replicas are ready after {SCALE_TIMEOUT_SECONDS:.0f} s"
        raise AzureError(self.app, what, "Container Apps continues. Check with `mldeploy status`.")

    def _find_release(self, requested: str | None, app: AppInfo) -> RevisionInfo:
        """Without a request, one that is another version: scaling has made revisions of the same version."""
        serving, revisions = app.serving, [each for each in app.revisions if each.number]
        if requested is None and serving is not None:
            revisions = [
                each for each in revisions if each is serving or each.failed or not each.spec.is_version(serving.spec)
            ]
        rolled_back = serving is not None and bool(revisions) and revisions[0].failed and revisions[0] is not serving
        number = serving.number if serving else None
        return choose_release(self.app, revisions, requested, number, rolled_back=rolled_back)

    def _instance(self, app: AppInfo, revision: RevisionInfo, replica: ReplicaInfo) -> Instance:
        whole = len([each for each in app.weights.values() if each]) <= 1
        share = "" if whole else f", {revision.weight} % of the requests"
        health = "healthy" if replica.ready else "unhealthy" if replica.restarts else "starting"
        url = app_url(app, self.settings.domain) if revision.weight else revision.url
        state = f"{replica.running.lower() or 'unknown'}{share}"
        return Instance(replica.name, revision.spec.image, state, health, url, replica.created, replica.restarts)

    def _rollout(self, monitor: Monitor) -> AppRollout:
        return AppRollout(self.cloud, self.project, self.settings, self.cloud.app_key, monitor)

    def _app(self) -> AppInfo | None:
        return describe_app(self.cloud, self.cloud.app_key)

    def _require_app(self) -> AppInfo:
        app = self._app()
        if app is None:
            what = f"is not deployed in the resource group {self.cloud.group}"
            raise AbsentError(self.app, what, "Run `mldeploy deploy --target containerapps`.")
        if not app.ours:
            raise RefusedError(self.app, f"mldeploy did not create the container app {app.name}", "Manage it in Azure.")
        return app


def describe_release(app: AppInfo, revision: RevisionInfo) -> Release:
    """A revision as `history` lists it."""
    is_serving = revision == app.serving and not app.is_stopped
    if is_serving:
        state = "serving"
    elif revision.state is AppReleaseState.CANDIDATE:
        state = "candidate"
    else:
        state = "old" if revision.has_served else "failed"
    created = revision.created.isoformat(timespec="seconds") if revision.created else ""
    return Release(str(revision.number), revision.spec.image, created, state, app.url if is_serving else "")
