"""What runs of an app on Fargate, and how it is operated."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.image.types import Image
from mldeploy.providers.aws.errors import aws_errors
from mldeploy.providers.aws.fargate import autoscaling, firewall
from mldeploy.providers.aws.fargate.addresses import url_of, urls
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.history import Entry, history
from mldeploy.providers.aws.fargate.log_lines import Log
from mldeploy.providers.aws.fargate.rollout import Rollout
from mldeploy.providers.aws.fargate.service import load_balancers
from mldeploy.providers.aws.fargate.settings import TABLE, FargateSettings
from mldeploy.providers.aws.fargate.tags import name
from mldeploy.providers.aws.fargate.task_definition import number
from mldeploy.providers.aws.fargate.tasks import ServiceState, Task, service, tasks
from mldeploy.providers.base import Address, Instance, Release
from mldeploy.providers.errors import AbsentError

LOOK_EVERY = 1.0
STOP_SECONDS = 300.0
HEALTH = {"HEALTHY": "healthy", "UNHEALTHY": "unhealthy"}


@dataclass(frozen=True)
class FargateService:
    """The app's service. Every method asks AWS anew."""

    cloud: FargateCloud
    project: Project
    settings: FargateSettings

    @property
    def app(self) -> str:
        return self.project.app.name

    def instances(self) -> tuple[Instance, ...]:
        with aws_errors(self.app, "ecs"):
            found = tasks(self.cloud, self.app)
            where = urls(self.cloud, self.app, [task for task in found if task.status == "RUNNING"])
            ordered = sorted(found, key=lambda task: list(where).index(task.arn) if task.arn in where else len(where))
            return tuple(_instance(task, where.get(task.arn, "")) for task in ordered)

    def url(self) -> str | None:
        with aws_errors(self.app, "ecs"):
            return url_of(self.cloud, self.app, self.settings.domain) or None

    def logs(self, *, follow: bool, tail: int) -> Iterator[str]:
        """Raises AbsentError if there is no log group."""
        with aws_errors(self.app, "logs"):
            yield from Log(self.cloud, self.app).lines(follow=follow, tail=tail)

    def stop(self) -> bool:
        with aws_errors(self.app, "ecs"):
            state = service(self.cloud, self.app)
            if state is None or not state.ours or not state.desired:
                return False
            autoscaling.suspend(self.cloud, self.app)
            self._count(0)
            deadline = time.monotonic() + STOP_SECONDS
            while tasks(self.cloud, self.app) and time.monotonic() < deadline:
                time.sleep(LOOK_EVERY)
            return True

    def releases(self) -> tuple[Release, ...]:
        with aws_errors(self.app, "ecs"):
            serving = self._serving()
            url = url_of(self.cloud, self.app, self.settings.domain) if serving else ""
            return tuple(_release(each, serving, url) for each in history(self.cloud, self.app))

    def rollback(self, revision: str | None, monitor: Monitor) -> Address:
        """Roll an earlier revision out. Raises AbsentError if there is none, VerdictError if it cannot serve."""
        with aws_errors(self.app, "ecs"):
            state = self._state()
            entry = self._chosen(revision, state)
            self._bring(entry, state)
            self._watch(entry.arn, monitor)
            url = url_of(self.cloud, self.app, self.settings.domain)
            return Address(url, Image(entry.image, entry.image.partition("@")[2], "", 0, ()))

    def scale(self, count: int, monitor: Monitor) -> None:
        """Run so many tasks, and return once they are healthy. Raises VerdictError if they cannot be had."""
        with aws_errors(self.app, "ecs"):
            state = self._state()
            if autoscaling.find(self.cloud, self.app):
                todo = f"Change `min` and `max` in [{TABLE}], and deploy."
                raise RefusedError(self.app, "autoscaling decides how many tasks run", todo)
            if self.settings.instances not in (None, count):
                text = f"The next deployment sets it to {self.settings.instances}, as {TABLE}.instances says."
                monitor.note(text, warning=True)
            self._count(count)
            self._watch(state.newest.revision, monitor)

    def _chosen(self, revision: str | None, state: ServiceState) -> Entry:
        found, now = history(self.cloud, self.app), state.newest.revision
        if revision is None:
            return _before(self.app, found, number(now))
        for each in found:
            if revision.lstrip("v") == str(each.number):
                return each
        known = ", ".join(str(each.number) for each in found)
        raise AbsentError(self.app, f"there is no revision {revision}", f"There are: {known}.")

    def _bring(self, entry: Entry, state: ServiceState) -> None:
        """An earlier version may have listened on another port, which has been closed since."""
        behind = frozenset((arn, entry.port) for arn, _ in state.target_groups)
        source = firewall.id_of(self.cloud, self.app, firewall.BALANCER) if behind else self.settings.ingress_cidr
        firewall.open_for(self.cloud, self.app, entry.port, source)
        self.cloud.ecs.update_service(
            cluster=name(self.app),
            service=name(self.app),
            taskDefinition=entry.arn,
            **load_balancers(behind, state.target_groups, self.settings.grace(self.project)),
        )

    def _count(self, count: int) -> None:
        self.cloud.ecs.update_service(cluster=name(self.app), service=name(self.app), desiredCount=count)

    def _watch(self, revision: str, monitor: Monitor) -> None:
        Rollout(self.cloud, self.project, revision, monitor, self.settings.rollout_timeout).watch()

    def _serving(self) -> str:
        state = service(self.cloud, self.app)
        if state is None or not state.ours:
            return ""
        healthy = [task.revision for task in tasks(self.cloud, self.app) if task.health == "HEALTHY"]
        return state.newest.revision if state.newest.revision in healthy else next(iter(healthy), "")

    def _state(self) -> ServiceState:
        state = service(self.cloud, self.app)
        if state is None or state.status == "DRAINING":
            what = f"nothing runs on Fargate in {self.cloud.account.region}"
            raise AbsentError(self.app, what, "`mldeploy deploy --target fargate` brings it there.")
        if not state.ours:
            raise RefusedError(self.app, "mldeploy did not make the service of this name", "Operate it yourself.")
        return state


def _instance(task: Task, url: str) -> Instance:
    health = HEALTH.get(task.health, "starting" if task.status == "RUNNING" else "")
    return Instance(task.id, task.image, task.status.lower(), health, url, task.started)


def _release(entry: Entry, serving: str, url: str) -> Release:
    state = "serving" if entry.arn == serving else "failed" if entry.failed else "old"
    return Release(str(entry.number), entry.image, entry.created, state, url if state == "serving" else "")


def _before(app: str, found: tuple[Entry, ...], now: int) -> Entry:
    """The last release that served before this one.

    Raises AbsentError if there is none, and where a failed rollout was taken back already: whoever wants that undone
    does not want to lose one version more.
    """
    good = [each for each in found if not each.failed]
    if found and found[0].failed and good and good[0].number == now:
        what = f"the last deployment failed, and revision {now} serves again already"
        raise AbsentError(app, what, "Name a revision to go further back: `mldeploy history` lists them.")
    for each in good:
        if each.number < now:
            return each
    raise AbsentError(app, "there is no earlier release to go back to", "See `mldeploy history`.")
