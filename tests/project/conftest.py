"""A machine without settings of its own: no user file, no `MLDEPLOY_` variable."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def bare_machine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's own file, empty."""
    folder = tmp_path_factory.mktemp("xdg")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    for name in [name for name in os.environ if name.startswith("MLDEPLOY_")]:
        monkeypatch.delenv(name)
    return folder / "mldeploy"
