"""A folder with a tiny app, and the command line in a world of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import Command
from tests.names import app_name

APP = """\
from flask import Flask

app = Flask(__name__)
"""


@pytest.fixture
def name() -> str:
    """An app's name that no other test has."""
    return app_name()


@pytest.fixture
def folder(tmp_path: Path, name: str) -> Path:
    """A folder that can be deployed as far as its files can tell."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    (folder / "requirements.txt").write_text("flask\n")
    (folder / "mldeploy.toml").write_text(f'[app]\nname = "{name}"\nmodels = []\n')
    return folder


@pytest.fixture
def mldeploy(tmp_path: Path, folder: Path) -> Command:
    """The command line, in the app's folder; a third party's target `paper` is installed."""
    plugin = tmp_path / "home" / "plugins" / "mldeploy_paper-1.dist-info"
    plugin.mkdir(parents=True)
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: mldeploy-paper\nVersion: 1\n")
    (plugin / "entry_points.txt").write_text("[mldeploy.providers]\npaper = tests.cli.paper.provider:provider\n")
    return Command(tmp_path / "home", folder)


@pytest.fixture
def paper(mldeploy: Command, tmp_path: Path) -> Command:
    """The same, with a folder for the things of the target `paper`."""
    things = tmp_path / "things"
    things.mkdir()
    return mldeploy.with_env(MLDEPLOY_TARGET_PAPER_FOLDER=str(things))
