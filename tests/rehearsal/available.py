"""Whether there is a registry to rehearse with."""

from __future__ import annotations

import os

import pytest

from mldeploy.rehearsal.record import RehearsalError
from mldeploy.rehearsal.registry.program import find_program


def require_registry() -> None:
    """Skip on a developer's machine without one; where CI is set, what needs it fails instead."""
    try:
        find_program()
    except RehearsalError as error:
        if "CI" not in os.environ:
            pytest.skip(str(error))
