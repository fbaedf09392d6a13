"""The command line beside nothing of AWS: no credentials, no region, no files of its tools."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.command import Command

ELSEWHERE = "http://127.0.0.1:9"
"""Nothing listens there (discard)."""


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever runs the tests may well have an account."""
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws" / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws" / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", ELSEWHERE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that can be pushed as far as its files can tell."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.py").write_text("app = None\n")
    (folder / "requirements.txt").write_text("")
    (folder / "mldeploy.toml").write_text('[app]\nname = "nobody"\nmodels = []\n')
    return folder


@pytest.fixture
def mldeploy(tmp_path: Path, folder: Path) -> Command:
    return Command(tmp_path / "home", folder)
