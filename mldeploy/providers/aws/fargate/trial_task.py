"""The task of a trial: started beside the service, asked alone, and stopped in any case.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from mldeploy.app.client import AnswerError, AppClient, GoldenRow, NoAnswer, NoAnswerError
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.providers.aws.errors import AwsError, aws_errors, error_message
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.errors import ignore_codes, is_about_youth
from mldeploy.providers.aws.fargate.evidence import TaskWitness
from mldeploy.providers.aws.fargate.header_rule import TRIAL, HeaderRoute
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.aws.fargate.tags import owner_tags, resource_name
from mldeploy.providers.aws.fargate.targets import find_target_group
from mldeploy.providers.aws.fargate.tasks import Task, find_public_ips, find_task, list_tasks_started_by
from mldeploy.providers.aws.fargate.verdict import (
    GRACE_SECONDS,
    NEUTRAL_STOP_CODES,
    PATIENCE_SECONDS,
    build_golden_verdict,
    build_verdict,
    is_transient,
    no_task_verdict,
    proves_failure,
    unreachable_verdict,
)

if TYPE_CHECKING:
    from types_boto3_ecs.type_defs import NetworkConfigurationTypeDef

STARTED_BY = "mldeploy-trial"
POLL_SECONDS = 0.5
REACH_SECONDS = 60.0
"""A task that is healthy from inside is reached from outside as soon as the network has caught up."""
BALANCER_ERRORS = (502, 503, 504)
"""What a load balancer answers by itself while a target is new to it."""


@dataclass(frozen=True)
class TrialAddress:
    """Where the trial's task is asked. host: the name that the certificate is for, if the URL has another one."""

    url: str
    headers: tuple[tuple[str, Secret], ...] = ()
    host: str = ""


@dataclass(frozen=True)
class TrialTask:
    """The trial of one app. route: the way to it through the load balancer; None: it is asked at its own address."""

    cloud: FargateCloud
    project: Project
    settings: FargateSettings
    golden: GoldenRow
    monitor: Monitor
    route: HeaderRoute | None

    def run(self, revision: str, network: NetworkConfigurationTypeDef) -> None:
        """Return once the revision has answered the golden row and its task has been told to stop.

        Raises VerdictError if it cannot serve or answers otherwise, AwsError, CancelledError.
        """
        try:
            task = self._wait_until_healthy(revision, network)
            self._ask(task, self._reach(task))
        except BaseException:
            self._stop_quietly()
            raise
        stop_trial_tasks(self.cloud, self.app)

    @property
    def app(self) -> str:
        return self.project.app.name

    def _wait_until_healthy(self, revision: str, network: NetworkConfigurationTypeDef) -> Task:
        arn, running_since, task = "", None, None
        for waited in self.monitor.attempts(every=POLL_SECONDS, within=self.settings.rollout_timeout):
            patient = waited < PATIENCE_SECONDS
            arn = arn or self._start(revision, network, patient=patient)
            task = find_task(self.cloud, self.app, arn) if arn else None
            if task is None:
                continue
            self._progress(f"its task is {task.status.lower()}")
            if proves_failure(task, patient=patient):
                raise build_verdict(self.project, self._witness.collect(task))
            if task.stop_code:
                self._require_unstopped(task)
                arn = ""  # what may pass by itself has stopped it
            elif task.status == "RUNNING":
                running_since = waited if running_since is None else running_since
                if task.health == "HEALTHY":
                    return task
                if waited - running_since > self.project.check.start_timeout + GRACE_SECONDS:
                    break
        if task is None:
            raise no_task_verdict(self.app, f"none was there within {self.settings.rollout_timeout} s")
        raise build_verdict(self.project, self._witness.collect(task, waited=self.project.check.start_timeout))

    def _start(self, revision: str, network: NetworkConfigurationTypeDef, *, patient: bool) -> str:
        """The new task's ARN; "" if AWS has no room for it now. Raises VerdictError if patience is over."""
        tags = [{"key": key, "value": value} for key, value in owner_tags(self.app).items()]
        try:
            response = self.cloud.ecs.run_task(
                cluster=resource_name(self.app),
                taskDefinition=revision,
                launchType="FARGATE",
                networkConfiguration=network,
                startedBy=STARTED_BY,
                clientToken=str(uuid.uuid4()),
                enableECSManagedTags=True,
                tags=tags,  # type: ignore[arg-type]
            )
        except ClientError as error:
            reason = error_message(error)
            if not is_about_youth(error) and not is_transient(reason):
                raise
        else:
            if response["tasks"]:
                return response["tasks"][0]["taskArn"]
            reason = next((each.get("reason", "") for each in response["failures"]), "")
        if not patient:
            raise no_task_verdict(self.app, reason)
        self._progress(f"AWS starts no task yet: {reason}")
        return ""

    def _require_unstopped(self, task: Task) -> None:
        if task.stop_code in NEUTRAL_STOP_CODES:
            what = f"was stopped during the trial: {task.stopped_reason or task.stop_code}"
            raise AwsError(f"task {task.id}", what, "Deploy again. The version that serves was not changed.")

    def _reach(self, task: Task) -> TrialAddress:
        if self.route is None:
            return self._find_own_address(task)
        self._wait_for_balancer(task, self.route)
        headers = ((self.route.header, self.route.token),)
        if self.route.is_secure:
            return TrialAddress(f"https://{self.route.dns}", headers, self.settings.domain)
        return TrialAddress(f"http://{self.route.dns}", headers)

    def _find_own_address(self, task: Task) -> TrialAddress:
        for _ in self.monitor.attempts(every=POLL_SECONDS, within=REACH_SECONDS):
            ip = find_public_ips(self.cloud, [task]).get(task.arn)
            if ip:
                return TrialAddress(f"http://{ip}:{self.project.app.port}")
        raise AwsError(f"task {task.id}", "has no public address", "See that the subnets are public ones: `subnets`.")

    def _wait_for_balancer(self, task: Task, route: HeaderRoute) -> None:
        """Put the task behind the trial's rule. Raises VerdictError if the load balancer does not find it healthy."""
        self._progress("waiting until the load balancer finds its task healthy")
        target = {"Id": task.private_ip, "Port": self.project.app.port}
        self.cloud.elb.register_targets(TargetGroupArn=route.targets, Targets=[target])  # type: ignore[list-item]
        reason = ""
        for _ in self.monitor.attempts(every=POLL_SECONDS, within=REACH_SECONDS):
            response = self.cloud.elb.describe_target_health(TargetGroupArn=route.targets, Targets=[target])  # type: ignore[list-item]
            health = response["TargetHealthDescriptions"][0]["TargetHealth"]
            if health["State"] == "healthy":
                return
            reason = health.get("Description") or health.get("Reason", "")
        evidence = replace(self._witness.collect(task), answer=None, complaint=reason or "it gives no reason")
        raise build_verdict(self.project, evidence)

    def _ask(self, task: Task, address: TrialAddress) -> None:
        """Send the golden row. What stands on the way may take a moment to know the new task."""
        self._progress("sending the golden row")
        failure: AnswerError | None = None
        with AppClient(
            address.url, self.cloud.trust, self.monitor, headers=address.headers, host=address.host
        ) as client:
            for _ in self.monitor.attempts(every=POLL_SECONDS, within=REACH_SECONDS):
                try:
                    return self.golden.check(client)
                except AnswerError as error:
                    failure = error
                    if not self._may_pass(error):
                        break
        if isinstance(failure, NoAnswerError) and self._may_pass(failure):
            raise unreachable_verdict(address.url, failure.what) from failure
        raise build_golden_verdict(self.project, self._witness.collect(task, failure)) from failure

    def _may_pass(self, error: AnswerError) -> bool:
        if isinstance(error, NoAnswerError):
            return error.silence in (NoAnswer.REFUSED, NoAnswer.CUT)
        return self.route is not None and error.status in BALANCER_ERRORS

    def _stop_quietly(self) -> None:
        """Stop the task after a failed trial. A failure becomes a note: the trial's own error must be reported."""
        try:
            with aws_errors(self.app, "ecs"):
                stop_trial_tasks(self.cloud, self.app)
        except MldeployError as error:
            text = f"The trial's task still runs ({error.what}). The next `deploy` or `destroy` stops it."
            self.monitor.note(text, warning=True)

    def _progress(self, text: str) -> None:
        self.monitor.progress(Progress("", f"trying the new version beside the old one: {text}"))

    @property
    def _witness(self) -> TaskWitness:
        return TaskWitness(self.cloud, self.project, self.monitor, TRIAL if self.route else "")


def list_trial_tasks(cloud: FargateCloud, app: str) -> tuple[str, ...]:
    """The ARNs of trials' tasks that run."""
    return list_tasks_started_by(cloud, app, STARTED_BY)


def stop_trial_tasks(cloud: FargateCloud, app: str) -> bool:
    """Stop every task of a trial, and take it from the load balancer. Does not wait for its end. May be repeated."""
    arns = list_trial_tasks(cloud, app)
    for arn in arns:
        with ignore_codes("InvalidParameterException", "ClusterNotFoundException"):  # it has ended meanwhile
            cloud.ecs.stop_task(cluster=resource_name(app), task=arn, reason="The trial of mldeploy is over.")
    _deregister_targets(cloud, app)
    return bool(arns)


def _deregister_targets(cloud: FargateCloud, app: str) -> None:
    group = find_target_group(cloud, app, TRIAL)
    if group is None:
        return
    arn = group["TargetGroupArn"]
    with ignore_codes("TargetGroupNotFound"):
        health = cloud.elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        targets = [each["Target"] for each in health if each["TargetHealth"]["State"] != "draining"]
        if targets:
            cloud.elb.deregister_targets(TargetGroupArn=arn, Targets=targets)
