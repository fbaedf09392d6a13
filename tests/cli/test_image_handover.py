"""An image that one machine builds and checks, and another one deploys without running anything of the app."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from mldeploy.config.environments import environment_key
from mldeploy.config.load import load
from mldeploy.config.paths import config_file
from mldeploy.image.engine import Engine
from tests.cli.command import Command
from tests.names import record, remove_app

SERVER = """\
import os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"preview")


HTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def app(mldeploy: Command, name: str) -> Iterator[Command]:
    """A small app with previews. Nothing of it is left on the engine afterwards."""
    folder = mldeploy.folder
    base = load(folder).build.base_image
    with (folder / "mldeploy.toml").open("a") as toml:
        toml.write("[target.local]\nport = 0\n[env.preview]\n")
    (folder / "app.py").write_text(SERVER)
    (folder / "Dockerfile").write_text(f'FROM {base}\nCOPY app.py /app.py\nUSER 10001\nCMD ["python3", "/app.py"]\n')
    for home in ("home", "other"):
        if config_file().exists():
            own = folder.parent / home / "config" / "mldeploy"
            own.mkdir(parents=True)
            shutil.copy(config_file(), own)
    names = [name, *(record(environment_key(name, f"preview-{number}")) for number in (1, 2))]
    engine = Engine.connect()
    yield mldeploy
    for each in names:
        remove_app(engine, each)
    engine.client.close()


@pytest.mark.engine
def test_what_one_machine_built_another_one_deploys_and_removes(app: Command, name: str, tmp_path: Path) -> None:
    handover = str(tmp_path / "handover")
    built = app("build", "--env", "preview-1", "--save", handover, "--json").document
    image = built["image"]
    assert isinstance(image, dict)
    engine = Engine.connect()
    engine.client.remove_image(image["reference"], force=True)
    other = Command(tmp_path / "other", app.folder)
    done = other("deploy", "--env", "preview-1", "--image", handover, "--json")
    assert done.code == 0, done.err + done.out
    deployed = done.document
    assert deployed["app"] == environment_key(name, "preview-1")
    assert deployed["image"]["digest"] == image["digest"]  # type: ignore[index]
    steps = {step["kind"]: step["title"] for step in deployed["steps"]}  # type: ignore[attr-defined]
    assert steps["image"] == "Take over the image"
    assert "checked-image" not in steps
    assert requests.get(str(deployed["url"]), timeout=60).text == "preview"

    assert other("destroy", "--env", "preview-2", "--yes", "--json").document["removed"] == []
    assert requests.get(str(deployed["url"]), timeout=60).text == "preview", "another pull request's stays"
    fresh = Command(tmp_path / "fresh", app.folder)
    assert fresh("destroy", "--env", "preview-1", "--yes", "--json").document["removed"]
    assert fresh("destroy", "--env", "preview-1", "--yes", "--json").document["removed"] == []
    assert environment_key(name, "preview-1") not in json.dumps(engine.client.images())
    engine.client.close()


@pytest.mark.engine
def test_a_folder_without_an_image_is_refused_before_anything_changes(app: Command, tmp_path: Path) -> None:
    handover = tmp_path / "handover"
    for content in (None, "{", '{"format": 0}', '{"format": 1, "image": "x:1"}'):
        if content is not None:
            handover.mkdir(exist_ok=True)
            (handover / "mldeploy.json").write_text(content)
        refused = app("deploy", "--env", "preview-1", "--image", str(handover))
        assert refused.code == 2, refused.err
        assert f"{handover} has no image that can be deployed" in refused.err
        assert f"mldeploy build --save {handover}" in refused.err


@pytest.mark.engine
def test_an_image_is_not_saved_where_the_next_one_would_contain_it(app: Command) -> None:
    refused = app("build", "--save", "handover")
    assert refused.code == 2, refused.err
    assert "is in the app's folder" in refused.err
