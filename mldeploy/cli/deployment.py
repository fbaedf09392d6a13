"""An app on a target: what the commands that work on a deployment get from its provider."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar, cast

from mldeploy.check.push_check import PushCheck, gate_pushes
from mldeploy.check.route_step import ListedRoutes
from mldeploy.check.step import CheckedImage
from mldeploy.cli.errors import UsageError
from mldeploy.cli.run import CommandRun
from mldeploy.cli.workspace import Workspace
from mldeploy.config.access_keys import KEY, STORED, Keys, parse_keys, with_keys
from mldeploy.config.endpoints import Endpoints
from mldeploy.config.target import TargetSettings
from mldeploy.core.errors import MldeployError
from mldeploy.core.graph import substitute_steps
from mldeploy.core.journal import Session
from mldeploy.core.step import Gates, Kinds, Resource, Step
from mldeploy.image.promotion import ImageSource, PromotedImage
from mldeploy.image.steps import BuiltImage
from mldeploy.image.types import Image
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
OutT = TypeVar("OutT")
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
    image: ImageSource | None = field(default=None, kw_only=True)
    """An image that is taken instead of being built."""

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
        if not isinstance(self.provider, Runtime):
            return None
        return self.on_image(self.provider.goal(self.project, self.settings))

    def on_image(self, goal: Step[object, OutT]) -> Step[object, OutT]:
        """Return the graph with the given image in the place of the one that is built; as it is without one."""
        if self.image is None:
            return goal
        # The cloud of every target has an engine.
        step = cast("Step[object, object]", PromotedImage.from_source(self.project, self.image))
        return substitute_steps(goal, lambda each: step if isinstance(each, BuiltImage) else None)

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
        if self.image is not None:  # it was checked where it was built
            return {}
        gates = self.gates(goal)
        if check or gates:
            return gates if check else {}
        what = f"nothing is pushed to the target {self.target}; a new version is tested there before it gets traffic"
        raise UsageError("--no-check", what, "Leave it out.")

    def require_goal(self) -> Step[object, Address]:
        """Return the goal. Raises WrongTargetError for a registry."""
        return self.goal or self.on_image(as_runtime(self.provider).goal(self.project, self.settings))

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
