"""What can be wrong in a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from mldeploy.core.errors import ExitCode, MldeployError


class ConfigError(MldeployError):
    """A configuration file, an `MLDEPLOY_…` variable or a flag says something that cannot be used."""

    code = ExitCode.CONFIG


ErrorT = TypeVar("ErrorT", bound=MldeployError)


def joined(problems: Sequence[ErrorT]) -> ErrorT:
    """One error that says all of `problems` (at least one, all of a class), so that they can be mended in one go."""
    first, *others = problems
    if not others:
        return first
    lines = [first.what, *(f"{problem.where}: {problem.what}" for problem in others)]
    remedies = dict.fromkeys(problem.todo for problem in problems if problem.todo)
    return type(first)(first.where, "\n".join(lines), "\n".join(remedies))
