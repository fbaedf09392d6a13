"""What is decided before anything is sent: sizes, the task definition, the rules, the graph's shape."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mldeploy.config import load
from mldeploy.config.errors import ConfigError
from mldeploy.config.secret import Secret
from mldeploy.core.graph import steps_of
from mldeploy.core.step import Step
from mldeploy.core.verbs.destroy import needed_kinds
from mldeploy.providers.aws.fargate.cluster import MEMORY, Size, smallest_size
from mldeploy.providers.aws.fargate.firewall import IngressRule, list_rules, render_permission
from mldeploy.providers.aws.fargate.iam import ExecutionRole, execution_statements
from mldeploy.providers.aws.fargate.provider import provider
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.aws.fargate.tags import resource_name
from mldeploy.providers.aws.fargate.task_spec import (
    TaskSpec,
    build_request,
    health_command,
    list_differences,
    parse_task_spec,
)


class Answering:
    """A server that answers /health with a status; with 0, it closes the connection. Its value is its port."""

    def __init__(self, status: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if status:
                    self.send_response(status if self.path == "/health" else 404)
                    self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> int:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return int(self._server.server_address[1])

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


PROJECT = load.named("paper", "a test")
SPEC = TaskSpec(
    image="registry/paper@sha256:1",
    size=Size(256, 512),
    architecture="X86_64",
    port=5000,
    health=health_command(5000, "/health"),
    env=(("A", Secret("one")), ("B", Secret("two"))),
    secrets=(("KEY", "arn:aws:secretsmanager:us-east-1:123456789012:secret:key-AbCdEf"),),
    log_group="/mldeploy/paper",
    region="us-east-1",
    execution_role="arn:aws:iam::123456789012:role/execution",
    task_role="arn:aws:iam::123456789012:role/task",
    start_period=60,
)


def settings(**values: object) -> FargateSettings:
    return FargateSettings.model_validate(values)


@given(st.floats(0.1, 16), st.integers(6, 120 * 1024))
def test_the_smallest_size_holds_the_app(cpus: float, memory: int) -> None:
    size = smallest_size(cpus, memory)
    assert size is not None
    assert size.is_valid
    assert size.cpu >= cpus * 1024
    assert size.memory >= memory
    smaller = [Size(cpu, each) for cpu, offered in MEMORY.items() for each in offered if cpu < size.cpu]
    assert not any(each.cpu >= cpus * 1024 and each.memory >= memory for each in smaller)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cpu": 256, "memory": 4096}, "do not go with 256 CPU units"),
        ({"cpu": 256, "memory": 1500}, "Nearest: memory = 1024 or 2048"),
        ({"cpu": 16384, "memory": 512}, "Nearest: memory = 32768"),
    ],
)
def test_a_size_that_fargate_does_not_have_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        settings(**values).size(PROJECT)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "values",
    [
        {"min": 2},
        {"min": 3, "max": 2},
        {"max": 2, "instances": 2},
        {"target_requests": 10, "max": 2},
        {"certificate": "arn:aws:acm:eu-west-1:123456789012:certificate/12ab"},
        {"domain": "example.com"},
        {"maximum_percent": 100},
    ],
)
def test_keys_that_contradict_each_other_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"target\.fargate\."):
        provider.goal(PROJECT, settings(**values))


def test_the_execution_role_may_only_do_what_it_is_for() -> None:
    """One repository, one log group, and the secrets that the app is given."""
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:key-AbCdEf"
    role = ExecutionRole("paper", "team/paper", (f"{secret}:password::", secret, "/paper/key"))
    allowed = {
        action: statement["Resource"]
        for statement in execution_statements("aws", "us-east-1", "123456789012", role)
        for action in statement["Action"]
    }
    here = "us-east-1:123456789012"
    assert [action for action, resources in allowed.items() if "*" in resources] == ["ecr:GetAuthorizationToken"]
    assert allowed["ecr:BatchGetImage"] == [f"arn:aws:ecr:{here}:repository/team/paper"]
    assert allowed["logs:PutLogEvents"] == [f"arn:aws:logs:{here}:log-group:/mldeploy/paper:*"]
    assert allowed["secretsmanager:GetSecretValue"] == [secret]
    assert allowed["ssm:GetParameters"] == [f"arn:aws:ssm:{here}:parameter/paper/key"]


def test_a_task_definition_is_read_as_it_was_written() -> None:
    assert parse_task_spec(build_request("paper", SPEC)) == SPEC  # type: ignore[arg-type]  # what is sent has the shape of the response
    assert list_differences(SPEC, SPEC) == ()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (204, True), (302, False), (500, False), (0, False)])
def test_the_health_check_runs_in_any_shell_and_takes_only_a_2xx(status: int, healthy: bool) -> None:
    with Answering(status) as port:
        command = health_command(port, "/health")
        assert command[0] == "CMD-SHELL"
        assert (subprocess.run(["sh", "-c", command[1]], check=False, capture_output=True).returncode == 0) is healthy


def test_the_health_check_leaves_a_quarter_of_a_cpu_to_the_app() -> None:
    """A Python that loads urllib takes 80 ms of a whole one."""
    (container,) = build_request("paper", SPEC)["containerDefinitions"]
    assert container["healthCheck"]["interval"] >= 10
    assert "urllib" not in SPEC.health[1]


@pytest.mark.parametrize("region", ["eu-west-1", "us-gov-west-1", "cn-northwest-1", "eusc-de-east-1", "us-isob-east-1"])
def test_the_regions_of_every_partition_are_taken(region: str) -> None:
    assert settings(region=region).region == region
    with pytest.raises(ValidationError):
        settings(region=region.rpartition("-")[0])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "DISABLED"),
        ({"ingress": "load-balancer"}, "ENABLED"),
        ({"ingress": "load-balancer", "maximum_percent": 100, "minimum_healthy_percent": 50}, "DISABLED"),
    ],
)
def test_a_task_that_is_reached_at_its_own_address_is_not_moved(values: dict[str, object], expected: str) -> None:
    assert settings(**values).rebalancing == expected


def test_every_difference_is_listed_without_values() -> None:
    other = TaskSpec(
        "registry/paper@sha256:2",
        Size(512, 1024),
        "ARM64",
        8080,
        health_command(8080, "/"),
        (("A", Secret("changed-secret")), ("C", Secret("new-secret"))),
        (),
        "/other",
        "eu-west-1",
        "arn:aws:iam::123456789012:role/other",
        "arn:aws:iam::123456789012:role/others",
        5,
    )
    lines = list_differences(SPEC, other)
    assert len(lines) == len(fields(TaskSpec)) - 2 + 3 + 1
    assert not any(value in line for line in lines for value in ("one", "two", "changed-secret", "new-secret"))
    assert {"variable A → changed", "variable B → removed", "variable C → added"} <= set(lines)


@pytest.mark.parametrize("source", ["0.0.0.0/0", "2001:db8::/32", "sg-0a1b", "pl-0a1b"])
def test_a_rule_is_read_as_it_was_written(source: str) -> None:
    rule = IngressRule(source, 5000, 5000)
    assert list(list_rules({"IpPermissions": [render_permission(rule)]})) == [rule]  # type: ignore[list-item]


def test_two_long_names_are_never_one() -> None:
    one, other = resource_name("a" * 40, limit=32), resource_name("a" * 39 + "b", limit=32)
    assert one != other
    assert len(one) == len(other) == 32
    assert resource_name("paper", limit=32) == "mldeploy-paper"


def test_the_image_is_made_while_everything_else_is_prepared() -> None:
    """Neither waits for the other: a deployment takes as long as the longer of the two."""
    goal = provider.goal(PROJECT, settings())
    assert goal is not None
    graph = steps_of(goal)
    image = _with_needs(graph, "pushed-image")
    for kind in ("ecs-cluster", "execution-role", "task-role", "log-group", "security-group"):
        others = _with_needs(graph, kind)
        assert kind not in {step.kind for step in image}
        assert not {"pushed-image", "image"} & {step.kind for step in others}


def test_what_needs_goes_before_what_is_needed() -> None:
    needed = needed_kinds(provider.kinds)
    assert {"ecs-cluster", "security-group", "task-definition", "target-group", "listener"} <= needed["ecs-service"]
    assert {"load-balancer", "target-group", "security-group"} <= needed["listener"]
    assert "ecs-service" in needed["autoscaling"]
    assert {"execution-role", "task-role", "log-group", "ecr-repository"} <= needed["task-definition"]


def _with_needs(
    graph: dict[Step[object, object], tuple[Step[object, object], ...]] | object, kind: str
) -> set[Step[object, object]]:
    known = cast("dict[Step[object, object], tuple[Step[object, object], ...]]", graph)
    steps = {step for step in known if step.kind == kind}
    while more := {need for step in steps for need in known[step]} - steps:
        steps |= more
    return steps
