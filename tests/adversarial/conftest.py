"""A machine of its own for each attack: its home, its folders, and no setting of the developer's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import folder, mldeploy, name, paper

__all__ = ["folder", "home", "mldeploy", "name", "paper"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home, with nothing in it."""
    home = tmp_path / "home"
    home.mkdir()
    for key in [key for key in os.environ if key.startswith(("MLDEPLOY_", "XDG_", "GIT_"))]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("HOME", str(home))
    return home
