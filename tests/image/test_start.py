"""The words of an image's CMD, and what of the user's own gunicorn configuration holds."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mldeploy.image.build_inputs import BuildInputs, collect_build_inputs
from tests.image.shop import project, write

WSGI_WORKER = "--worker-class=mldeploy_worker.WsgiWorker"
OURS = "--config=/venv/gunicorn_conf.py"
WORKER = "--worker-class=mldeploy_asgi.AsgiWorker"


def assembled(folder: Path, files: dict[str, str], **app: Any) -> BuildInputs:
    write(folder, {"requirements.txt": "", **files})
    return collect_build_inputs(project(folder, app=app))


def command(folder: Path, files: dict[str, str], **app: Any) -> list[str]:
    recipe = assembled(folder, files, **app).recipe
    assert recipe is not None
    return list(recipe.command)


@pytest.mark.parametrize(
    ("app", "words"),
    [
        ({}, ["gunicorn", OURS, "app:app"]),
        ({"interface": "asgi"}, ["gunicorn", OURS, WORKER, "app:app"]),
        ({"entry": "a.b:create_app('x')"}, ["gunicorn", OURS, "a.b:create_app('x')"]),
        ({"chdir": "deploy"}, ["gunicorn", OURS, "app:app"]),
        ({"health_by": "server"}, ["gunicorn", OURS, "mldeploy_health:wsgi('app:app')"]),
        (
            {"health_by": "server", "interface": "asgi", "entry": "a:b('x')"},
            ["gunicorn", OURS, WORKER, "mldeploy_health:asgi(\"a:b('x')\")"],
        ),
        ({"command": ("serve", "--port=$PORT")}, ["sh", "-c", 'exec serve --port="${PORT}"']),
    ],
)
def test_our_server_or_the_apps_own_is_started(tmp_path: Path, app: dict[str, Any], words: list[str]) -> None:
    assert command(tmp_path, {}, **app) == words


@pytest.mark.parametrize(
    ("path", "text", "app", "words"),
    [
        ("gunicorn.conf.py", "bind = ':1'", {}, ["gunicorn", WSGI_WORKER, "app:app"]),
        ("gunicorn.conf.py", "worker_class = 'gthread'", {}, ["gunicorn", "app:app"]),
        ("gunicorn.conf.py", "certfile = 'a.pem'", {}, ["gunicorn", "app:app"]),
        ("gunicorn.conf.py", "bind = ':1'", {"interface": "asgi"}, ["gunicorn", WORKER, "app:app"]),
        ("gunicorn.conf.py", "worker_class = 'x.Y'", {"interface": "asgi"}, ["gunicorn", "app:app"]),
        ("gunicorn.conf.py", "# worker_class", {"interface": "asgi"}, ["gunicorn", WORKER, "app:app"]),
        ("deploy/gunicorn.conf.py", "", {"chdir": "deploy"}, ["gunicorn", WSGI_WORKER, "app:app"]),
        (
            "gunicorn.conf.py",
            "",
            {"chdir": "deploy"},
            ["gunicorn", "--config=/app/gunicorn.conf.py", WSGI_WORKER, "app:app"],
        ),
        ("deploy/gunicorn.conf.py", "", {}, ["gunicorn", OURS, "app:app"]),
        ("gunicorn.conf.py", "chdir = 'deploy'", {"chdir": "deploy"}, ["gunicorn", WSGI_WORKER, "app:app"]),
    ],
)
def test_what_the_users_own_configuration_says_holds(
    tmp_path: Path, path: str, text: str, app: dict[str, Any], words: list[str]
) -> None:
    assert command(tmp_path, {path: text}, **app) == words


@pytest.mark.parametrize(("text", "where"), [("", "/app/deploy"), ("chdir = 'deploy'", "/app")])
def test_gunicorn_is_not_sent_where_it_goes_by_itself(tmp_path: Path, text: str, where: str) -> None:
    recipe = assembled(tmp_path, {"gunicorn.conf.py": text}, chdir="deploy").recipe
    assert recipe is not None
    assert recipe.folder == where


def test_an_image_gets_no_server_that_its_app_does_not_need(tmp_path: Path) -> None:
    def servers(**app: Any) -> set[str]:
        members = assembled(tmp_path, {}, **app).members
        return {each.path for each in members} & {"builder/gunicorn_conf.py", "builder/mldeploy_asgi.py"}

    assert servers() == {"builder/gunicorn_conf.py"}
    assert servers(interface="asgi") == {"builder/gunicorn_conf.py", "builder/mldeploy_asgi.py"}
    assert servers(command=("serve",)) == set()


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.sampled_from(" $'\"\\\\`;&|<>(){}*?#~!")
)


@given(words=st.lists(WORDS.map(lambda text: text.replace("$", "$$")), min_size=1, max_size=4), port=WORDS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_shell_reads_exactly_the_words_that_were_written(tmp_path: Path, words: list[str], port: str) -> None:
    """Whatever stands in a word or in a variable, no other word and no command comes of it."""
    given_words = ("printf", "%s\\0", *words, "$PORT", "-${PORT}-")
    shell = command(tmp_path, {}, command=given_words)
    output = subprocess.run(shell, env={"PATH": "/usr/bin:/bin", "PORT": port}, capture_output=True, check=True).stdout
    assert output.decode().split("\0")[:-1] == [*(word.replace("$$", "$") for word in words), port, f"-{port}-"]
