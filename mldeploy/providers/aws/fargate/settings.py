"""The `[target.fargate]` table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mldeploy.config.errors import ConfigError
from mldeploy.config.kinds import FieldText, Variable
from mldeploy.config.settings import Project
from mldeploy.config.target import advise_on_disk, advise_on_port
from mldeploy.providers.aws.fargate.cluster import GIB, MEMORY, Size, nearest_memory, smallest_size
from mldeploy.providers.aws.fargate.logs import RETENTION
from mldeploy.providers.aws.fargate.task_roles import TaskRoles
from mldeploy.providers.aws.settings import AwsSettings

TABLE = "target.fargate"
MIB = 2**20


def _parse_cidr(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError:
        raise ValueError('"0.0.0.0/0" is everybody, "203.0.113.7/32" a single address.') from None


def _check_retention(days: int) -> int:
    if days not in RETENTION:
        raise ValueError(f"CloudWatch knows {', '.join(map(str, RETENTION))}.")
    return days


CERTIFICATE = r"^$|^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]+$"
DOMAIN_LENGTH = 64
DOMAIN = r"^$|^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$"

ROLE = r"^$|^arn:aws[a-z-]*:iam::[0-9]{12}:role/(?:[A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,64}$"
ROLE_PATH = r"^/(?:[A-Za-z0-9_+=,.@-]+/)*$"
PATH_LENGTH = 64
"""IAM allows 512 characters; with more than these the deployer's policy would not fit into a managed policy."""
BOUNDARY = r"^$|^arn:aws[a-z-]*:iam::(?:[0-9]{12}|aws):policy/(?:[A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,128}$"
KMS_KEY = r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$"

RoleArn = Annotated[str, Field(pattern=ROLE), FieldText("the ARN of a role")]
KmsKey = Annotated[str, Field(pattern=KMS_KEY), FieldText("the ARN of a KMS key, not of an alias")]
Cidr = Annotated[str, AfterValidator(_parse_cidr), FieldText("a range of IP addresses in CIDR notation")]
Retention = Annotated[int, AfterValidator(_check_retention), FieldText("a number of days that CloudWatch knows")]
Subnet = Annotated[str, Field(pattern=r"^subnet-[0-9a-f]+$"), FieldText("the id of a subnet")]
SecretSource = Annotated[
    str,
    Field(pattern=r"^(arn:aws[a-z-]*:(secretsmanager|ssm):.+|/?[A-Za-z0-9_./-]+)$"),
    FieldText("the ARN of a secret, or the ARN or name of an SSM parameter"),
]


class FargateSettings(AwsSettings):
    """The app as a service of AWS Fargate. Needs the extra `aws`: `pip install 'mldeploy[aws]'`.

    The file system of a task is its own and is thrown away with it; `app.read_only` does not hold there, since Fargate
    offers no writable /tmp beside a read-only root.
    """

    cpu: Annotated[
        Literal[256, 512, 1024, 2048, 4096, 8192, 16384] | None,
        FieldText(unset="what holds `app.cpus` and `app.memory`"),
    ] = Field(None, description="CPU units of a task, 1024 are one vCPU.", examples=[512])
    memory: Annotated[int | None, Field(ge=512, le=122880), FieldText(unset="what holds `app.memory`")] = Field(
        None,
        description="Memory of a task in MiB. Fargate sells it in steps that depend on the CPU: 1024 to 4096 for 512.",
        examples=[1024],
    )
    instances: Annotated[
        int | None, Field(ge=1, le=1000), FieldText(unset="1 at first, then what `mldeploy scale` set")
    ] = Field(None, description="How many tasks run at once.", examples=[2])
    subnets: list[Subnet] = Field(
        [],
        description="Public subnets of one VPC to run in. If none are named: those of the region's default VPC.",
        examples=[["subnet-0a1b2c3d", "subnet-4e5f6a7b"]],
    )
    ingress_cidr: Cidr = Field("0.0.0.0/0", description="Who may reach the app.")
    ingress: Literal["public-ip", "load-balancer"] = Field(
        "public-ip",
        description="How the app is reached. public-ip: at the task's own address, over HTTP, which changes with every "
        "version and costs next to nothing. load-balancer: at a name that stays, with versions that change without a "
        "gap, and with HTTPS if there is a certificate.",
    )
    certificate: Annotated[str, Field(pattern=CERTIFICATE), FieldText("the ARN of a certificate of ACM")] = Field(
        "",
        description="The certificate with which the load balancer answers HTTPS. If not set: with `domain`, mldeploy "
        "requests one; otherwise HTTP.",
        examples=["arn:aws:acm:eu-west-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"],
    )
    domain: Annotated[str, Field(pattern=DOMAIN), FieldText("a host name")] = Field(
        "",
        description="The host name at which the app answers HTTPS. Without `certificate`, mldeploy requests one. "
        "If a public zone of Route 53 in this account holds the name, mldeploy creates the DNS records; otherwise it "
        "prints those that you create. With `certificate`, you point the name to the load balancer (CNAME).",
        examples=["insurance.example.com"],
    )
    min: Annotated[int | None, Field(ge=1, le=1000), FieldText(unset="1")] = Field(
        None, description="With `max`: the fewest tasks that autoscaling leaves.", examples=[1]
    )
    max: Annotated[int | None, Field(ge=1, le=1000), FieldText(unset="no autoscaling")] = Field(
        None, description="The most tasks to which autoscaling goes.", examples=[4]
    )
    target_cpu: int = Field(
        70,
        ge=10,
        le=100,
        description="Percent of the tasks' CPU that autoscaling keeps to, unless `target_requests` does.",
    )
    target_requests: int = Field(
        0,
        ge=0,
        description="Requests a minute that each task should have, with a load balancer. 0: `target_cpu` decides.",
    )
    log_retention: Retention = Field(30, description="Days for which the log is kept.")
    secrets: Annotated[
        dict[Variable, SecretSource], FieldText("a table of ARNs, by the variable that the app reads")
    ] = Field(
        {},
        description="Variables whose values Fargate takes from Secrets Manager or the SSM parameter store as a "
        "task starts. They are in no file of yours and not in the task definition.",
        examples=[{"API_KEY": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:api-key-AbCdEf"}],
    )
    secrets_kms_keys: list[KmsKey] = Field(
        [],
        description="Customer managed KMS keys that encrypt `secrets`. The execution role may then decrypt with them. "
        "The keys of AWS itself (aws/secretsmanager, aws/ssm) need no entry.",
        examples=[["arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"]],
    )
    execution_role: RoleArn = Field(
        "",
        description="The role with which Fargate starts a task. mldeploy does not change or delete it. "
        "`mldeploy policy --with given-roles` prints what it needs. If not set: mldeploy creates one.",
        examples=["arn:aws:iam::123456789012:role/insurance-execution"],
    )
    task_role: RoleArn = Field(
        "",
        description="The role of the app itself. mldeploy does not change or delete it. If not set: mldeploy creates "
        "one without permissions.",
        examples=["arn:aws:iam::123456789012:role/insurance-task"],
    )
    permissions_boundary: Annotated[str, Field(pattern=BOUNDARY), FieldText("the ARN of a managed policy of IAM")] = (
        Field(
            "",
            description="The permissions boundary of the roles that mldeploy creates. `mldeploy policy` then allows "
            "only roles with it. `mldeploy policy --with boundary` prints what it must allow.",
            examples=["arn:aws:iam::123456789012:policy/mldeploy-boundary"],
        )
    )
    role_path: Annotated[str, FieldText("a path such as /team/: it begins and ends with a slash")] = Field(
        "/", pattern=ROLE_PATH, max_length=PATH_LENGTH, description="The IAM path of the roles that mldeploy creates."
    )
    rollout_timeout: int = Field(
        900,
        ge=1,
        le=7200,
        description="Seconds after which a rollout that has neither succeeded nor failed is given up. AWS needs a "
        "minute or two for each; a large image takes longer to be pulled.",
    )
    minimum_healthy_percent: int = Field(
        100,
        ge=0,
        le=100,
        description="Minimum % of healthy tasks during a rollout. 100: old tasks stop only after new ones are healthy.",
    )
    maximum_percent: int = Field(200, ge=100, le=400, description="Maximum % of tasks during a rollout.")

    @property
    def is_balanced(self) -> bool:
        return self.ingress == "load-balancer"

    @property
    def requests_certificate(self) -> bool:
        """Whether mldeploy gets the certificate of the domain."""
        return bool(self.domain) and not self.certificate

    @property
    def rebalancing(self) -> Literal["ENABLED", "DISABLED"]:
        """Whether ECS may move tasks between zones by itself. A task that is reached at its own address stays.

        Rebalancing starts the new task first, so it needs room above 100 %.
        """
        return "ENABLED" if self.is_balanced and self.maximum_percent > 100 else "DISABLED"

    @property
    def scaling(self) -> AutoscalingSpec | None:
        """What autoscaling keeps to; None if there is none."""
        return (
            None
            if self.max is None
            else AutoscalingSpec(self.min or 1, self.max, self.target_cpu, self.target_requests)
        )

    @property
    def roles(self) -> TaskRoles:
        return TaskRoles(self.execution_role, self.task_role, self.permissions_boundary, self.role_path)

    def advise(self, project: Project) -> tuple[str, ...]:
        return (*advise_on_port(project), *advise_on_disk(project))

    @property
    def withheld(self) -> tuple[str, ...]:
        return tuple(self.secrets)

    def check(self) -> None:
        """Raises ConfigError where keys contradict each other."""
        roles = "is for roles that mldeploy creates, and both roles are given"
        rules = (
            (bool(self.permissions_boundary) and not self.roles.created, "permissions_boundary", roles),
            (self.role_path != "/" and not self.roles.created, "role_path", roles),
            (bool(self.secrets_kms_keys) and not self.secrets, "secrets_kms_keys", "needs `secrets`"),
            (bool(self.certificate) and not self.is_balanced, "certificate", 'needs ingress = "load-balancer"'),
            (bool(self.certificate) and not self.domain, "certificate", "needs `domain`, the name that it is for"),
            (bool(self.domain) and not self.is_balanced, "domain", 'needs ingress = "load-balancer"'),
            (
                self.requests_certificate and len(self.domain) > DOMAIN_LENGTH,
                "domain",
                f"is longer than the {DOMAIN_LENGTH} characters for which ACM issues certificates",
            ),
            (self.min is not None and self.max is None, "min", "needs `max`"),
            (self.max is not None and (self.min or 1) > self.max, "min", "is more than `max`"),
            (self.max is not None and self.instances is not None, "instances", "and `max` contradict each other"),
            (bool(self.target_requests) and self.max is None, "target_requests", "needs `max`"),
            (bool(self.target_requests) and not self.is_balanced, "target_requests", 'needs ingress = "load-balancer"'),
            (
                self.minimum_healthy_percent == self.maximum_percent == 100,
                "maximum_percent",
                "leaves no room",
            ),
        )
        for broken, key, what in rules:
            if broken:
                raise ConfigError(f"{TABLE}.{key}", what, f"`mldeploy help config {TABLE}` explains the keys.")

    def size(self, project: Project) -> Size:
        """The size of a task. Raises ConfigError if Fargate has none such, or none that holds the app."""
        cpus, memory = project.app.cpus, math.ceil(project.app.memory / MIB)
        size = smallest_size(self.cpu / 1024 if self.cpu else cpus, self.memory or memory)
        if size is None:
            what = f"Fargate has no task with {cpus:g} CPUs and {(self.memory or memory) / GIB:g} GiB"
            raise ConfigError("app.memory", what, "16 vCPU and 120 GiB are the most.")
        if self.memory and size.memory != self.memory:
            raise self._invalid_memory(self.cpu or size.cpu, self.memory)
        if self.cpu and size.cpu != self.cpu:
            raise self._invalid_memory(self.cpu, self.memory or memory)
        return size

    @staticmethod
    def grace(project: Project) -> int:
        """Seconds in which a new task need not be healthy in the load balancer's eyes."""
        return round(project.check.start_timeout)

    def count(self, now: int, stopped_from: int = 0) -> int | None:
        """How many tasks should run where `now` do; None if that is as it should be.

        A service that was stopped starts again with as many tasks as it had: stopped_from.
        """
        desired = self.instances or now or stopped_from or self.min or 1
        return desired if desired != now else None

    @staticmethod
    def _invalid_memory(cpu: int, memory: int) -> ConfigError:
        offered = MEMORY[cpu]
        around = " or ".join(map(str, nearest_memory(cpu, memory)))
        what = f"{memory} MiB do not go with {cpu} CPU units: Fargate has {offered[0]} to {offered[-1]} MiB for them"
        return ConfigError(f"{TABLE}.memory", what, f"Nearest: memory = {around}.")


@dataclass(frozen=True)
class AutoscalingSpec:
    """So many tasks that each of them has this to do. cpu: percent. requests: a minute and task; 0 if CPU decides."""

    least: int
    most: int
    cpu: int
    requests: int = 0
