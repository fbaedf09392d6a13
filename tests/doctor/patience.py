"""The doctor's time limits, for tests in which nothing hangs: there they only measure how busy the machine is."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from mldeploy.doctor import context, runner
from mldeploy.doctor.engine import connection
from mldeploy.doctor.network import http_probe
from mldeploy.providers.local import checks

PATIENCE = 300
LIMITS: tuple[tuple[ModuleType, str], ...] = (
    (context, "ENGINE_SECONDS"),
    (runner, "COMMAND_SECONDS"),
    (connection, "PING_SECONDS"),
    (http_probe, "PROBE_SECONDS"),
    (http_probe, "CONNECT_SECONDS"),
    (http_probe, "READ_SECONDS"),
    (checks, "CHECK_SECONDS"),
)


def be_patient(put: Callable[[Any, str, Any], None] = setattr) -> None:
    """Let no check be given up for being slow. `put` sets an attribute."""
    for module, name in LIMITS:
        put(module, name, PATIENCE)
    begin = runner.BackgroundValue.__init__
    put(runner.BackgroundValue, "__init__", lambda self, fetch, _: begin(self, fetch, PATIENCE))
