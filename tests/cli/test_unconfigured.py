"""Commands in a folder that holds an app and nothing of mldeploy's: what `init` would write down is found, and said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import Command

FLASK = """\
from flask import Flask

server = Flask(__name__)


@server.get("/ready")
def health():
    return "ok"


if __name__ == "__main__":
    server.run(port=7000)
"""


@pytest.fixture
def bare(paper: Command, name: str) -> Command:
    """The command line in such a folder."""
    folder = paper.folder.parent / name
    folder.mkdir()
    (folder / "web.py").write_text(FLASK)
    (folder / "requirements.txt").write_text("flask==3.1.3\n")
    return Command(paper.home, folder, paper.extra)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_was_found_is_said_in_one_line_with_file_and_line(bare: Command) -> None:
    before = contents(bare.folder)
    result = bare("plan", "-t", "paper")
    assert result.code == 0
    message = [line for line in result.err.splitlines() if "No mldeploy.toml" in line]
    assert len(message) == 1
    assert "app.entry web:server (Flask, web.py:3)" in message[0]
    assert "app.port 7000 (web.py:12)" in message[0]
    assert "app.health /ready (web.py:6)" in message[0]
    assert contents(bare.folder) == before


def test_under_json_it_is_part_of_the_document(bare: Command, name: str) -> None:
    for command in ("plan", "deploy"):
        assumed = bare(command, "-t", "paper", "--json").document["assumed"]
        assert isinstance(assumed, list)
        assert {"key": "app.entry", "value": "web:server", "why": "Flask, web.py:3", "guess": False} in assumed
        assert {"key": "app.name", "value": name, "why": "the folder's name", "guess": True} in assumed


def test_nothing_is_said_once_init_has_written_it_down(bare: Command) -> None:
    assert bare("init").code == 0
    result = bare("plan", "-t", "paper")
    assert "mldeploy.toml" not in result.err
    assert bare("plan", "-t", "paper", "--json").document["assumed"] == []


def test_a_flag_or_a_variable_is_above_what_was_found(bare: Command) -> None:
    settings = bare.with_env(MLDEPLOY_APP_PORT="9000")("plan", "-t", "paper", "--json").document["assumed"]
    assert isinstance(settings, list)
    assert "app.port" not in [each["key"] for each in settings]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("print('hello')\n", "holds no web app"),
        ("import flask\n\n\ndef main():\n    flask.Flask('x').run()\n", "only inside a function"),
    ],
)
def test_what_init_refuses_is_refused_in_the_same_words(bare: Command, source: str, message: str) -> None:
    (bare.folder / "web.py").write_text(source)
    refused = bare("init")
    assert message in refused.err
    for command in ("build", "plan", "deploy"):
        result = bare(command)
        assert (result.code, result.err) == (refused.code, refused.err)


def test_of_two_apps_one_must_be_named(bare: Command) -> None:
    (bare.folder / "admin.py").write_text(FLASK.replace("server", "admin"))
    result = bare("plan", "-t", "paper")
    assert result.code == 4
    assert "admin:admin" in result.err
    assert "mldeploy init --entry" in result.err
    assert bare.with_env(MLDEPLOY_APP_ENTRY="admin:admin")("plan", "-t", "paper").code == 0


def test_an_app_that_only_its_author_recognizes_may_be_named(bare: Command) -> None:
    (bare.folder / "web.py").write_text("from elsewhere import server\n")
    assert bare("plan", "-t", "paper").code == 4
    assert bare.with_env(MLDEPLOY_APP_ENTRY="web:server")("plan", "-t", "paper").code == 0


@pytest.mark.parametrize(
    "command", ['["python", "web.py"]', "flask --app web run --host=0.0.0.0", "python manage.py runserver 0:80"]
)
def test_a_development_server_in_a_dockerfile_is_warned_of_by_init_and_by_whoever_builds(
    bare: Command, command: str
) -> None:
    (bare.folder / "Dockerfile").write_text(f"FROM python:3.11\nCOPY . /app\nWORKDIR /app\nCMD {command}\n")
    unconfigured, init = bare("plan", "-t", "paper"), bare("init")
    configured = bare("plan", "-t", "paper")
    for message in (unconfigured.err, init.out, configured.err):
        assert "Dockerfile:4: starts the framework's development server" in message
        assert "Start gunicorn instead" in message


def test_a_real_server_in_a_dockerfile_is_not(bare: Command) -> None:
    (bare.folder / "Dockerfile").write_text("FROM python:3.11\nCOPY . /app\nCMD gunicorn web:server\n")
    assert bare("init").code == 0
    assert "warning" not in bare("plan", "-t", "paper").err
