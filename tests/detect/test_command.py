"""Server commands as people write them."""

from __future__ import annotations

import random
import subprocess
from shlex import quote

import pytest
import uvicorn
from gunicorn import config as gunicorn_config  # type: ignore[import-untyped]

from mldeploy.project.detect.starts.command import Server, parse_command, parse_words
from mldeploy.project.detect.starts.server_options import OPTIONS
from mldeploy.project.detect.starts.shell import parse_shell
from tests.detect.start_commands import NO_SERVER, PLAIN, SHELL, WRAPPED, Start


@pytest.mark.parametrize("start", [*PLAIN, *SHELL, *WRAPPED], ids=lambda start: start.line)
def test_a_command_serves_this_app_on_this_port_in_this_folder(start: Start) -> None:
    command = parse_command(start.line)
    assert command is not None
    assert (command.target, command.port, command.chdir) == (start.serves, start.port, start.chdir)


@pytest.mark.parametrize(
    ("line", "server", "target", "host", "port"),
    [
        ("gunicorn -w4 -b0.0.0.0:80 --log-file - shop.wsgi", Server.GUNICORN, "shop.wsgi", "0.0.0.0", 80),
        ("gunicorn --bind=[::]:8000 'shop:create_app()'", Server.GUNICORN, "shop:create_app()", "::", 8000),
        ("python -m gunicorn app:app -b 127.0.0.1:9", Server.GUNICORN, "app:app", "127.0.0.1", 9),
        ("uvicorn main:app --host 0.0.0.0 --port ${PORT:-8080}", Server.UVICORN, "main:app", "0.0.0.0", 8080),
        ("/opt/venv/bin/uvicorn --reload main:app", Server.UVICORN, "main:app", "", None),
        ("uwsgi --http :9090 --wsgi-file app.py --callable server", Server.UWSGI, "app:server", "", 9090),
        ("FLASK_APP=hello flask run -h 0.0.0.0 -p 80", Server.FLASK, "hello", "0.0.0.0", 80),
        ("FLASK_RUN_HOST=0.0.0.0 flask --app shop run --debug", Server.FLASK, "shop", "0.0.0.0", None),
        ("python manage.py runserver 0.0.0.0:8000", Server.DJANGO, "", "0.0.0.0", 8000),
        ("python3 -u app.py --threads 2", Server.PYTHON, "app.py", "", None),
        ("python -m shop.serve", Server.PYTHON, "shop/serve.py", "", None),
        ("poetry run fastapi run main.py --port 80", Server.FASTAPI, "main.py", "", 80),
        ("python migrate.py && gunicorn app:app", Server.GUNICORN, "app:app", "", None),
        ("python migrate.py; python app.py", Server.PYTHON, "app.py", "", None),
    ],
)
def test_a_command_is_read_as_its_server_reads_it(
    line: str, server: Server, target: str, host: str, port: int | None
) -> None:
    command = parse_command(line)
    assert command is not None
    assert (command.server, command.target, command.host, command.port) == (server, target, host, port)


@pytest.mark.parametrize("line", NO_SERVER)
def test_what_starts_no_server_is_none(line: str) -> None:
    assert parse_command(line) is None


@pytest.mark.parametrize(
    ("line", "socket"),
    [
        ("gunicorn -b unix:/run/s.sock app:app", "unix:/run/s.sock"),
        ("gunicorn -b unix:/run/s.sock -b :80 app:app", ""),
        ("uvicorn --uds /run/s.sock app:app", "/run/s.sock"),
        ("daphne -u /run/s.sock app:app", "/run/s.sock"),
        ("waitress-serve --unix-socket=/run/s.sock app:app", "/run/s.sock"),
        ("uwsgi --socket app.sock --module app:app", "app.sock"),
    ],
)
def test_a_server_that_only_a_unix_socket_reaches_is_known(line: str, socket: str) -> None:
    command = parse_command(line)
    assert command is not None
    assert command.socket == socket


@pytest.mark.parametrize("line", ["gunicorn --pythonpath src,lib a:b", "PYTHONPATH=./src:lib/ gunicorn a:b"])
def test_the_folders_that_a_command_imports_from_are_kept(line: str) -> None:
    command = parse_command(line)
    assert command is not None
    assert command.imports == ("src", "lib")


def test_the_json_form_of_a_dockerfile_is_not_split_again() -> None:
    command = parse_words(["gunicorn", "--name", "my app", "app:app"])
    assert command is not None
    assert command.target == "app:app"
    assert command.options["--name"] == "my app"


def test_wrappers_without_end_are_no_command() -> None:
    assert parse_command("exec " * 500 + "gunicorn app:app") is None
    assert parse_command("(" * 5000) is None


def test_gunicorn_takes_the_values_that_we_take_for_its_options() -> None:
    cli = [each for each in gunicorn_config.KNOWN_SETTINGS if each.cli and each.nargs != "?"]
    flags = {name for each in cli if (each.action or "").startswith("store_") for name in each.cli}
    valued = {name for each in cli for name in each.cli} - flags
    assert {name for name in valued if not OPTIONS[Server.GUNICORN].takes_value(name)} == set()
    assert {name for name in flags if OPTIONS[Server.GUNICORN].takes_value(name)} == set()


def test_uvicorn_takes_the_values_that_we_take_for_its_options() -> None:
    for each in uvicorn.main.params:
        takes_value = getattr(each, "is_flag", None) is False and bool(each.opts[0].startswith("-"))
        assert all(OPTIONS[Server.UVICORN].takes_value(name) == takes_value for name in each.opts)


ATOMS = (
    "a", "app:app", "-b", "0.0.0.0:80", "[::]:90", "*:10", "--x=1", "x=y", "'q r'", '"d e"', '"a\\"b"', "a\\ b",
    "'a'\"b\"c", "$'t\\tn'", "\"it's\"", "''", '""', "{'A':1}", "'f(mode=\"a;b\")'", "\"f({'A': 1})\"", "a/b.c", "+x",
    "%d", "a,b", "@", "a#b", "-", "--", "\\;", "'&&'", "';'", "a=b=c", "^", "1", "007", "\u00e9", "!x", '"\\\\n"',
    "a]", "-w4", "\\'", "a\\\nb", "$'\\x41\\u00e9'",
)  # fmt: skip


def test_words_are_those_that_bash_gives_a_program() -> None:
    choose = random.Random(11)  # noqa: S311 - the same lines each time
    lines = [" ".join(["P", "first", *choose.choices(ATOMS, k=choose.randint(1, 5))]) for _ in range(400)]
    script = "set -f\nP() { printf '\\001%s' \"$@\"; }\n" + "".join(
        f"eval {quote(line)} 2>/dev/null || printf '\\003'; printf '\\002'\n" for line in lines
    )
    done = subprocess.run(
        ["bash", "-c", script], check=True, capture_output=True, timeout=600, env={"LC_ALL": "C.UTF-8"}
    )
    for line, shown in zip(lines, done.stdout.decode().split("\2"), strict=False):
        if "\3" not in shown:  # what bash refuses
            assert [list(each.words[1:]) for each in parse_shell(line)] == [shown.split("\1")[1:]], line
