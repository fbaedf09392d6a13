"""What the steps that bring a version have in common: its parts, its spec and its rollout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Generic

from mldeploy.app.client import GoldenRow
from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor, current_monitor
from mldeploy.core.step import Key, Outputs, OutT_co, Step
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.revision_spec import RevisionSpec, build_spec
from mldeploy.providers.gcp.cloudrun.rollout import RunRollout
from mldeploy.providers.gcp.cloudrun.secret_access import SecretAccess, grant_access
from mldeploy.providers.gcp.cloudrun.secrets import list_app_secrets, list_references
from mldeploy.providers.gcp.cloudrun.service_account import AppServiceAccount
from mldeploy.providers.gcp.cloudrun.services import RunServiceInfo, describe_revision, where
from mldeploy.providers.gcp.cloudrun.settings import CloudRunSettings
from mldeploy.providers.gcp.repository import GarImage
from mldeploy.providers.secret_store import refuse_conflicts


@dataclass(frozen=True, eq=False)
class CloudRunVersionStep(Step[CloudRunCloud, OutT_co], Generic[OutT_co]):
    """A version of the app on Cloud Run. account: None where the settings name a service account."""

    kind: ClassVar[str]
    title: ClassVar[str]

    project: Project
    settings: CloudRunSettings
    golden: GoldenRow | None
    image: GarImage
    account: AppServiceAccount | None = None
    secrets: tuple[SecretAccess, ...] = ()

    def key(self) -> Key:
        return Key(self.project.app.name)

    def desired(self, cloud: CloudRunCloud, outs: Outputs) -> RevisionSpec:
        """The spec of the version, as far as the parts that it needs exist.

        Raises ConfigError for a variable that the configuration sets, and `mldeploy secrets`, too.
        """
        stored = list_app_secrets(cloud, current_monitor())
        refuse_conflicts(self.project.app, (each.name for each in stored), self.settings.secrets)
        identity = outs.get(self.account) if self.account else None
        account = identity.email if identity else self.settings.service_account
        image = outs.get(self.image)
        reference = image.reference if image else ""
        return build_spec(self.project, self.settings, cloud.account.project, reference, account, stored)

    def prepare(self, cloud: CloudRunCloud, outs: Outputs, monitor: Monitor) -> tuple[RevisionSpec, RunRollout]:
        """The spec of the version, whose service account may read the stored secrets, and its rollout.

        May be repeated.
        """
        spec = self.desired(cloud, outs)
        granted = [grant_access(cloud, secret, spec.account, monitor) for secret, _ in list_references(cloud, spec)]
        return spec, replace(self.rollout(cloud, outs, monitor), grants_are_new=any(granted))

    def rollout(self, cloud: CloudRunCloud, outs: Outputs, monitor: Monitor) -> RunRollout:
        identity = outs[self.account] if self.account else None
        is_new = identity is not None and identity.is_new
        return RunRollout(cloud, self.project, self.settings, monitor, self.golden, is_new)


def serving_spec(cloud: CloudRunCloud, service: RunServiceInfo) -> RevisionSpec | None:
    """The spec of the revision that serves, None if it does not exist."""
    if service.newest == service.serving:
        return service.template
    revision = describe_revision(cloud, service.serving) if service.serving else None
    return revision.spec if revision else None


def require_ours(cloud: CloudRunCloud, service: RunServiceInfo | None) -> None:
    """Raise RefusedError for a service of somebody else."""
    if service is not None and service.missing_labels:
        todo = "Rename the app, or set these labels on the service to let mldeploy manage it."
        what = f"exists, but mldeploy did not create it ({', '.join(service.missing_labels)})"
        raise RefusedError(where(cloud), what, todo)
