"""Server commands as people write them."""

from __future__ import annotations

import pytest

from mldeploy.project.detect.command import Server, parse, parse_words


@pytest.mark.parametrize(
    ("line", "server", "target", "host", "port"),
    [
        ("gunicorn app:app", Server.GUNICORN, "app:app", "", None),
        ("gunicorn -w4 -b0.0.0.0:80 --log-file - shop.wsgi", Server.GUNICORN, "shop.wsgi", "0.0.0.0", 80),
        ("exec gunicorn --bind :$PORT app:app", Server.GUNICORN, "app:app", "", None),
        ("gunicorn --bind=[::]:8000 'shop:create_app()'", Server.GUNICORN, "shop:create_app()", "::", 8000),
        ("gunicorn -b unix:/run/app.sock app:app", Server.GUNICORN, "app:app", "", None),
        ("python -m gunicorn app:app -b 127.0.0.1:9", Server.GUNICORN, "app:app", "127.0.0.1", 9),
        ("uvicorn main:app --host 0.0.0.0 --port ${PORT:-8080}", Server.UVICORN, "main:app", "0.0.0.0", 8080),
        ("/opt/venv/bin/uvicorn --reload main:app", Server.UVICORN, "main:app", "", None),
        ("waitress-serve --port=8042 --call shop:create_app", Server.WAITRESS, "shop:create_app", "", 8042),
        ("uwsgi --http :9090 --wsgi-file app.py --callable server", Server.UWSGI, "app:server", "", 9090),
        ("hypercorn main:app --bind 0.0.0.0:80", Server.HYPERCORN, "main:app", "0.0.0.0", 80),
        ("granian --interface wsgi --port 8000 app:app", Server.GRANIAN, "app:app", "", 8000),
        ("FLASK_APP=hello flask run -h 0.0.0.0 -p 80", Server.FLASK, "hello", "0.0.0.0", 80),
        ("flask --app shop run --debug", Server.FLASK, "shop", "", None),
        ("python manage.py runserver 0.0.0.0:8000", Server.DJANGO, "", "0.0.0.0", 8000),
        ("python3 -u app.py --threads 2", Server.PYTHON, "app.py", "", None),
        ("python -m shop.serve", Server.PYTHON, "shop/serve.py", "", None),
        ("streamlit run app.py --server.port 80", Server.STREAMLIT, "app.py", "", 80),
        ("poetry run fastapi run main.py --port 80", Server.FASTAPI, "main.py", "", 80),
        ("python migrate.py && gunicorn app:app", Server.GUNICORN, "app:app", "", None),
        ("python migrate.py; python app.py", Server.PYTHON, "app.py", "", None),
        ("cd web && sh -c 'gunicorn app:app -b :80'", Server.GUNICORN, "app:app", "", 80),
    ],
)
def test_a_command_is_read_as_a_shell_would(
    line: str, server: Server, target: str, host: str, port: int | None
) -> None:
    command = parse(line)
    assert command is not None
    assert (command.server, command.target, command.host, command.port) == (server, target, host, port)


@pytest.mark.parametrize(
    "line", ["", "echo gunicorn", "flask db upgrade", "python manage.py migrate", "nginx", "cd web"]
)
def test_what_starts_no_server_is_none(line: str) -> None:
    assert parse(line) is None


def test_the_folder_that_a_command_goes_to_is_kept() -> None:
    for line in ("cd src && gunicorn a:b", "gunicorn --chdir src/ a:b"):
        command = parse(line)
        assert command is not None
        assert command.chdir == "src"


def test_the_json_form_of_a_dockerfile_is_not_split_again() -> None:
    command = parse_words(["gunicorn", "--name", "my app", "app:app"])
    assert command is not None
    assert command.target == "app:app"
    assert command.options["--name"] == "my app"
