"""An app on a target: what the commands that work on a deployment get from its provider."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from mldeploy.check.push_check import PushCheck, gate_pushes
from mldeploy.check.route_step import ListedRoutes
from mldeploy.check.step import CheckedImage
from mldeploy.cli.app_routes import recall_corrected
from mldeploy.cli.errors import UsageError
from mldeploy.cli.log import listen
from mldeploy.cli.run import CommandRun
from mldeploy.cli.workspace import Workspace, assumed_documents, describe_models, inspect_folder, load_project
from mldeploy.config import load as config
from mldeploy.config.access_keys import KEY, STORED, Keys, parse_keys, with_keys
from mldeploy.config.chosen_port import apply_chosen_port, remember_port
from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.override import Overrides
from mldeploy.config.paths import state_folder
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.errors import MldeployError
from mldeploy.core.journal import Scope, Session
from mldeploy.core.step import Gates, Kinds, Resource, Step
from mldeploy.image.types import Image
from mldeploy.project.errors import ProjectError
from mldeploy.project.load import require_folder
from mldeploy.providers import registry
from mldeploy.providers.access import require_access
from mldeploy.providers.base import Address, Login, Service
from mldeploy.providers.capabilities import (
    CanPrecheck,
    Estimate,
    HasCosts,
    HasManifests,
    HasPolicy,
    HasPolicySet,
    Manifests,
    PolicySet,
    Registry,
    RendersOffline,
    Runtime,
)
from mldeploy.providers.errors import (
    AbsentError,
    PluginError,
    without_manifests,
    without_policy,
    without_registry,
    without_secrets,
    without_service,
)
from mldeploy.providers.secret_store import HasSecretStore, SecretStore, given_to_app, refuse_conflicts

if TYPE_CHECKING:
    from mldeploy.providers.registry import AnyProvider
    from mldeploy.rehearsal.standins import RunningStandIn
_RESULTS = (CheckedImage.kind, ListedRoutes.kind)


@dataclass(frozen=True)
class AppDeployment(Workspace[object]):
    """An app on a target. Everything that depends on the target is requested from its provider when it is needed.

    cloud: None if the target was not connected to.
    """

    provider: AnyProvider
    settings: TargetSettings
    endpoints: Endpoints
    stand_in: RunningStandIn | None = field(default=None, kw_only=True)
    """The simulator that `--rehearse` uses."""

    @contextmanager
    def locked(self, run: CommandRun) -> Iterator[Session[object]]:
        """As in `Workspace`. Raises RehearsalError if the simulator ends meanwhile."""
        with super().locked(run) as session, self._watched(session):
            yield session

    def _watched(self, session: Session[object]) -> AbstractContextManager[None]:
        return self.stand_in.watched(session.cancel) if self.stand_in else nullcontext()

    @property
    def target(self) -> str:
        return self.provider.name

    @cached_property
    def goal(self) -> Step[object, Address] | None:
        """The step that ends with the address of the app; None if the target is a registry."""
        return self.provider.goal(self.project, self.settings) if isinstance(self.provider, Runtime) else None

    @cached_property
    def push(self) -> Step[object, Image] | None:
        """The step that ends with the pushed image; None if the target has no registry."""
        return self.provider.push(self.project, self.settings) if isinstance(self.provider, Registry) else None

    @cached_property
    def service(self) -> Service:
        """The running app. Raises WrongTargetError for a registry."""
        return as_runtime(self.provider).service(self.cloud, self.project, self.settings)

    @cached_property
    def secrets(self) -> SecretStore:
        """The app's secrets in the target's store. Raises WrongTargetError for a target without one."""
        return as_having_secrets(self.provider).secrets(self.cloud, self.project, self.settings)

    @cached_property
    def stored_names(self) -> tuple[str, ...]:
        """The variables that the app gets from the store. Empty if it cannot be read: the steps raise that error."""
        if self.cloud is None or not isinstance(self.provider, HasSecretStore):
            return ()
        try:
            return tuple(each.name for each in given_to_app(self.secrets.list()))
        except MldeployError:
            return ()

    @property
    def kinds(self) -> Kinds[object]:
        # The cloud of every target has an engine, which its type does not show here.
        check, routes = (cast("type[Step[object, object]]", each) for each in (PushCheck, ListedRoutes))
        return {check.kind: check, **self.provider.kinds, routes.kind: routes}

    @property
    def swept(self) -> Kinds[object]:
        """The kinds that a deployment removes when they are obsolete: all but the results of image checks."""
        return {kind: step for kind, step in self.kinds.items() if kind not in _RESULTS}

    @property
    def verb(self) -> str:
        """The command that brings the app to this target."""
        return "deploy" if self.goal else "push"

    @property
    def last(self) -> Step[object, object]:
        """The last step of the target: the address, or the pushed image."""
        last = self.goal or self.push
        if last is None:
            raise PluginError(f"target {self.target}", "the provider defines no steps", "Update the provider.")
        return last

    @property
    def ca_bundle(self) -> Path | None:
        """The authorities that certify the deployed app, if they are not the public ones."""
        return self.endpoints.ca_bundle

    def gates(self, goal: Step[object, object]) -> Gates[object]:
        """Return the checks before the pushes on the way to `goal`. Empty where nothing is pushed."""
        withheld = (*self.settings.withheld, *self.stored_names)
        return gate_pushes(goal, self.push.resource if self.push else None, withheld)

    def require_gates(self, goal: Step[object, object], *, check: bool) -> Gates[object]:
        """Return the same for a command; nothing without check. Raises UsageError if there is no check to leave out."""
        gates = self.gates(goal)
        if check or gates:
            return gates if check else {}
        what = f"nothing is pushed to the target {self.target}; a new version is tested there before it gets traffic"
        raise UsageError("--no-check", what, "Leave it out.")

    def require_goal(self) -> Step[object, Address]:
        """Return the goal. Raises WrongTargetError for a registry."""
        return self.goal or as_runtime(self.provider).goal(self.project, self.settings)

    def require_push(self) -> Step[object, Image]:
        """Return the push step. Raises WrongTargetError for a target without a registry."""
        return self.push or as_registry(self.provider).push(self.project, self.settings)

    def require_url(self, run: CommandRun) -> str:
        """Return the URL of the app. Raises AbsentError while it does not run."""
        url = self.service.url()
        if url is None:
            what = f"the app does not run on the target {self.target}"
            raise AbsentError(self.app, what, f"Run `{run.commands(self.target)('deploy')}`.")
        return url

    def read_keys(self) -> Keys:
        """Return the app's access keys, the oldest first; empty if none was created.

        Raises WrongTargetError for a target without a secret store, ConfigError if the secret is damaged, and what the
        store raises.
        """
        document = self.secrets.read(STORED)
        return parse_keys(document) if document else ()

    def with_keys(self) -> Self:
        """Return the deployment with the access keys that its app accepts, if it requires one. Raises as `read_keys`.

        Not for a registry, whose images know no keys.
        """
        if self.project.app.access != KEY or self.cloud is None or not isinstance(self.provider, Runtime):
            return self
        return replace(self, project=with_keys(self.project, self.read_keys()))

    def inventory(self) -> Collection[Resource]:
        return self.provider.inventory(self.cloud, self.project)

    def precheck(self) -> None:
        """Raise what would keep the app from running there, if the provider can tell before the build."""
        refuse_conflicts(self.project.app, self.stored_names, self.settings.withheld)
        if isinstance(self.provider, CanPrecheck):
            self.provider.precheck(self.cloud, self.project, self.settings)

    def login(self) -> Login:
        """Prove the credentials for the registry. Raises WrongTargetError for a target without one."""
        return as_registry(self.provider).login(self.cloud)

    def policy(self) -> Mapping[str, object]:
        """Return the least-privilege policy. Raises WrongTargetError if the target has none."""
        return as_having_policy(self.provider).policy(self.cloud)

    def policy_set(self, features: Collection[str]) -> PolicySet:
        """Return the documents of the target; none for one whose policy is a single document.

        features: what the configuration does not have, and the documents should allow. Raises UsageError for others.
        """
        known = self.provider.policy_features if isinstance(self.provider, HasPolicySet) else ()
        for name in features:
            if name not in known:
                todo = f"Choose of: {', '.join(known)}." if known else "The policy of this target has no parts."
                raise UsageError("--with", f"{name!r} is unknown for the target {self.target}", todo)
        if not isinstance(self.provider, HasPolicySet):
            return PolicySet((), self.policy())
        return self.provider.policy_set(self.cloud, self.project, self.settings, features)

    def costs(self) -> Estimate | None:
        """Return the monthly costs; None if the target is not billed."""
        if not isinstance(self.provider, HasCosts):
            return None
        return self.provider.costs(self.cloud, self.project, self.settings)

    def manifests(self, image: str, *, secrets: bool) -> Manifests:
        """Return the manifests for an image, given by digest. secrets: include those that contain secrets."""
        provider = as_having_manifests(self.provider)
        if self.project.app.access == KEY and self.project.app.own_key is None:
            todo = f"Run `mldeploy keys create default --target {self.target}`."
            raise AbsentError(self.app, "requires an access key, and none was created", todo)
        if self.cloud is None and isinstance(provider, RendersOffline):
            return provider.offline_manifests(self.project, self.settings, image, self.endpoints, secrets=secrets)
        return provider.manifests(self.cloud, self.project, self.settings, image, secrets=secrets)


def as_runtime(provider: AnyProvider) -> Runtime[object, TargetSettings]:
    """Return the provider as one that runs apps. Raises WrongTargetError for a registry."""
    if not isinstance(provider, Runtime):
        raise without_service(provider.name)
    return provider


def as_registry(provider: AnyProvider) -> Registry[object, TargetSettings]:
    """Return the provider as one that keeps images. Raises WrongTargetError for a target without a registry."""
    if not isinstance(provider, Registry):
        raise without_registry(provider.name)
    return provider


def as_having_policy(provider: AnyProvider) -> HasPolicy[object]:
    """Return the provider as one with a policy. Raises WrongTargetError if it needs no permissions."""
    if not isinstance(provider, HasPolicy):
        raise without_policy(provider.name)
    return provider


def as_having_manifests(provider: AnyProvider) -> HasManifests[object, TargetSettings]:
    """Return the provider as one that writes manifests. Raises WrongTargetError if it does not."""
    if not isinstance(provider, HasManifests):
        raise without_manifests(provider.name)
    return provider


def as_having_secrets(provider: AnyProvider) -> HasSecretStore[object, TargetSettings]:
    """Return the provider as one with a secret store. Raises WrongTargetError if it has none."""
    if not isinstance(provider, HasSecretStore):
        raise without_secrets(provider.name)
    return provider


def as_it_is(provider: AnyProvider) -> AnyProvider:
    """Return any provider: the command works on every target."""
    return provider


def prepare_deployment(  # noqa: PLR0913 - the commands differ in these
    run: CommandRun,
    target: str,
    overrides: Overrides = (),
    *,
    require: Callable[[AnyProvider], object] = as_it_is,
    verbose: bool = True,
    may_build: bool = True,
    precheck: bool = False,
    may_stay_offline: bool = False,
) -> AppDeployment:
    """Open a deployment for a change: the folder is inspected and must be complete.

    require: what the command needs of the provider; a target without it is refused before anything is read or called.
    verbose: print assumptions and warnings. may_build: models without an app are inspected in a container. precheck:
    before that, raise what would keep the app from running on the target. may_stay_offline: do not connect to a target
    whose manifests need no connection.
    """
    provider = registry.find(target)
    require(provider)
    inspection = inspect_folder(run, overrides, verbose=verbose)
    require_access(provider, inspection.project)
    settings = _read_settings(run, provider, inspection.project, overrides)
    for advice in settings.advise(inspection.project) if verbose else ():
        run.output.warn(advice)
    is_open = inspection.project.app.access != KEY  # otherwise the keys are in the target's store
    offline = may_stay_offline and is_open and isinstance(provider, RendersOffline)
    deployment = _connect(run, provider, inspection.project, settings, offline=offline)
    if precheck:
        deployment.precheck()
    project = describe_models(run, inspection.project, may_build=may_build)
    known = replace(deployment, project=project, assumed=assumed_documents(inspection), written=inspection.written)
    return known.with_keys()


def open_deployment(run: CommandRun, target: str, require: Callable[[AnyProvider], object] = as_it_is) -> AppDeployment:
    """Open a deployment to operate it: only the configuration is read. require: as in `prepare_deployment`."""
    require(registry.find(target))
    return _open(run, target, load_project(run))


def open_for_requests(run: CommandRun, target: str) -> AppDeployment:
    """Open a deployment to send requests to it: routes that are not configured are detected in the source."""
    as_runtime(registry.find(target))
    require_folder(run.folder)
    return _open(run, target, _recall_models(recall_corrected(run.folder, run.selection))).with_keys()


def _recall_models(project: Project) -> Project:
    """Complete the models of an app without code from their last inspection, as far as their files are the same."""
    if all(each.is_described for each in project.served):
        return project
    from mldeploy.cli.model_description import recall_description  # noqa: PLC0415 - an app does not wait for it

    try:
        return recall_description(project)
    except ProjectError:  # a file is gone: the deployment is as it was
        return project


def open_by_name(run: CommandRun, target: str, app: str) -> AppDeployment:
    """Open a deployment to remove it: only the name of the app is known, and the folder may be missing."""
    provider = registry.find(target)
    project = config.named(app, "--app", run.selection)
    settings = config.target_settings(project.app.folder, provider.name, provider.settings, run.account(provider.name))
    return _connect(run, provider, project, settings)


def _open(run: CommandRun, target: str, project: Project) -> AppDeployment:
    provider = registry.find(target)
    return _connect(run, provider, project, _read_settings(run, provider, project))


def _read_settings(
    run: CommandRun, provider: registry.AnyProvider, project: Project, overrides: Overrides = ()
) -> TargetSettings:
    """Return the target's settings, with the port that was chosen for the deployment. Raises ConfigError."""
    target = provider.name
    chosen = (*overrides, *run.account(target), *run.selection)
    settings = config.target_settings(run.folder, target, provider.settings, chosen)
    return apply_chosen_port(project, target, settings, overrides)


def keep_chosen_port(run: CommandRun, deployment: AppDeployment, overrides: Overrides) -> None:
    """Keep the port that the command was given for a deployment that succeeded. Raises StateError."""
    target = deployment.target
    chosen = (*run.account(target), *run.selection)
    configured = config.target_settings(run.folder, target, deployment.provider.settings, chosen)
    remember_port(deployment.project, target, configured, overrides)


def _connect(
    run: CommandRun,
    provider: AnyProvider,
    project: Project,
    settings: TargetSettings,
    *,
    offline: bool = False,
) -> AppDeployment:
    listen(verbose=run.output.mode.verbose)
    stand_in = _start_stand_in(run, provider.name)
    endpoints, state = (stand_in.endpoints, stand_in.journals) if stand_in else (PUBLIC, state_folder())
    cloud: object = None if offline else provider.connect(project, settings, endpoints)
    scope = Scope(project.app.name, provider.name, () if offline else provider.place(cloud))
    return AppDeployment(project, cloud, scope, provider, settings, endpoints, state=state, stand_in=stand_in)


def _start_stand_in(run: CommandRun, target: str) -> RunningStandIn | None:
    """Start the simulator of the target with `--rehearse`; otherwise return None."""
    if not run.rehearse:
        return None
    from mldeploy.cli.stand_ins import start_for_target  # noqa: PLC0415 - only with `--rehearse`

    stand_in = start_for_target(target, state_folder())
    run.output.notice(f"using the local {stand_in.cloud} simulator at {stand_in.url}; nothing is sent or billed")
    return stand_in
