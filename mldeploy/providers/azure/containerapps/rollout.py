"""Roll out a version: a revision without requests, asked at its own address, then given the requests."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from azure.mgmt.appcontainers.models import Configuration, ContainerApp, ContainerAppProperties, Ingress

from mldeploy.app.causes import About, FailureDiagnosis
from mldeploy.app.client import GoldenRow
from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key
from mldeploy.providers.azure.containerapps import apps
from mldeploy.providers.azure.containerapps.app_spec import (
    AppSpec,
    build_configuration,
    build_identity,
    compare_app_specs,
)
from mldeploy.providers.azure.containerapps.apps import (
    IN_PROGRESS,
    AppInfo,
    RevisionInfo,
    begin_when_free,
    describe_app,
    revision_name,
    revision_suffix,
)
from mldeploy.providers.azure.containerapps.cloud import ContainerAppsCloud
from mldeploy.providers.azure.containerapps.environment import PROFILE
from mldeploy.providers.azure.containerapps.ingress import WHOLE, build_traffic
from mldeploy.providers.azure.containerapps.releases import AppReleaseState
from mldeploy.providers.azure.containerapps.settings import ContainerAppsSettings
from mldeploy.providers.azure.containerapps.start import RevisionStartup
from mldeploy.providers.azure.containerapps.verdict import is_pull_refused
from mldeploy.providers.azure.containerapps.version_spec import VersionSpec, build_template, secret_name
from mldeploy.providers.azure.errors import AzureError, azure_errors
from mldeploy.providers.azure.waiting import BeginOperation, RunningOperation
from mldeploy.providers.errors import NotRestoredError
from mldeploy.providers.gap import GapMeter

GAP_POLL_SECONDS = 0.2
ROLE_SECONDS, ROLE_EVERY = 600.0, 10.0
"""Time for a new role assignment to reach the registry.

https://learn.microsoft.com/azure/role-based-access-control/troubleshooting
"""
DRAIN_SECONDS = 5.0
"""Time for the old revision to finish its requests; its replicas then get 30 s more."""
GIVE_UP_SECONDS = 60.0
URL_POLL_SECONDS, URL_SECONDS = 0.5, 120.0


@dataclass(frozen=True)
class RolledOut:
    """seconds: how long the version took to start; 0.0 if it ran. gap: downtime in seconds."""

    app: AppInfo
    seconds: float = 0.0
    gap: float = 0.0


@dataclass(frozen=True)
class AppRollout:
    """The rollout of one version. golden: the expected response; not checked for versions that have served."""

    cloud: ContainerAppsCloud
    project: Project
    settings: ContainerAppsSettings
    key: Key
    monitor: Monitor
    golden: GoldenRow | None = None

    def create(self, spec: AppSpec, version: VersionSpec, region: str) -> RolledOut:
        """Deploy the first version. Raises VerdictError if it cannot serve; the app is kept for its logs."""
        model = self._build_app(spec, version, 1, region)
        begin = partial(self.cloud.apps.container_apps.begin_create_or_update, self.cloud.group, self.key.name, model)
        seconds = self._start_watched(1, begin, spec)
        return RolledOut(self._move(self._app(), self._revision(1)), seconds)

    def deploy(self, was: AppInfo, spec: AppSpec | None, version: VersionSpec) -> RolledOut:
        """Deploy another version, or finish what an interrupted command began.

        spec: None leaves the application-scope configuration as it is.
        Raises VerdictError if the version cannot serve: the previous one then keeps all requests.
        """
        if spec is not None and not was.revisions:
            return self.create(spec, version, was.region)
        serving = was.serving
        if serving is not None and serving.spec == version and was.spec.port == version.port:
            self.configure(was, spec)
            return RolledOut(self.settle())
        if spec is not None and serving is not None and serving.spec.port != version.port:
            return self._change_port(was, serving, spec, version)
        number, seconds = self.start(was, spec, version)
        return RolledOut(self._move(self._app(), self._revision(number)), seconds)

    def start(self, was: AppInfo, spec: AppSpec | None, version: VersionSpec) -> tuple[int, float]:
        """Start a version without requests, and return once it has answered: its number, and the seconds.

        An unfinished revision of the same version is used. Raises VerdictError; the revision is then stopped.
        """
        newest = was.revisions[0]
        if newest.number and newest.active and newest.state is None and newest.spec == version:
            self.configure(was, spec)
            return newest.number, self._watch(newest.number, self._startup(newest.number))
        if was.provisioning == IN_PROGRESS and newest.state is None and newest.active:
            apps.deactivate(self.cloud, self.key, newest.name)  # it cannot start, and holds the app until then
        number = was.next_number
        model = self._build_update(was, spec, version, number)
        begin = partial(self.cloud.apps.container_apps.begin_update, self.cloud.group, self.key.name, model)
        return number, self._start_watched(number, begin, spec)

    def bring_back(self, was: AppInfo, revision: RevisionInfo) -> RolledOut:
        """Give the requests to a revision that exists. Raises VerdictError if it does not serve any more."""
        startup = self._startup(revision.number)
        if not revision.active:
            startup.mark()
            apps.activate(self.cloud, self.key, revision.name)
        changed = revision.spec.port != was.spec.port
        if not changed:
            seconds = self._watch(revision.number, startup)
            return RolledOut(self._move(self._app(), revision), seconds)
        self._wait_for_replica(revision.number)
        return self._switch_port(self._app(), revision)

    def configure(self, was: AppInfo, spec: AppSpec | None) -> None:
        """Bring the application-scope configuration to the desired state, without a new revision."""
        if spec is None or not any(compare_app_specs(was.spec, spec)):
            return
        model = self._build_update(was, spec, None, 0)
        apps.update_app(self.cloud, self.monitor, was, model, stored=_stored_names(spec))

    def settle(self) -> AppInfo:
        """Stop the revisions that neither serve nor are the candidate, once their requests have ended."""
        app = self._app()
        if app.serving is None or not app.leftovers:
            return app
        self.monitor.progress(Progress("", "the old version finishes its requests"))
        self.monitor.wait(DRAIN_SECONDS)
        for each in app.leftovers:
            apps.deactivate(self.cloud, self.key, each.name)
        return self._app()

    def give_all(self, app: AppInfo, revision: RevisionInfo) -> None:
        """Give a revision all requests and record that it serves. Raises SDK errors."""
        release = revision.number, AppReleaseState.SERVED
        if app.weights != {revision.name: WHOLE} or app.states.get(revision.number) is not release[1]:
            apps.set_weights(self.cloud, self.monitor, app, {revision.name: WHOLE}, release)

    def _move(self, app: AppInfo, revision: RevisionInfo) -> AppInfo:
        """Move all requests to a revision that has answered. They go back if the app's URL then fails."""
        self.monitor.progress(Progress("", "moving the requests to the new version"))
        before = app.serving
        self.give_all(app, revision)
        try:
            self._wait_for_url(app)
        except VerdictError:
            if before is not None and before.name != revision.name:
                self.give_all(self._app(), before)
            raise
        return self.settle()

    def _wait_for_url(self, app: AppInfo) -> None:
        if self.settings.is_internal:
            return
        startup, failure = self._startup(0), None
        for _ in self.monitor.attempts(every=URL_POLL_SECONDS, within=URL_SECONDS):
            failure = startup.check_health(self._app().url)
            if failure is None:
                return
        cause = f"does not respond: {failure.what if failure else 'no request was sent'}"
        raise VerdictError(app.url, FailureDiagnosis(cause, "See `mldeploy status`.", About.HEALTH))

    # a port holds for all revisions ---------------------------------------------------------------------------------

    def _change_port(self, was: AppInfo, serving: RevisionInfo, spec: AppSpec, version: VersionSpec) -> RolledOut:
        """Start the version, wait for its readiness probe, and switch port and requests in one call."""
        newest = was.revisions[0]
        number = was.next_number
        if newest.active and newest.state is None and newest.spec == version:
            number = newest.number
        else:
            kept = replace(spec, port=was.spec.port)
            model = self._build_update(was, kept, version, number)
            begin = partial(self.cloud.apps.container_apps.begin_update, self.cloud.group, self.key.name, model)
            operation = begin_when_free(self.monitor, self.key.name, begin, stored=_stored_names(spec))
            operation.wait(self.monitor, self.key.name)
        self._wait_for_replica(number)
        return self._switch_port(self._app(), self._revision(number))

    def _wait_for_replica(self, number: int) -> None:
        """Wait for the readiness probe, which knows the revision's own port. Raises VerdictError."""
        self._watch(number, self._startup(number, by_probe=True))

    def _switch_port(self, app: AppInfo, revision: RevisionInfo) -> RolledOut:
        before = app.serving
        with GapMeter(app.url, self.project.app.health, self.cloud.account.verify, GAP_POLL_SECONDS) as gap:
            release = revision.number, AppReleaseState.SERVED
            weights = {revision.name: WHOLE}
            apps.set_weights(self.cloud, self.monitor, app, weights, release, revision.spec.port)
            try:
                self._startup(revision.number).watch()
            except VerdictError as failure:
                self._restore_port(app, before, revision, failure)
                raise
        return RolledOut(self.settle(), gap=gap.seconds)

    def _restore_port(
        self, app: AppInfo, before: RevisionInfo | None, revision: RevisionInfo, failure: VerdictError
    ) -> None:
        if before is None:
            return
        self.monitor.note(f"{app.fqdn}: the new version does not serve; restoring the previous one", warning=True)
        try:
            with azure_errors(app.name):
                release = revision.number, AppReleaseState.FAILED
                apps.set_weights(self.cloud, self.monitor, self._app(), {before.name: WHOLE}, release, before.spec.port)
                apps.deactivate(self.cloud, self.key, revision.name)
        except MldeployError as error:
            what = f"the new version does not serve ({failure.cause}), and the previous one could not be restored"
            raise NotRestoredError(app.name, f"{what}: {error.what}", "Run `mldeploy rollback`.") from failure

    # starting -------------------------------------------------------------------------------------------------------

    def _start_watched(self, number: int, begin: BeginOperation[ContainerApp], spec: AppSpec | None) -> float:
        """Start the operation that makes a revision and watch it. A pull that a new role refuses is tried again."""
        startup, stored = self._startup(number), _stored_names(spec)
        for waited in self.monitor.attempts(every=ROLE_EVERY, within=ROLE_SECONDS):
            try:
                operation = begin_when_free(self.monitor, self.key.name, begin, stored=stored)
                return self._watch(number, startup, operation)
            except VerdictError as failure:
                is_new = is_pull_refused(failure.cause + str(failure.__cause__ or ""))
                if not is_new or self.settings.by_admin or waited + ROLE_EVERY > ROLE_SECONDS:
                    raise
                self.monitor.progress(Progress("", "waiting until the registry accepts the app's role"))
        raise AssertionError  # the last attempt returns or raises

    def _watch(
        self, number: int, startup: RevisionStartup, operation: RunningOperation[ContainerApp] | None = None
    ) -> float:
        try:
            return startup.watch(operation)
        except VerdictError:
            self._give_up(number)
            raise

    def _give_up(self, number: int) -> None:
        """Stop a revision that does not serve, if another one does, and record that it failed."""
        app = describe_app(self.cloud, self.key)
        revision = app.find(number) if app else None
        if app is None or revision is None:
            return
        if app.serving is not None and app.serving.number != number:
            apps.deactivate(self.cloud, self.key, revision.name)
        if not revision.has_served:
            with suppress(AzureError):  # Azure may go on trying for minutes, and refuses every other change meanwhile
                apps.record_state(self.cloud, self.monitor, app, number, AppReleaseState.FAILED, GIVE_UP_SECONDS)

    def _startup(self, number: int, *, by_probe: bool = False) -> RevisionStartup:
        return RevisionStartup(
            self.cloud,
            self.project,
            self.settings,
            self.key,
            revision_name(self.key.name, number),
            self.monitor,
            self.golden,
            by_probe or self.settings.is_internal,
        )

    # requests -------------------------------------------------------------------------------------------------------

    def _build_app(self, spec: AppSpec, version: VersionSpec, number: int, region: str) -> ContainerApp:
        return ContainerApp(
            location=region,
            tags=self.cloud.owner_tags,
            identity=build_identity(spec),
            properties=ContainerAppProperties(
                environment_id=spec.environment,
                workload_profile_name=PROFILE,
                configuration=build_configuration(spec, dict(spec.vault), {}),
                template=build_template(version, revision_suffix(number)),
            ),
        )

    def _build_update(
        self, was: AppInfo, spec: AppSpec | None, version: VersionSpec | None, number: int
    ) -> ContainerApp:
        """A request that changes the configuration, and makes a revision if there is a version.

        Where something serves, the rules name it, so that the new revision gets no requests.
        """
        weights: Mapping[str, int] = {}
        if was.serving is not None:
            weights = {was.serving.name: WHOLE} if was.follows_latest else was.weights
        tags = {**was.tags, **self.cloud.owner_tags}
        properties = ContainerAppProperties()
        model = ContainerApp(location=was.region, tags=tags, properties=properties)
        if spec is not None:
            vault = {**self._kept_vault(was, spec), **dict(spec.vault)}
            properties.configuration = build_configuration(spec, vault, weights)
            model.identity = build_identity(spec)
        elif was.follows_latest and weights:
            properties.configuration = Configuration(ingress=Ingress(traffic=build_traffic(weights)))
        if version is not None:
            properties.template = build_template(version, revision_suffix(number))
        return model

    @staticmethod
    def _kept_vault(was: AppInfo, spec: AppSpec) -> Mapping[str, str]:
        """The secrets that existing revisions refer to. Azure refuses references to those that are not there."""
        used = {reference for each in was.revisions for _, reference in each.spec.secrets}
        return {name: uri for name, uri in was.spec.vault if name in used and not spec.store.is_removed(uri)}

    def _revision(self, number: int) -> RevisionInfo:
        revision = self._app().find(number)
        if revision is None:
            raise AzureError(self.key.name, f"its revision {number} was removed during the deployment", "Deploy again.")
        return revision

    def _app(self) -> AppInfo:
        app = describe_app(self.cloud, self.key)
        if app is None:
            raise AzureError(self.key.name, "was removed during the deployment", "Run the command again.")
        return app


def _stored_names(spec: AppSpec | None) -> frozenset[str]:
    """The names, in the app, of the secrets in its own vault."""
    return frozenset(secret_name(variable, uri) for variable, uri in spec.store.uris.items()) if spec else frozenset()
