"""From a folder to a container that answers, and back to nothing: the real engine, real processes."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from mldeploy.config.paths import config_file
from mldeploy.image.engine import Engine
from mldeploy.image.labels import APP, CHECK
from tests.cli.command import Command
from tests.names import remove_app
from tests.ports import reserved_port

pytestmark = pytest.mark.engine

SERVER = """\
from pathlib import Path

from flask import Flask, request

app = Flask(__name__)
answer = Path(__file__).with_name("answer.txt").read_text().strip()


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/predict_api")
def predict_one():
    return {"answer": answer, "twice": 2 * request.get_json()["number"]}


@app.post("/predict")
def predict_many():
    return {"predictions": [2 * row[0] for row in request.get_json()["data"]]}
"""
GOLDEN = {"path": "/predict_api", "request": {"number": 21}, "expect": {"twice": 42}}


@pytest.fixture(scope="session")
def client() -> Iterator[Any]:
    engine = Engine.connect()
    yield engine.client
    engine.client.close()


@pytest.fixture
def port() -> Iterator[int]:
    with reserved_port() as port:
        yield port


@pytest.fixture
def tiny(mldeploy: Command, name: str, port: int, client: Any) -> Iterator[Command]:
    """A tiny app, on a machine with the settings that this one has; nothing of it is left afterwards."""
    (mldeploy.folder / "app.py").write_text(SERVER)
    (mldeploy.folder / "answer.txt").write_text("one\n")
    (mldeploy.folder / "golden.json").write_text(json.dumps(GOLDEN))
    with (mldeploy.folder / "mldeploy.toml").open("a") as toml:
        toml.write(f'predict_table = "/predict"\n[check]\ngolden = "golden.json"\n[target.local]\nport = {port}\n')
    if config_file().exists():
        own = mldeploy.home / "config" / "mldeploy"
        own.mkdir(parents=True)
        shutil.copy(config_file(), own)
    yield mldeploy
    remove_app(Engine(client, ""), name)


def of_app(client: Any, name: str) -> list[str]:
    """Everything on the engine that belongs to an app, or is named like it."""
    labelled = {"label": f"{APP}={name}"}
    things = [
        *client.containers(all=True, filters=labelled),
        *client.images(all=True, filters=labelled),
        *client.networks(filters=labelled),
        *(client.volumes(filters=labelled)["Volumes"] or ()),
        *client.containers(all=True, filters={"name": name}),
        *client.networks(filters={"name": name}),
        *client.images(name=name),
    ]
    return [str(thing.get("Id") or thing["Name"]) for thing in things]


def actions(command: Command, *arguments: str) -> dict[str, str]:
    result = command(*arguments, "--json", within=600)
    assert result.code == 0, result.err
    steps = result.document["steps"]
    assert isinstance(steps, list)
    return {step["kind"]: step["action"] for step in steps}


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def until_logged(command: Command, words: str) -> None:
    """Wait for them in `logs -f`: the server logs a request once it has been answered."""
    with command.start("logs", "-f") as following:
        assert following.stdout
        assert any(words in line for line in following.stdout)
        following.send_signal(signal.SIGINT)


def operate(command: Command) -> None:
    until_logged(command, "POST /predict_api")
    assert "POST /predict_api" in command("logs").out
    assert command("exec", "--", "cat", "answer.txt").out == "two\n"
    refused = command("scale", "2")
    assert (refused.code, "runs a single replica" in refused.err, "failed after" in refused.err) == (2, True, False)


def test_the_journey(tiny: Command, name: str, port: int, client: Any) -> None:
    before = content(tiny.folder)
    assert tiny("plan", "--json").document["noop"] is False

    built = tiny("build", "--json", within=600)
    assert built.code == 0, built.err
    verdict = built.document["verdict"]
    assert (verdict["good"], verdict["anew"], verdict["errors"]) == (True, True, 0)  # type: ignore[index]
    assert actions(tiny, "build") == dict.fromkeys(("base-image", "image", "checked-image"), "unchanged")

    first = tiny("deploy", "--json", within=600).document
    url = f"http://127.0.0.1:{port}"
    assert first["url"] == url
    assert first["image"]["reference"].startswith(f"{name}:")  # type: ignore[index]
    assert first["image"]["digest"].startswith("sha256:")  # type: ignore[index]
    assert requests.get(f"{url}/health", timeout=60).json() == {"status": "ok"}

    again = tiny("deploy", "--json").document
    assert {step["action"] for step in again["steps"]} == {"unchanged"}  # type: ignore[attr-defined]
    assert sum(step["seconds"] for step in again["steps"]) < 120  # type: ignore[attr-defined]
    assert tiny("plan", "--json").document["noop"] is True

    assert tiny("predict", "--json").document["answer"] == {"answer": "one", "twice": 42}
    assert tiny("predict", "-f", "number=4", "--json").document["answer"] == {"answer": "one", "twice": 8}
    assert tiny("predict", "--data", '{"columns": ["number"], "data": [[1], [2]]}').out.split() == [
        *("row", "predictions", "1", "2", "2", "4"),
    ]

    (tiny.folder / "answer.txt").write_text("two\n")
    edited = content(tiny.folder)
    redeployed = tiny("deploy", "--json", within=600).document
    assert {step["kind"]: step["action"] for step in redeployed["steps"]} == {  # type: ignore[attr-defined]
        "base-image": "unchanged",
        "image": "created",
        "container": "updated",
        "endpoint": "updated",
    }
    assert redeployed["gap_seconds"] == 0.0
    assert tiny("predict", "--json").document["answer"] == {"answer": "two", "twice": 42}

    status = tiny("status", "--json").document
    assert status["url"] == url
    assert {step["state"] for step in status["steps"]} == {"present"}  # type: ignore[attr-defined]
    instances = tiny("ps", "--json").document["instances"]
    assert [(each["state"], each["health"]) for each in instances] == [("running", "healthy")]  # type: ignore[attr-defined]

    operate(tiny)

    stored = tiny("images", "--json").document["images"]
    assert [image["current"] for image in stored] == [True, False]  # type: ignore[attr-defined]
    pruned = tiny("images", "--prune", "1", "--json").document
    assert pruned["removed"] == [stored[1]["reference"]]  # type: ignore[index]

    assert tiny("stop", "--json").document["stopped"] is True
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/health", timeout=60)
    stopped = tiny("status", "--json").document
    assert (stopped["url"], [each["health"] for each in stopped["instances"]]) == (None, [""])  # type: ignore[attr-defined]
    assert actions(tiny, "deploy")["container"] == "updated"
    assert requests.get(f"{url}/health", timeout=60).status_code == 200

    assert tiny("destroy", "--yes", "--json").document["removed"]
    assert tiny("destroy", "--yes", "--json").document["removed"] == []
    assert of_app(client, name) == []
    assert list(tiny.state.rglob("*")) == []
    assert content(tiny.folder) == edited
    assert edited.keys() == before.keys()


@pytest.mark.exhaustive
def test_a_version_that_does_not_start_leaves_the_old_one(tiny: Command, port: int) -> None:
    assert tiny("run-local", within=600).code == 0
    (tiny.folder / "app.py").write_text("import nothing_of_that_name\n" + SERVER)
    result = tiny("deploy", within=600)
    assert result.code == 1
    assert "nothing_of_that_name" in result.err
    assert "Traceback" not in result.err.partition("Its last lines:")[0]
    assert requests.get(f"http://127.0.0.1:{port}/health", timeout=60).status_code == 200


@pytest.mark.exhaustive
def test_a_model_that_answers_something_else_gets_no_traffic(tiny: Command) -> None:
    (tiny.folder / "app.py").write_text(SERVER.replace("2 * request", "3 * request"))
    result = tiny("deploy", "--json", within=600)
    assert result.code == 1
    assert "twice: 63, expected 42" in str(result.error["what"])


def test_a_requirement_that_does_not_exist(tiny: Command) -> None:
    (tiny.folder / "requirements.txt").write_text("no-such-package-of-that-name==1\n")
    result = tiny("build", "--json", within=600)
    assert result.code == 6
    assert "no-such-package-of-that-name" in str(result.error["what"])


@pytest.mark.exhaustive
def test_an_image_is_checked_before_it_goes_anywhere(tiny: Command, name: str, client: Any) -> None:
    assert tiny("build", "--no-check", "--json", within=600).document["verdict"] is None
    with tiny.start("check", "--json") as process:
        wait_for(lambda: bool(client.containers(filters={"label": [CHECK, f"{APP}={name}"]})))
        process.kill()
    good = tiny("check", "--sbom", str(tiny.home / "bom.json"), "--json", within=600)
    assert good.code == 0, good.err
    verdict = good.document["verdict"]
    assert (verdict["good"], verdict["anew"]) == (True, True)  # type: ignore[index]
    assert verdict["memory_proposed"] > 0  # type: ignore[index]
    assert "flask" in (tiny.home / "bom.json").read_text().lower()
    assert client.containers(all=True, filters={"label": f"{APP}={name}"}) == [], "what was killed is gone, too"

    (tiny.folder / "app.py").write_text(SERVER.replace("2 * request", "3 * request"))
    bad = tiny("check", "--json", within=600)
    assert (bad.code, bad.document["verdict"]["good"]) == (1, False)  # type: ignore[index]
    assert "twice: 63, expected 42" in bad.out
    refused = tiny("build", "--json", within=600)
    assert refused.code == 1
    assert "twice: 63, expected 42" in str(refused.error["what"])
    assert tiny("build", "--no-check").code == 0
    assert tiny("check", "--sbom", str(tiny.home / "no" / "bom.json")).code == 2
    assert tiny("destroy", "--yes").code == 0
    assert of_app(client, name) == []
    assert not (tiny.state / name).exists()


def test_ctrl_c_during_a_build(tiny: Command, name: str, client: Any) -> None:
    (tiny.folder / "requirements.txt").write_text("flask\nwerkzeug\n# a layer of its own: " + name + "\n")
    with tiny.on_terminal("build") as terminal:
        terminal.expect("Installing", within=300)
        terminal.interrupt()
        assert terminal.end(within=300) == 130
    assert "to resume" in " ".join(terminal.text.split())
    assert "stopped" in terminal.text
    assert tiny("build", within=600).code == 0
    assert tiny("destroy", "--yes").code == 0
    assert of_app(client, name) == []


def test_a_signal_during_a_deployment(tiny: Command, name: str, client: Any) -> None:
    with tiny.start("deploy", "--json") as process:
        assert process.stderr is not None
        journal = tiny.state / name / "local.journal"
        wait_for(lambda: journal.exists() and "image" in journal.read_text())
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=300)
    assert process.returncode == 130
    assert json.loads(out)["error"]["name"] == "INTERRUPTED"
    assert tiny("destroy", "--yes", within=300).code == 0
    assert of_app(client, name) == []
    assert list(tiny.state.rglob("*")) == []


def test_a_taken_port_is_named_and_the_next_one_offered(tiny: Command, port: int) -> None:
    with socket.socket() as mine:
        mine.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        mine.bind(("127.0.0.1", port))
        mine.listen()
        refused = tiny("deploy", "--json", within=600)
        assert refused.code == 1
        assert refused.error["where"] == f"port {port}"
        assert "Build the image" not in refused.err, "it is asked for before the build"
        with tiny.on_terminal("deploy") as terminal:
            terminal.expect("[Y/n]", within=300)
            terminal.press("y\n")
            assert terminal.end(within=300) == 0
        match = re.search(r"is running at (http://127\.0\.0\.1:(\d+))", terminal.text)
        assert match
        assert int(match[2]) != port
        assert requests.get(f"{match[1]}/health", timeout=60).status_code == 200
    assert tiny("plan", "--json").document["noop"] is True, "the chosen port is kept"


def test_no_engine(tiny: Command) -> None:
    result = tiny.with_env(DOCKER_HOST="unix:///nowhere/docker.sock")("deploy", "--json")
    assert result.code == 5
    assert result.error["where"] == "unix:///nowhere/docker.sock"


def wait_for(condition: Callable[[], bool]) -> None:
    """Until a file that another process writes says so: there is no event to wait for."""
    deadline = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
