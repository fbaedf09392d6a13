"""The web app: a container of the app's image behind `https://NAME.azurewebsites.net`.

https://learn.microsoft.com/azure/app-service/configure-custom-container
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, TypeVar

from mldeploy.app.client import GoldenRow
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.registry.steps import PushedImage
from mldeploy.image.types import Image
from mldeploy.providers.azure import tags
from mldeploy.providers.azure.errors import ignore_not_found, translate_errors
from mldeploy.providers.azure.identity import ManagedIdentity, PullRole
from mldeploy.providers.azure.keyvault.secrets import AppSecrets, list_app_secrets
from mldeploy.providers.azure.registry import ContainerRegistry
from mldeploy.providers.azure.registry_client import ContainerRegistryInfo, admin_credentials
from mldeploy.providers.azure.tags import WEBAPP
from mldeploy.providers.azure.waiting import wait_until_gone
from mldeploy.providers.azure.webapp import sites
from mldeploy.providers.azure.webapp.canary_slot import candidate_release, check_no_candidate, describe_canary
from mldeploy.providers.azure.webapp.cloud import WebappCloud, site_key
from mldeploy.providers.azure.webapp.plan import AppServicePlan
from mldeploy.providers.azure.webapp.rollout import SiteRollout
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.azure.webapp.site_spec import (
    SiteSpec,
    build_app_settings,
    compare_specs,
    keep_platform_settings,
)
from mldeploy.providers.azure.webapp.sites import SiteInfo
from mldeploy.providers.secret_store import refuse_conflicts

OutT = TypeVar("OutT")


@dataclass(frozen=True)
class RunningSite:
    """A site that runs the app. is_new: it was created now. gap: downtime in seconds."""

    url: str
    image: Image | None
    is_new: bool = False
    was_changed: bool = False
    gap: float = 0.0


@dataclass(frozen=True, eq=False)
class SiteVersionStep(Step[WebappCloud, OutT]):
    """A step that starts a version: what it needs, and the desired settings that follow from it."""

    project: Project
    settings: WebappSettings
    image: PushedImage
    registry: ContainerRegistry
    plan: AppServicePlan
    identity: ManagedIdentity
    role: PullRole | None = None
    """None where the registry's admin user pulls."""

    def key(self) -> Key:
        return site_key(self.project.app.name, self.plan.group.name, self.settings)

    def stored_secrets(self, cloud: WebappCloud, was: SiteSpec | None, monitor: Monitor | None = None) -> AppSecrets:
        """The secrets of `mldeploy secrets`. Raises ConfigError if one of them is set in another way, too."""
        is_referenced = was is not None and bool(was.references - self.settings.secrets.keys())
        stored = list_app_secrets(cloud, is_referenced=is_referenced, monitor=monitor)
        refuse_conflicts(self.project.app, stored.uris, self.settings.secrets)
        return stored

    def desired(self, cloud: WebappCloud, outs: Outputs, was: SiteSpec | None, stored: AppSecrets) -> SiteSpec:
        """The desired spec. Values of dependencies that do not exist yet are taken from the current spec."""
        image, plan, identity = outs.get(self.image), outs.get(self.plan), outs.get(self.identity)
        spec = SiteSpec(
            image=image.reference if image else "",
            settings=build_app_settings(
                self.project, self.settings, self._admin_credentials(cloud, outs.get(self.registry)), stored.uris
            ),
            health=self.project.app.health,
            always_on=self.settings.tier.always_on,
            identity=identity.id if identity else "",
            client=identity.client if identity and self.role else "",
            plan=plan.id if plan else "",
            affinity=self.project.app.keeps_sessions,
        )
        if was is None:
            return spec
        return replace(
            spec,
            image=spec.image or was.image,
            identity=spec.identity or was.identity,
            client=spec.client or (was.client if self.role else ""),
            plan=spec.plan or was.plan,
        )

    def _admin_credentials(
        self, cloud: WebappCloud, registry: ContainerRegistryInfo | None
    ) -> tuple[str, str, Secret] | None:
        """The registry's address, user and password if the admin user pulls."""
        if self.role is not None or registry is None or not registry.admin:
            return None
        user, password = admin_credentials(cloud, self.registry.group.name, registry.name)
        return registry.address, user, password

    def rollout(self, cloud: WebappCloud, monitor: Monitor) -> SiteRollout:
        golden = GoldenRow.load(self.project.check.golden, self.project.app) if self.project.check.golden else None
        site_slot = sites.resolve_slot(cloud, self.key())
        return SiteRollout(cloud, self.project, self.settings, site_slot, monitor, golden)

    def check_platform(self, image: Image) -> None:
        """Raises RefusedError for another platform, which would fail with `exec format error`."""
        image.require_platform(self.project.build.platform, "the web app")
        if not image.platform.startswith("linux/amd64"):
            what = f"is for {image.platform}, but App Service only runs linux/amd64"
            raise RefusedError(image.reference, what, 'Set platform = "linux/amd64" in [build], and deploy again.')


@translate_errors
@dataclass(frozen=True, eq=False)
class WebApp(SiteVersionStep[RunningSite]):
    """The site runs the image with exactly these settings."""

    kind: ClassVar[str] = "web-app"
    title: ClassVar[str] = "Run the web app"

    def probe(self, cloud: WebappCloud, outs: Outputs) -> Seen[RunningSite] | None:
        site = sites.describe_site(cloud, sites.resolve_slot(cloud, self.key()))
        if site is None:
            return None
        missing = tags.missing_tags(site.tags, cloud.app, WEBAPP)
        drift = missing or tuple(self._drift(cloud, outs, site))
        return Seen(RunningSite(site.url, outs.get(self.image)), drift, ours=not missing)

    def apply(self, cloud: WebappCloud, outs: Outputs, seen: Seen[RunningSite] | None, monitor: Monitor) -> RunningSite:
        """Raises VerdictError if the version cannot serve, RefusedError if the site's name is taken."""
        site_slot = sites.resolve_slot(cloud, self.key())
        image = outs[self.image]
        self.check_platform(image)
        rollout = self.rollout(cloud, monitor)
        was = sites.describe_site(cloud, site_slot)
        if was is not None and self.settings.tier.slots:
            self._clear_canary(cloud, was, rollout)
        stored = self.stored_secrets(cloud, was.spec if was else None, monitor)
        stored.allow(cloud, outs[self.identity], monitor)
        if was is None:
            sites.check_name_available(cloud, site_slot.site)
            created = rollout.create(self.desired(cloud, outs, None, stored), outs[self.plan].region)
            return RunningSite(created.url, image, is_new=True, was_changed=True)
        desired = keep_platform_settings(self.desired(cloud, outs, was.spec, stored), was.settings_by_name)
        is_current = not compare_specs(was.spec, desired) and not was.is_stopped
        site, gap = rollout.finish_rollout(was) if is_current else rollout.deploy(was, desired)
        return RunningSite(site.url, image, was_changed=True, gap=gap)

    @staticmethod
    def undo(cloud: WebappCloud, key: Key, monitor: Monitor) -> bool:
        site_slot = sites.resolve_slot(cloud, key)
        if not sites.site_exists(cloud, key):
            return False
        for slot in (site_slot.staging, site_slot.canary):
            sites.delete_slot(cloud, slot)
        # By default App Service deletes the plan with its last site. The plan has its own step.
        delete = partial(cloud.web.web_apps.delete, site_slot.group, site_slot.site, delete_empty_server_farm=False)
        ignore_not_found(delete)
        wait_until_gone(monitor, site_slot.site, lambda: sites.get_site(cloud, site_slot) is None)
        return True

    def _drift(self, cloud: WebappCloud, outs: Outputs, site: SiteInfo) -> Iterator[str]:
        desired = self.desired(cloud, outs, site.spec, self.stored_secrets(cloud, site.spec))
        if outs.get(self.image) is None:
            yield f"image {site.spec.image} → a new image"
        yield from compare_specs(site.spec, keep_platform_settings(desired, site.settings_by_name))
        if site.is_stopped:
            yield "stopped → running"
        if desired.image == site.spec.image and not site.serves:
            yield "the last rollout did not finish → finished"
        if self.settings.tier.slots:
            yield from self._slot_drift(cloud, site)

    def _slot_drift(self, cloud: WebappCloud, site: SiteInfo) -> Iterator[str]:
        site_slot = sites.resolve_slot(cloud, self.key())
        if sites.get_site(cloud, site_slot.staging) is not None:
            yield "leftover staging slot → removed"
        slot = describe_canary(cloud, site_slot)
        if slot is not None and slot.stands:
            number = candidate_release(site, slot).number
            yield f"release {number} stands beside the serving one (a canary) → promoted or aborted first"
        elif slot is not None or site.percent:
            yield "leftover canary slot → removed"

    def _clear_canary(self, cloud: WebappCloud, was: SiteInfo, rollout: SiteRollout) -> None:
        """Remove what an interrupted command has left in the canary slot. Raises RefusedError while a canary stands."""
        slot = describe_canary(cloud, rollout.site_slot)
        if slot is not None:
            check_no_candidate(cloud, was, slot)
        if slot is not None or was.percent:
            rollout.withdraw(was, None)
