"""Whether there is a registry to rehearse with."""

from __future__ import annotations

import os

import pytest

from mldeploy.rehearsal.errors import RehearsalError
from mldeploy.rehearsal.registry.program import program


def require_registry() -> None:
    """Skip on a developer's machine without one; where CI is set, what needs it fails instead."""
    try:
        program()
    except RehearsalError as error:
        if "CI" not in os.environ:
            pytest.skip(str(error))
