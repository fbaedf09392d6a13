"""What a task needs in an account, made as a provider makes it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import requests

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.aws import Rehearsal
from tests.rehearsal.clients import Clients

T = TypeVar("T")
BASE = "mldeploy/python:3.11-slim"
PORT = 8080
SERVE = f"exec python3 -u -m http.server {PORT}"
EXECUTION_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"


def trust(service: str) -> str:
    """A policy by which a service may take a role on."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


TRUST = trust("ecs-tasks.amazonaws.com")
OTHER_TRUST = trust("lambda.amazonaws.com")
SECONDS = 600.0
"""For whatever takes a container's time on a loaded machine."""


def eventually(probe: Callable[[], T | None], what: str) -> T:
    """What is there, once it is there."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if (value := probe()) is not None:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {SECONDS:.0f} s")


@dataclass
class Account:
    """A cluster, a role, a security group and a repository with an image in it."""

    aws: Clients
    image: str
    role: str
    group: str
    subnet: str
    public: str = "ENABLED"
    definition: dict[str, Any] = field(default_factory=dict)
    """What a task definition says otherwise than usual."""

    @property
    def rehearsal(self) -> Rehearsal:
        return self.aws.rehearsal

    @classmethod
    def made(cls, aws: Clients, engine: Engine) -> Account:
        uri = aws.ecr.create_repository(repositoryName="app")["repository"]["repositoryUri"]
        role = aws.iam.create_role(RoleName="execution", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        aws.iam.attach_role_policy(RoleName="execution", PolicyArn=EXECUTION_POLICY)
        aws.logs.create_log_group(logGroupName="/app")
        vpc = aws.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        subnet = aws.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        group = aws.ec2.create_security_group(GroupName="app", Description="app", VpcId=vpc)["GroupId"]
        aws.ecs.create_cluster(clusterName="c")
        return cls(aws, f"{uri}@{_push(engine, uri, aws.password())}", role, group, subnet)

    def open_port(self) -> None:
        rule = {"IpProtocol": "tcp", "FromPort": PORT, "ToPort": PORT, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        self.aws.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[rule])  # type: ignore[list-item]

    def define(self, script: str = SERVE, *, checked: bool = False, **container: Any) -> str:
        """Register a task definition whose container runs a shell script."""
        options = {"awslogs-group": "/app", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "x"}
        check = {"command": ["CMD-SHELL", f"python3 -c '{_CHECK}'"], "interval": 5, "timeout": 5, "retries": 10}
        full = {
            "name": "app",
            "image": self.image,
            "command": ["sh", "-c", script],
            "portMappings": [{"containerPort": PORT}],
            "stopTimeout": 2,
            "logConfiguration": {"logDriver": "awslogs", "options": options},
            **({"healthCheck": check} if checked else {}),
            **container,
        }
        usual = {
            "family": "app",
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "cpu": "256",
            "memory": "512",
            "executionRoleArn": self.role,
        }
        made = self.aws.ecs.register_task_definition(**{**usual, **self.definition, "containerDefinitions": [full]})
        return made["taskDefinition"]["taskDefinitionArn"]

    @property
    def network(self) -> Any:
        return {
            "awsvpcConfiguration": {
                "subnets": [self.subnet],
                "securityGroups": [self.group],
                "assignPublicIp": self.public,
            }
        }

    def run(self, definition: str) -> str:
        """Run one task, and give back its ARN."""
        started = self.aws.ecs.run_task(
            cluster="c", taskDefinition=definition, launchType="FARGATE", networkConfiguration=self.network
        )
        return started["tasks"][0]["taskArn"]

    def serve(self, definition: str, count: int = 1, **others: Any) -> None:
        """Create the service `s`."""
        self.aws.ecs.create_service(
            cluster="c",
            serviceName="s",
            taskDefinition=definition,
            desiredCount=count,
            launchType="FARGATE",
            networkConfiguration=self.network,
            **others,
        )

    def task(self, arn: str) -> Any:
        return self.aws.ecs.describe_tasks(cluster="c", tasks=[arn])["tasks"][0]

    @property
    def service(self) -> Any:
        return self.aws.ecs.describe_services(cluster="c", services=["s"])["services"][0]

    def tasks(self, status: str = "RUNNING") -> Sequence[str]:
        return self.aws.ecs.list_tasks(cluster="c", serviceName="s", desiredStatus=status)["taskArns"]  # type: ignore[arg-type]

    def until(self, arn: str, status: str) -> Any:
        """The task, once it has this status."""
        return eventually(
            lambda: task if (task := self.task(arn))["lastStatus"] == status else None, f"a task that is {status}"
        )

    def completed(self, definition: str) -> Any:
        """The service, once this definition has come in."""

        def look() -> Any:
            service = self.service
            first = service["deployments"][0]
            is_there = service["taskDefinition"] == definition and first["rolloutState"] == "COMPLETED"
            return service if is_there else None

        return eventually(look, "a deployment that is complete")

    def url(self, arn: str) -> str:
        details = self.task(arn)["attachments"][0]["details"]
        interface = next(each["value"] for each in details if each["name"] == "networkInterfaceId")
        described = self.aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]
        return f"http://{described['Association']['PublicIp']}:{PORT}/"


_CHECK = f'import urllib.request as u; u.urlopen("http://127.0.0.1:{PORT}/")'


def answers(url: str) -> bool:
    """Whether anybody answers there with 200."""
    try:
        return requests.get(url, timeout=120).ok
    except requests.ConnectionError:
        return False


def _push(engine: Engine, uri: str, password: str) -> str:
    engine.client.tag(BASE, uri, "1")
    login = {"username": "AWS", "password": password}
    events = list(engine.client.push(uri, "1", auth_config=login, stream=True, decode=True))
    digest = next(event["aux"]["Digest"] for event in events if "aux" in event)
    assert isinstance(digest, str)
    return digest
