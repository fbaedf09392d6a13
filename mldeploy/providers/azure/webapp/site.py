"""The web app: a container of the app's image behind `https://NAME.azurewebsites.net`.

https://learn.microsoft.com/azure/app-service/configure-custom-container
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.client import GoldenRow
from mldeploy.image.registry.steps import PushedImage
from mldeploy.image.types import Image
from mldeploy.providers.azure import tags
from mldeploy.providers.azure.answers import speaking
from mldeploy.providers.azure.errors import found
from mldeploy.providers.azure.registries import Registry, admin
from mldeploy.providers.azure.registry import ContainerRegistry
from mldeploy.providers.azure.waiting import until_gone
from mldeploy.providers.azure.webapp import sites
from mldeploy.providers.azure.webapp.cloud import WebappCloud, key_of
from mldeploy.providers.azure.webapp.identity import ManagedIdentity
from mldeploy.providers.azure.webapp.plan import AppServicePlan
from mldeploy.providers.azure.webapp.role import PullRole
from mldeploy.providers.azure.webapp.rollout import Rollout
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.azure.webapp.site_spec import SiteSpec, app_settings, differences, keeping
from mldeploy.providers.azure.webapp.sites import Site
from mldeploy.providers.azure.webapp.tags import TARGET


@dataclass(frozen=True)
class Running:
    """A site that runs the app. is_new: nothing served before. gap: seconds for which its URL was silent meanwhile."""

    url: str
    image: Image | None
    is_new: bool = False
    was_changed: bool = False
    gap: float = 0.0


@speaking
@dataclass(frozen=True, eq=False)
class WebApp(Step[WebappCloud, Running]):
    """The site runs the image, with these settings and no others."""

    kind: ClassVar[str] = "web-app"
    title: ClassVar[str] = "Run the web app"

    project: Project
    settings: WebappSettings
    image: PushedImage
    registry: ContainerRegistry
    plan: AppServicePlan
    identity: ManagedIdentity
    role: PullRole | None = None
    """None where the registry's admin user pulls."""

    def key(self) -> Key:
        return key_of(self.project.app.name, self.plan.group.name, self.settings)

    def probe(self, cloud: WebappCloud, outs: Outputs) -> Seen[Running] | None:
        site = sites.describe(cloud, sites.place_of(cloud, self.key()))
        if site is None:
            return None
        foreign = tags.foreign(site.tags, cloud.app, TARGET)
        drift = foreign or tuple(self._drift(cloud, outs, site))
        return Seen(Running(site.url, outs.get(self.image)), drift, ours=not foreign)

    def apply(self, cloud: WebappCloud, outs: Outputs, seen: Seen[Running] | None, monitor: Monitor) -> Running:
        """Raises VerdictError if the version cannot serve, RefusedError if the site's name is somebody else's."""
        place = sites.place_of(cloud, self.key())
        image = outs[self.image]
        self._check_platform(image)
        golden = GoldenRow.load(self.project.check.golden) if self.project.check.golden else None
        rollout = Rollout(cloud, self.project, self.settings, place, monitor, golden)
        was = sites.describe(cloud, place)
        if was is None:
            sites.check_free(cloud, place.site)
            made = rollout.create(self._wanted(cloud, outs, None), outs[self.plan].region)
            return Running(made.url, image, is_new=True, was_changed=True)
        wanted = keeping(self._wanted(cloud, outs, was.spec), was.found)
        is_as_wanted = not differences(was.spec, wanted) and not was.is_stopped
        site, gap = rollout.settle(was) if is_as_wanted else rollout.bring(was, wanted)
        return Running(site.url, image, was_changed=True, gap=gap)

    @staticmethod
    def undo(cloud: WebappCloud, key: Key, monitor: Monitor) -> bool:
        place = sites.place_of(cloud, key)
        if not sites.is_there(cloud, key):
            return False
        sites.remove_slot(cloud, place.staging)
        # App Service would take the plan along with its last site: it is removed by itself, if it is ours.
        delete = partial(cloud.web.web_apps.delete, place.group, place.site, delete_empty_server_farm=False)
        found(delete)
        until_gone(monitor, place.site, lambda: sites.get(cloud, place) is None)
        return True

    def _drift(self, cloud: WebappCloud, outs: Outputs, site: Site) -> Iterator[str]:
        wanted = self._wanted(cloud, outs, site.spec)
        if outs.get(self.image) is None:
            yield f"image {site.spec.image} → the one to be built"
        yield from differences(site.spec, keeping(wanted, site.found))
        if site.is_stopped:
            yield "stopped → running"
        if wanted.image == site.spec.image and not site.serves:
            yield "the last rollout was not seen to serve → it is"
        if self.settings.tier.slots and sites.get(cloud, sites.place_of(cloud, self.key()).staging) is not None:
            yield "a staging slot was left → it is removed"

    def _wanted(self, cloud: WebappCloud, outs: Outputs, was: SiteSpec | None) -> SiteSpec:
        """What the site should say; while a need does not exist yet, as much of it as it said before."""
        image, plan, identity = outs.get(self.image), outs.get(self.plan), outs.get(self.identity)
        spec = SiteSpec(
            image=image.reference if image else "",
            settings=app_settings(self.project, self.settings, self._admin(cloud, outs.get(self.registry))),
            health=self.project.app.health,
            always_on=self.settings.tier.always_on,
            identity=identity.id if identity else "",
            client=identity.client if identity and self.role else "",
            plan=plan.id if plan else "",
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

    def _admin(self, cloud: WebappCloud, registry: Registry | None) -> tuple[str, str, Secret] | None:
        """What the site enters the registry with, where its identity may not."""
        if self.role is not None or registry is None or not registry.admin:
            return None
        user, password = admin(cloud, self.registry.group.name, registry.name)
        return registry.address, user, password

    def _check_platform(self, image: Image) -> None:
        """An image for another processor would be pulled, and end with `exec format error`."""
        if image.platform != self.project.build.platform:
            what = f"is for {image.platform}, and the web app would run on {self.project.build.platform}"
            raise RefusedError(image.reference, what, "Set `platform` in [build], or correct FROM in the Dockerfile.")
        if not image.platform.startswith("linux/amd64"):
            what = f"is for {image.platform}, and App Service runs linux/amd64 alone"
            raise RefusedError(image.reference, what, 'Set platform = "linux/amd64" in [build], and deploy again.')
