"""The command line beside nothing of Google's: no credentials, no project, no files of its tools."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.command import Command

ELSEWHERE = "127.0.0.1:9"
"""Nothing listens there (discard)."""


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever runs the tests may well have an account."""
    for name in os.environ:
        if name.startswith(("GOOGLE_", "CLOUDSDK_", "GCLOUD_", "GCE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("GCE_METADATA_HOST", ELSEWHERE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that can be pushed as far as its files can tell."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.py").write_text("app = None\n")
    (folder / "requirements.txt").write_text("")
    (folder / "mldeploy.toml").write_text('[app]\nname = "nobody"\nentry = "app:app"\nmodels = []\n')
    return folder


@pytest.fixture
def mldeploy(tmp_path: Path, folder: Path) -> Command:
    return Command(tmp_path / "home", folder)
