"""The target `cloudrun`: Google Cloud Run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

from mldeploy.app.client import GoldenRow
from mldeploy.config.access_keys import IAM, KEY
from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.graph import derive_kinds
from mldeploy.core.step import Key, Kinds, Resource
from mldeploy.image.engine import Engine
from mldeploy.image.steps import BuiltImage, EngineImage
from mldeploy.providers.base import Login
from mldeploy.providers.capabilities import DoctorCheck, Estimate, Finding, ListedApp, PolicyKind, PolicyPart, PolicySet
from mldeploy.providers.gcp import checks, gar, registry_provider
from mldeploy.providers.gcp.account import authenticate
from mldeploy.providers.gcp.apis import RUN_APIS, SECRET_MANAGER
from mldeploy.providers.gcp.cloudrun.apps import list_apps
from mldeploy.providers.gcp.cloudrun.candidate import CloudRunCandidate
from mldeploy.providers.gcp.cloudrun.checks import check_cloudrun
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.endpoint import CloudRunEndpoint, InvokerPolicy
from mldeploy.providers.gcp.cloudrun.operations import CloudRunOperations
from mldeploy.providers.gcp.cloudrun.permissions import RUN_PERMISSIONS, STORE_PERMISSIONS
from mldeploy.providers.gcp.cloudrun.prices import estimate_cloudrun
from mldeploy.providers.gcp.cloudrun.secret_access import SecretAccess, has_access
from mldeploy.providers.gcp.cloudrun.secrets import (
    CloudRunSecret,
    SecretManagerStore,
    list_owned_names,
    list_references,
)
from mldeploy.providers.gcp.cloudrun.service import CloudRunService
from mldeploy.providers.gcp.cloudrun.service_account import (
    AppServiceAccount,
    account_id,
    find_description,
    owner_text,
)
from mldeploy.providers.gcp.cloudrun.services import RunServiceInfo, describe_service
from mldeploy.providers.gcp.cloudrun.settings import TABLE, TARGET, CloudRunSettings
from mldeploy.providers.gcp.cloudrun.traffic import CloudRunTraffic
from mldeploy.providers.gcp.permissions import build_role, unique_permissions
from mldeploy.providers.gcp.repository import GarImage, GarRepository

WITH_SECRETS = "secrets"
KINDS: Kinds[CloudRunCloud] = derive_kinds(
    CloudRunEndpoint, CloudRunCandidate, GarImage, GarRepository, EngineImage, CloudRunSecret
)


class CloudRunProvider:
    """`mldeploy.providers.base.Provider` for Cloud Run."""

    name = TARGET
    settings: type[TargetSettings] = CloudRunSettings
    kinds: Kinds[CloudRunCloud] = KINDS

    def connect(self, project: Project, settings: CloudRunSettings, endpoints: Endpoints) -> CloudRunCloud:
        """Raises CredentialsError, ConfigError (no project, no region), GcpError; EngineError if no engine answers."""
        account = authenticate(TABLE, settings, endpoints, region=settings.region)
        return CloudRunCloud.of(Engine.connect(), account, project.app.name, settings)

    def place(self, cloud: CloudRunCloud) -> tuple[str, ...]:
        return cloud.account.scope

    def login(self, cloud: CloudRunCloud) -> Login:
        """Credentials for the registry of the image."""
        return registry_provider.registry_login(cloud)

    def push(self, project: Project, settings: CloudRunSettings) -> GarImage:
        app = project.app.name
        return GarImage(BuiltImage.of(project), GarRepository(settings.repository or app, app, settings.keep_images))

    def goal(self, project: Project, settings: CloudRunSettings) -> CloudRunEndpoint:
        """The steps of a deployment. Raises ConfigError, ProjectError (the golden row cannot be read)."""
        account, secrets = _build_identity(project, settings)
        service = CloudRunService(
            project, settings, _load_golden(project, settings), self.push(project, settings), account, secrets
        )
        return CloudRunEndpoint(project, settings, service, InvokerPolicy(settings.is_open(project), service))

    def candidate(self, project: Project, settings: CloudRunSettings) -> CloudRunCandidate:
        """`mldeploy.providers.traffic.CanSplitTraffic`. Raises as `goal` does."""
        account, secrets = _build_identity(project, settings)
        return CloudRunCandidate(
            project, settings, _load_golden(project, settings), self.push(project, settings), account, secrets
        )

    def traffic(self, cloud: CloudRunCloud, project: Project, settings: CloudRunSettings) -> CloudRunTraffic:
        """`mldeploy.providers.traffic.CanSplitTraffic`."""
        return CloudRunTraffic(cloud, project, settings)

    def service(self, cloud: CloudRunCloud, project: Project, settings: CloudRunSettings) -> CloudRunOperations:
        return CloudRunOperations(cloud, project, settings)

    def access_modes(self, project: Project) -> Collection[str]:
        """`mldeploy.providers.access.HasAccessModes`: the invoker policy of the service."""
        return (IAM,)

    def policy(self, cloud: CloudRunCloud) -> Mapping[str, object]:
        """`mldeploy.providers.capabilities.HasPolicy`: a custom role."""
        return build_role(RUN_PERMISSIONS)

    policy_features: Sequence[str] = (WITH_SECRETS,)

    def policy_set(
        self, cloud: CloudRunCloud, project: Project, settings: CloudRunSettings, features: Collection[str]
    ) -> PolicySet:
        """`mldeploy.providers.capabilities.HasPolicySet`: one role, also for secrets where they are wanted."""
        role = build_role(_required_calls(project, features))
        stores = _stores_secrets(project, features)
        part = PolicyPart("mldeploy", PolicyKind.POLICY, "deploy and destroy, and set and read secrets", role)
        return PolicySet((part,) if stores else (), role)

    def apps(self, cloud: CloudRunCloud, settings: CloudRunSettings) -> Sequence[ListedApp[CloudRunSettings]]:
        """`mldeploy.providers.capabilities.ListsApps`: those of the region."""
        return tuple(list_apps(cloud, settings))

    def secrets(self, cloud: CloudRunCloud, project: Project, settings: CloudRunSettings) -> SecretManagerStore:
        """`mldeploy.providers.secret_store.HasSecretStore`."""
        return SecretManagerStore(cloud)

    def costs(self, cloud: CloudRunCloud, project: Project, settings: CloudRunSettings) -> Estimate:
        """`mldeploy.providers.capabilities.HasCosts`."""
        return estimate_cloudrun(cloud.account.region, project, settings)

    def inventory(self, cloud: CloudRunCloud, project: Project) -> Collection[Resource]:
        """The service, the rights and the account of the app, its secrets, then its repositories."""
        secrets = (Resource(CloudRunSecret.kind, Key(name)) for name in list_owned_names(cloud))
        return (*_list_resources(cloud), *secrets, *gar.list_owned_repositories(cloud))

    def checks(self, project: Project, settings: CloudRunSettings) -> Sequence[DoctorCheck]:
        """`mldeploy.providers.capabilities.Diagnosable`: credentials, project, APIs, repository, service, secrets."""
        return (DoctorCheck(self.name, lambda: self.diagnose(project, settings, PUBLIC), checks.SECONDS),)

    def diagnose(self, project: Project, settings: CloudRunSettings, endpoints: Endpoints) -> Iterator[Finding]:
        """The checks of `mldeploy doctor`. Read-only."""
        connect = partial(self.connect, project, settings, endpoints)
        has_secrets = settings.secrets or project.app.access == KEY
        apis = (*RUN_APIS, *((SECRET_MANAGER,) if has_secrets else ()))
        own = partial(check_cloudrun, settings=settings)
        return checks.check_target(connect, apis, unique_permissions(_required_calls(project, ()).values()), own)


def _required_calls(project: Project, features: Collection[str]) -> Mapping[str, tuple[str, ...]]:
    """The calls of a deployment, and of what it uses besides."""
    return {**RUN_PERMISSIONS, **(STORE_PERMISSIONS if _stores_secrets(project, features) else {})}


def _stores_secrets(project: Project, features: Collection[str]) -> bool:
    return WITH_SECRETS in features or project.app.access == KEY


def _load_golden(project: Project, settings: CloudRunSettings) -> GoldenRow | None:
    settings.check(project)
    return GoldenRow.load(project.check.golden, project.app) if project.check.golden else None


def _build_identity(
    project: Project, settings: CloudRunSettings
) -> tuple[AppServiceAccount | None, tuple[SecretAccess, ...]]:
    """The app's own account with its rights; nothing where the settings name one."""
    if settings.service_account:
        return None, ()
    account = AppServiceAccount(project.app.name)
    names = dict.fromkeys(reference.partition(":")[0] for reference in settings.secrets.values())
    return account, tuple(SecretAccess(name, account) for name in names)


def _list_resources(cloud: CloudRunCloud) -> Iterator[Resource]:
    service = describe_service(cloud)
    is_ours = service is not None and not service.missing_labels
    if is_ours:
        yield Resource(CloudRunService.kind, Key(cloud.app))
    name = account_id(cloud.app)
    if find_description(cloud.account, name) == owner_text(cloud.app):
        for secret in _used_secrets(cloud, service if is_ours else None):
            if has_access(cloud, secret):
                yield Resource(SecretAccess.kind, Key(secret))
        yield Resource(AppServiceAccount.kind, Key(name))


def _used_secrets(cloud: CloudRunCloud, service: RunServiceInfo | None) -> Iterator[str]:
    """Those of others that the newest version reads: the rights to the app's own go with them."""
    own = list_references(cloud, service.template) if service else ()
    names = dict.fromkeys(secret for _, secret, _ in service.template.secrets) if service else {}
    yield from (each for each in names if each not in dict(own))


provider = CloudRunProvider()
