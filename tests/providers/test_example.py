"""The provider of another distribution (`examples/provider/`), installed as a user would, is used as ours are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mldeploy import __version__
from tests.cli.command import Command
from tests.names import app_name

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "provider"
SERVER = """\
import http.server, os
address = ("127.0.0.1", int(os.environ["PORT"]))
http.server.ThreadingHTTPServer(address, http.server.SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with the installed distribution."""
    home = tmp_path_factory.mktemp("home")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", str(home / "plugins"))
    subprocess.run((sys.executable, "-m", "pip", "install", *options, str(EXAMPLE)), check=True)
    return home


@pytest.fixture
def mldeploy(home: Path, tmp_path: Path) -> Command:
    """The command line in the folder of an app that brings its own server."""
    name = app_name()
    (tmp_path / "requirements.txt").touch()
    (tmp_path / "server.py").write_text(SERVER)
    text = f'[app]\nname = "{name}"\ncommand = ["python3", "server.py"]\nhealth = "/"\nmodels = []\n'
    (tmp_path / "mldeploy.toml").write_text(text)
    return Command(home, tmp_path)


def test_it_passes_the_conformance_suite(mldeploy: Command, tmp_path: Path) -> None:
    words = ("-q", "-p", "no:cacheprovider", "-p", "mldeploy.testing.plugin", "-m", "not exhaustive")
    paths = os.pathsep.join((str(mldeploy.home / "plugins"), mldeploy.env["PYTHONPATH"]))
    done = subprocess.run(
        (sys.executable, "-m", "pytest", "-c", os.devnull, f"--rootdir={tmp_path}", *words, str(EXAMPLE / "tests")),
        env={**mldeploy.env, "PYTHONPATH": paths},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "process: fault matrix: 3 of" in done.stdout


@pytest.mark.exhaustive
def test_it_can_be_rehearsed(mldeploy: Command) -> None:
    place = ("--target", "process", "--rehearse")
    assert "process" in mldeploy("rehearse", "up", "process").out
    try:
        assert mldeploy("deploy", *place).code == 0
        again = mldeploy("deploy", *place, "--json").document
        assert [step["action"] for step in again["steps"]] == ["unchanged"]  # type: ignore[attr-defined]
        assert mldeploy("ps", *place, "--json").document["instances"]
        up = [each for each in mldeploy("rehearse", "status", "--json").document["clouds"] if each["state"] == "up"]  # type: ignore[attr-defined]
        assert [(each["cloud"], [thing["kind"] for thing in each["contents"]]) for each in up] == [
            ("process manager", ["app"])
        ]
        assert mldeploy("push", *place).code == 2
        assert "removed" in mldeploy("destroy", *place, "--yes").out
    finally:
        mldeploy("rehearse", "down", "process")


def test_it_gets_a_workflow(mldeploy: Command) -> None:
    result = mldeploy("ci", "github", "--target", "process", "--json").document
    text = str(result["text"])
    assert f"pipx install 'mldeploy=={__version__}'" in text
    assert "pipx inject mldeploy 'mldeploy-process==1.0.0'" in text
    assert "mldeploy deploy --target process --json" in text
    assert "MLDEPLOY_TARGET_PROCESS_URL: ${{ vars.PROCESS_MANAGER }}" in text
    assert result["variables"] == ["PROCESS_MANAGER"]
    assert any("mldeploy-process==1.0.0" in each for each in result["remarks"])  # type: ignore[attr-defined]


@pytest.mark.exhaustive
def test_a_platform_that_does_not_answer_is_one_sentence(mldeploy: Command) -> None:
    done = mldeploy.with_env(MLDEPLOY_TARGET_PROCESS_URL="http://127.0.0.1:9")("deploy", "--target", "process")
    assert (done.code, "Traceback" in done.err) == (7, False)
    assert "the process manager does not answer" in done.err
