"""Whose roles the tasks take: created by mldeploy, or given by an administrator."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Purpose(StrEnum):
    """What a role is for."""

    EXECUTION = "execution"
    """Fargate itself pulls the image, reads the secrets and writes the log with it."""
    TASK = "task"
    """The app itself acts with it. It may do nothing."""


@dataclass(frozen=True)
class TaskRoles:
    """The role settings of `[target.fargate]`.

    execution, task: ARN of a role that an administrator manages; empty: mldeploy creates one.
    boundary: ARN of the permissions boundary of created roles; empty: none. path: path of created roles.
    """

    execution: str = ""
    task: str = ""
    boundary: str = ""
    path: str = "/"

    def given(self, purpose: Purpose) -> str:
        """The ARN of the administrator's role; empty if mldeploy creates it."""
        return self.execution if purpose is Purpose.EXECUTION else self.task

    @property
    def created(self) -> tuple[Purpose, ...]:
        """The roles that mldeploy creates."""
        return tuple(purpose for purpose in Purpose if not self.given(purpose))
