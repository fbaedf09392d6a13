"""`mldeploy init` on folders that it has never seen."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import cast

import pytest

from tests.cli.command import Command

FLASK = """\
from flask import Flask

app = Flask(__name__)


@app.get("/health")
def health():
    return "ok"


if __name__ == "__main__":
    app.run(debug=True, port=7000)
"""


@pytest.fixture
def new(mldeploy: Command, tmp_path: Path) -> Command:
    """The command line in a folder with an app, and nothing of mldeploy's."""
    folder = tmp_path / "Price Model"
    folder.mkdir()
    (folder / "app.py").write_text(FLASK)
    (folder / "requirements.txt").write_text("flask==3.1.3\n")
    return Command(mldeploy.home, folder)


def files(command: Command) -> dict[str, str]:
    return {path.name: path.read_text() for path in command.folder.iterdir()}


def test_it_says_what_it_found_and_where_and_writes_it(new: Command) -> None:
    result = new("init")
    assert result.code == 0
    for message in ("app:app (Flask, wsgi)", "app.py:3", "7000", "app.py:12", "debug=True", "wrote mldeploy.toml"):
        assert message in result.out
    tables = tomllib.loads(files(new)["mldeploy.toml"])
    assert tables["app"] == {"name": "price-model", "entry": "app:app", "port": 7000, "health": "/health"}
    assert ".git\n" in files(new)[".dockerignore"]


def test_what_it_writes_is_what_the_other_commands_want(new: Command) -> None:
    assert new("init").code == 0
    plan = new("plan", "--json")
    assert plan.code in {0, 5}, plan.out  # 5: no engine answers here, and nothing is wrong with the folder
    assert "price-model" in plan.out


def test_the_folder_may_be_an_argument(new: Command) -> None:
    elsewhere = Command(new.home, new.folder.parent)
    assert elsewhere("init", new.folder.name).code == 0
    assert "mldeploy.toml" in files(new)


def test_two_different_folders_are_refused(new: Command) -> None:
    result = new("-C", ".", "init", "..")
    assert (result.code, result.out) == (2, "")
    assert "two folders were given" in result.err


def test_json_is_one_document_with_everything(new: Command) -> None:
    document = new("init", "--json").document
    assert document["written"] == ["mldeploy.toml", ".dockerignore"]
    facts = document["found"]
    assert isinstance(facts, list)
    assert {"kind": "port", "value": "7000", "source": "app.py:12", "certainty": "likely"} in facts
    remarks = document["remarks"]
    assert isinstance(remarks, list)
    assert [(each["code"], each["source"]) for each in remarks] == [("debug", "app.py:12")]


def test_quiet_prints_only_what_was_written(new: Command) -> None:
    assert new("init", "--quiet").out == "mldeploy.toml\n.dockerignore\n"


def test_a_second_time_it_overwrites_nothing_unless_forced(new: Command) -> None:
    (new.folder / "mldeploy.toml").write_text("# mine\n")
    before = files(new)
    refused = new("init", "--json")
    assert refused.code == 9
    assert refused.error["todo"] == "Use --force to overwrite it."
    assert files(new) == before
    assert new("init", "--force").code == 0
    assert "# mine" not in files(new)["mldeploy.toml"]


def test_a_configuration_in_pyproject_is_not_doubled(new: Command) -> None:
    (new.folder / "pyproject.toml").write_text("[tool.mldeploy.app]\nname = 'mine'\n")
    result = new("init", "--force")
    assert result.code == 9
    assert "tool.mldeploy" in result.err
    assert "mldeploy.toml" not in files(new)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("print('hello')\n", "holds no web app"),
        ("from dash import Dash\n\napp = Dash()\n", "a WSGI server cannot serve directly"),
        ("import gradio\n\ndemo = gradio.Interface(len, 'text', 'text')\n", "nothing launches"),
        ("from flask import Flask\n\n\ndef make(x):\n    return Flask(x)\n", "requires arguments"),
        ("import flask\n\n\ndef main():\n    flask.Flask('x').run()\n", "only inside a function"),
    ],
)
def test_a_folder_that_cannot_be_served_is_told_why_and_left_alone(new: Command, source: str, message: str) -> None:
    (new.folder / "app.py").write_text(source)
    before = files(new)
    result = new("init")
    assert (result.code, result.out) == (4, "")
    assert message in result.err
    assert files(new) == before


def test_of_two_apps_one_must_be_named(new: Command) -> None:
    (new.folder / "admin.py").write_text(FLASK.replace("app", "admin"))
    refused = new("init")
    assert refused.code == 2
    assert "admin:admin" in refused.err
    assert "--entry" in refused.err
    assert new("init", "--entry", "admin:admin").code == 0
    assert tomllib.loads(files(new)["mldeploy.toml"])["app"]["entry"] == "admin:admin"


def test_an_app_that_is_not_there_is_answered_with_those_that_are(new: Command) -> None:
    result = new("init", "--entry", "other:app")
    assert result.code == 4
    assert "Detected apps: app:app" in result.err


def test_on_a_terminal_it_asks_which_app_is_meant(new: Command) -> None:
    (new.folder / "admin.py").write_text(FLASK.replace("app", "admin"))
    with new.on_terminal("init") as terminal:
        terminal.expect("1 to 2: ")
        terminal.press("7\n")
        terminal.press("2\n")
        terminal.expect("Require an access key")
        terminal.press("\n")
        terminal.expect("wrote mldeploy.toml")
        assert terminal.end() == 0
    assert tomllib.loads(files(new)["mldeploy.toml"])["app"]["entry"] == "app:app"
    assert "access" not in tomllib.loads(files(new)["mldeploy.toml"])["app"]


def test_on_a_terminal_it_asks_who_may_send_requests(new: Command) -> None:
    with new.on_terminal("init") as terminal:
        terminal.expect("Require an access key")
        terminal.press("y\n")
        terminal.expect("wrote mldeploy.toml")
        assert terminal.end() == 0
    assert tomllib.loads(files(new)["mldeploy.toml"])["app"]["access"] == "key"


def test_nobody_there_to_answer_means_nothing_is_written(new: Command) -> None:
    (new.folder / "admin.py").write_text(FLASK.replace("app", "admin"))
    with new.on_terminal("init") as terminal:
        terminal.expect("1 to 2: ")
        terminal.press("\x04")
        assert terminal.end() == 2
    assert "mldeploy.toml" not in files(new)


def test_secrets_are_named_and_kept_out_and_never_shown(new: Command) -> None:
    (new.folder / ".env").write_text("PASSWORD=correct-horse\n")
    (new.folder / "robot.json").write_text('{"private_key": "battery-staple"}')
    for arguments in (("init",), ("init", "--force", "--json")):
        result = new(*arguments)
        assert result.code == 0
        assert ".env" in result.out
        assert "is not copied into the image" in result.out
        assert not {"correct-horse", "battery-staple"} & set(result.out.replace('"', " ").split())
    assert "\nrobot.json\n" in files(new)[".dockerignore"]


def test_without_a_list_of_dependencies_the_imports_become_one(new: Command, tmp_path: Path) -> None:
    (new.folder / "requirements.txt").unlink()
    info = tmp_path / "venv/lib/python3.11/site-packages/flask-3.0.3.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: flask\nVersion: 3.0.3\n")
    result = new.with_env(VIRTUAL_ENV=str(tmp_path / "venv"))("init")
    assert "wrote requirements.txt" in result.out
    assert files(new)["requirements.txt"].splitlines()[1:] == ["flask==3.0.3"]


def test_the_environment_of_mldeploy_pins_nothing(new: Command) -> None:
    (new.folder / "requirements.txt").unlink()
    assert new.with_env(VIRTUAL_ENV=sys.prefix)("init").code == 0
    assert files(new)["requirements.txt"].splitlines()[1:] == ["flask"]


def test_a_folder_that_is_none_is_said_to_be_none(new: Command) -> None:
    result = new("init", "nowhere")
    assert result.code == 4
    assert "nowhere" in result.err


def test_the_recipe_is_written_as_a_dockerfile_if_one_asks_for_it(new: Command) -> None:
    document = new("init", "--dockerfile", "--json").document
    assert document["written"] == ["mldeploy.toml", ".dockerignore", "Dockerfile"]
    written = files(new)["Dockerfile"]
    assert 'CMD ["gunicorn", "--config=/venv/gunicorn_conf.py", "app:app"]' in written
    assert "PORT=7000" in written
    assumed = cast("list[dict[str, object]]", new("plan", "--json").document["assumed"])
    assert {"key": "build.dockerfile", "value": "Dockerfile", "why": "the file exists", "guess": False} in assumed


def test_a_dockerfile_that_is_there_is_replaced_only_by_force(new: Command) -> None:
    (new.folder / "Dockerfile").write_text("FROM python:3.7\nCMD python app.py\n")
    before = files(new)
    refused = new("init", "--dockerfile")
    assert (refused.code, files(new)) == (9, before)
    assert "Dockerfile" in refused.err
    replaced = new("init", "--dockerfile", "--force", "--json")
    assert replaced.code == 0
    remarks = cast("list[dict[str, object]]", replaced.document["remarks"])
    assert not [each for each in remarks if str(each["source"]).startswith("Dockerfile")]
    assert "3.7" not in files(new)["Dockerfile"].replace("3.7.", "")


def test_a_dockerfile_cannot_be_written_for_an_app_that_cannot_be_served(new: Command) -> None:
    (new.folder / "app.py").write_text("import flask\n\n\ndef main():\n    flask.Flask('x').run()\n")
    (new.folder / "Dockerfile").write_text("FROM python:3.7\nCMD python app.py\n")
    before = files(new)
    refused = new("init", "--dockerfile", "--force")
    assert (refused.code, files(new)) == (4, before)
    assert "only inside a function" in refused.err


def test_requirements_that_a_build_would_not_be_sent_are_told_before_anything_is_written(new: Command) -> None:
    (new.folder / ".dockerignore").write_text("*.txt\n")
    before = files(new)
    refused = new("init", "--dockerfile")
    assert (refused.code, files(new)) == (4, before)
    assert "requirements.txt: is excluded" in refused.err


def test_environments_are_written_on_request(mldeploy: Command) -> None:
    (mldeploy.folder / "mldeploy.toml").unlink()
    assert mldeploy("init", "--environments").code == 0
    written = tomllib.loads((mldeploy.folder / "mldeploy.toml").read_text())
    assert written["env"] == {"preview": {}, "staging": {}, "production": {"protected": True}}
    assert mldeploy("build", "--env", "stagin").err.startswith('error: --env: there is no environment "stagin"')
    refused = mldeploy("init", "model.joblib", "--environments", "--force")
    assert refused.code == 2
    assert "is for a folder with an app" in refused.err
