"""What Fargate refuses of a task definition. Standard: ECS, "Task definition differences for Fargate"."""

from __future__ import annotations

from collections.abc import Mapping

from moto.ecs.exceptions import EcsClientException

from mldeploy.rehearsal.aws.ecs import roles

_GIB = 1024
MEMORY: Mapping[int, tuple[int, ...]] = {
    256: (512, 1 * _GIB, 2 * _GIB),
    512: tuple(range(1 * _GIB, 4 * _GIB + 1, _GIB)),
    1024: tuple(range(2 * _GIB, 8 * _GIB + 1, _GIB)),
    2048: tuple(range(4 * _GIB, 16 * _GIB + 1, _GIB)),
    4096: tuple(range(8 * _GIB, 30 * _GIB + 1, _GIB)),
    8192: tuple(range(16 * _GIB, 60 * _GIB + 1, 4 * _GIB)),
    16384: tuple(range(32 * _GIB, 120 * _GIB + 1, 8 * _GIB)),
}
"""MiB that go with so many CPU units. Standard: ECS, "Fargate task sizes"."""


def check(
    *, network: str | None, cpu: str | None, memory: str | None, execution_role: str | None, task_role: str | None
) -> None:
    """Raise EcsClientException as Fargate would. cpu, memory: as they were sent, in units and MiB."""
    if network != "awsvpc":
        raise EcsClientException("Fargate only supports network mode 'awsvpc'.")
    if not _fits(cpu, memory):
        raise EcsClientException(
            "No Fargate configuration exists for given values: "
            f"{cpu or 0} CPU, {memory or 0} memory. See the Amazon ECS documentation for the valid values."
        )
    if not execution_role:
        raise EcsClientException("Fargate requires task definition to have execution role ARN to support ECR images.")
    for role in filter(None, (execution_role, task_role)):
        if roles.find(role) is None:
            raise EcsClientException("Role is not valid")


def _fits(cpu: str | None, memory: str | None) -> bool:
    return bool(cpu and memory and cpu.isdigit() and memory.isdigit()) and int(memory or 0) in MEMORY.get(
        int(cpu or 0), ()
    )
