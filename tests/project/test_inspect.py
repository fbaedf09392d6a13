"""What is found in a folder, what is missing there, and that none of its code is run to tell."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mldeploy.config.errors import ConfigError
from mldeploy.config.override import Override
from mldeploy.core.errors import ExitCode
from mldeploy.project.errors import ProjectError
from mldeploy.project.load import load_project

FLASK = "from flask import Flask\napp = Flask(__name__)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project that needs no configuration."""
    root = tmp_path / "insurance"
    root.mkdir()
    (root / "app.py").write_text(FLASK)
    (root / "requirements.txt").write_text("flask\n")
    (root / "model.joblib").write_bytes(b"\x80")
    return root


def error_of(folder: Path, *overrides: Override) -> ProjectError:
    with pytest.raises(ProjectError) as caught:
        load_project(folder, overrides)
    assert caught.value.exit_code is ExitCode.PROJECT
    return caught.value


def configure(folder: Path, text: str) -> Path:
    (folder / "mldeploy.toml").write_text(text)
    return folder


def test_a_folder_without_configuration_is_a_project(folder: Path) -> None:
    project = load_project(folder)
    assert project.project.app.name == "insurance"
    assert project.project.app.entry == "app:app"
    assert project.project.app.models == ("model.joblib",)
    assert not project.configured
    assert list(map(str, project.assumed)) == [
        "app.name: insurance (guess: the folder's name)",
        "app.entry: app:app (Flask, app.py:2)",
        "app.port: 5000 (guess: no file sets a port; Flask usually has 5000)",
        "app.health_by: server (the app has no health route)",
        "app.models: model.joblib (guess: only by its extension: model.joblib)",
    ]


def test_nothing_is_assumed_of_what_is_written(folder: Path) -> None:
    configure(folder, '[app]\nname = "x"\nentry = "app:app"\nmodels = []\n[build]\ndockerfile = ""')
    (folder / "Dockerfile").write_text("FROM x\n")
    project = load_project(folder)
    assert project.assumed == ()
    assert (project.project.app.models, project.project.build.dockerfile) == ((), None)


def test_no_code_is_run(folder: Path) -> None:
    (folder / "app.py").write_text(f"{FLASK}open('ran', 'w')\nraise SystemExit\n")
    load_project(folder)
    assert not (folder / "ran").exists()
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    ("files", "entry"),
    [
        ({"wsgi.py": "import flask\nserver = flask.Flask(__name__)"}, "wsgi:server"),
        ({"main.py": FLASK, "app.py": "x = 1"}, "main:app"),
        ({"app.py": "def app(environ, start_response): ..."}, "app:app"),
    ],
)
def test_the_entry_is_found(folder: Path, files: dict[str, str], entry: str) -> None:
    (folder / "app.py").unlink()
    for name, text in files.items():
        (folder / name).write_text(text)
    assert load_project(folder).project.app.entry == entry


def test_an_entry_that_the_code_does_not_define_is_refused_with_one_that_it_does(folder: Path) -> None:
    (folder / "main.py").write_text("import flask\nserver = flask.Flask(__name__)\n")
    (folder / "app.py").write_text("x = 1\n")
    configure(folder, '[app]\nentry = "app:app"')
    error = error_of(folder)
    assert str(error) == 'mldeploy.toml: app.entry: app.py defines no `app`\nSet app.entry = "main:server".'


@pytest.mark.parametrize(
    "code",
    [
        "from factory import *",
        "import factory as app",
        "import app.sub",
        "try:\n    app = 1\nexcept E:\n    pass",
        "globals()['app'] = 1",
        "def __getattr__(name): ...",
        "class app: ...",
        "(x, [app, *y]) = z",
        "if (app := 1): ...",
        "match x:\n    case {**app}: ...",
        "this is not Python, or not this version's",
    ],
)
def test_an_entry_that_may_be_defined_is_let_through(folder: Path, code: str) -> None:
    (folder / "app.py").write_text(f"{code}\n")
    load_project(configure(folder, '[app]\nentry = "app:app"'))


def test_an_entry_can_lie_in_a_package(folder: Path) -> None:
    (folder / "web").mkdir()
    (folder / "web" / "__init__.py").write_text(FLASK)
    load_project(folder, [Override("app.entry", "web:app", "--entry")])
    error = error_of(folder, Override("app.entry", "web.api:app", "--entry"))
    assert error.where == "--entry"
    assert error.what == f"there is no web/api.py in {folder}"


def test_an_app_in_a_sub_folder_is_seen_from_there(folder: Path) -> None:
    (folder / "deploy").mkdir()
    (folder / "app.py").rename(folder / "deploy" / "app.py")
    project = load_project(folder).project.app
    assert (project.entry, project.chdir) == ("deploy.app:app", "")
    configure(folder, '[app]\nentry = "app:app"')
    assert error_of(folder).what == f"there is no app.py in {folder}"
    assert load_project(folder, [Override("app.chdir", "deploy", "--chdir")]).project.app.chdir == "deploy"
    assert error_of(folder, Override("app.chdir", "elsewhere", "--chdir")).what == f"elsewhere is no folder in {folder}"


def test_a_sub_folder_may_not_be_a_link_to_elsewhere(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (folder / "deploy").symlink_to(tmp_path / "outside")
    assert error_of(folder, Override("app.chdir", "deploy", "--chdir")).where == "--chdir"


@pytest.mark.parametrize(
    ("code", "entry", "interface"),
    [
        (FLASK, "app:app", "wsgi"),
        ("import fastapi\napp = fastapi.FastAPI()\n", "app:app", "asgi"),
        ("from fastapi import FastAPI as F\napp: F = F()\n", "app:app", "asgi"),
        ("from starlette.applications import Starlette\ndef make():\n    return Starlette()\n", "app:make()", "asgi"),
        ("from django.core.asgi import get_asgi_application as get\napp = get()\n", "app:app", "asgi"),
        ("async def app(scope, receive, send): ...\n", "app:app", "asgi"),
        ("def app(environ, start_response): ...\n", "app:app", "wsgi"),
        ("import fastapi, flask\napi = fastapi.FastAPI()\napp = flask.Flask()\n", "app:app", "wsgi"),
        ("from elsewhere import app\n", "app:app", "wsgi"),
    ],
)
def test_what_an_entry_speaks_is_read_from_its_source(folder: Path, code: str, entry: str, interface: str) -> None:
    (folder / "app.py").write_text(code)
    assert load_project(folder, [Override("app.entry", entry, "--entry")]).project.app.interface == interface


def test_what_is_written_of_the_interface_holds(folder: Path) -> None:
    configure(folder, '[app]\ninterface = "asgi"')
    assert load_project(folder).project.app.interface == "asgi"


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (["flask", "run", "--host=0.0.0.0"], "starts Flask's development server"),
        (["python", "-m", "flask", "--app", "shop", "run"], "starts Flask's development server"),
        (["sh", "-c", "cd shop && exec flask run"], "starts Flask's development server"),
        (["/venv/bin/flask", "run"], "starts Flask's development server"),
        (["python", "manage.py", "runserver", "0:80"], "starts Django's development server"),
        (["fastapi", "dev", "main.py"], "starts FastAPI's development server"),
        (["uvicorn", "main:app", "--reload"], "starts a server in reload or debug mode"),
        (["python", "serve.py"], "runs serve.py, which starts its framework's development server"),
    ],
)
def test_a_development_server_is_refused(folder: Path, command: list[str], what: str) -> None:
    (folder / "serve.py").write_text(f"{FLASK}if __name__ == '__main__':\n    app.run(host='0.0.0.0')\n")
    configure(folder, f"[app]\ncommand = {command}")
    error = error_of(folder)
    assert (error.where, error.what) == ("mldeploy.toml: app.command", what)
    assert error.todo


@pytest.mark.parametrize(
    "command",
    [["streamlit", "run", "app.py"], ["fastapi", "run"], ["python", "ui.py"], ["uvicorn", "my.flask.run:app"]],
)
def test_a_real_server_of_the_apps_own_is_let_through(folder: Path, command: list[str]) -> None:
    (folder / "ui.py").write_text("import gradio\ngradio.Interface(len, 'text', 'text').launch()\n")
    (folder / "app.py").write_text("import streamlit\n")
    configure(folder, f'[app]\nentry = "app:app"\ncommand = {command}')
    assert load_project(folder).project.app.command == tuple(command)


def test_everything_that_is_missing_is_told_at_once(folder: Path) -> None:
    build = '[build]\nrequirements = "needs.txt"\nca_bundle = "/no/ca.pem"'
    configure(folder, f'[app]\nmodels = ["a.pkl"]\n[check]\ngolden = "g.json"\n{build}')
    for name in ("app.py", "requirements.txt"):
        (folder / name).unlink()
    lines = str(error_of(folder)).splitlines()
    assert lines[0].startswith(f"{folder}: model.joblib: is no model")
    (folder / "model.joblib").unlink()
    without_model = str(error_of(folder)).splitlines()
    assert without_model[0].startswith(f"{folder}: holds no Python source")
    assert (
        lines[1:5]
        == without_model[1:5]
        == [
            f"mldeploy.toml: build.requirements: there is no file {folder}/needs.txt",
            f"mldeploy.toml: app.models: there is no file {folder}/a.pkl",
            "mldeploy.toml: build.ca_bundle: there is no file /no/ca.pem",
            f"mldeploy.toml: check.golden: there is no file {folder}/g.json",
        ]
    )


def test_a_broken_golden_row_is_told(folder: Path) -> None:
    (folder / "golden.json").write_text("{}")
    configure(folder, '[check]\ngolden = "golden.json"')
    assert '"path" is missing' in str(error_of(folder))


def test_a_users_dockerfile_decides_alone_what_it_needs(folder: Path) -> None:
    for name in ("app.py", "requirements.txt"):
        (folder / name).unlink()
    (folder / "Dockerfile").write_text("FROM x\n")
    project = load_project(folder)
    assert project.project.build.dockerfile == "Dockerfile"
    assert "build.dockerfile: Dockerfile (the file exists)" in list(map(str, project.assumed))
    error = error_of(folder, Override("build.dockerfile", "Dockerfile.gpu", "--dockerfile"))
    assert str(error).startswith(f"--dockerfile: there is no file {folder}/Dockerfile.gpu")


def test_what_goes_into_the_image_may_not_be_a_link_to_elsewhere(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "big.joblib").write_bytes(b"")
    (folder / "link.joblib").symlink_to(tmp_path / "big.joblib")
    (folder / "inner.joblib").symlink_to("model.joblib")
    configure(folder, '[app]\nmodels = ["inner.joblib", "link.joblib"]')
    error = error_of(folder)
    assert error.what == "link.joblib is a link to a file outside of the project folder"


def test_models_are_found_wherever_they_are_and_the_same_with_a_configuration_that_leaves_them_out(
    folder: Path,
) -> None:
    for name in (
        "models/b.onnx",
        "models/deep/c.pkl",
        "tests/d.pkl",
        ".git/e.pkl",
        "env/f.pkl",
        "env/pyvenv.cfg",
        "G.PKL",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\x80")
    (folder / "h\n.pkl").write_bytes(b"\x80")
    (folder / "folder.pkl").mkdir()
    project = ("G.PKL", "model.joblib", "models/b.onnx", "models/deep/c.pkl", "tests/d.pkl")
    assert load_project(folder).project.app.models == project
    assert load_project(configure(folder, "[app]\nname = 'x'")).project.app.models == project


@pytest.mark.parametrize("name", ["none", "none/below", "file", "file/below", "loop", "x" * 5000])
def test_what_is_no_folder_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises((ProjectError, ConfigError)) as caught:
        load_project(tmp_path / name)
    assert caught.value.where
    assert caught.value.what


def test_a_folder_whose_name_holds_a_nul_is_told() -> None:
    with pytest.raises((ProjectError, ConfigError)):
        load_project(Path("a\0b"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("mode", [0o000, 0o600, 0o300])
def test_a_folder_that_may_not_be_read_is_told(folder: Path, mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    load_project(folder)  # imports what is needed while it may be read
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nonexistent")  # pytest's own folders are root's alone
    with tempfile.TemporaryDirectory() as name:
        inner = Path(name) / "inner"
        inner.mkdir()
        os.chown(inner, 65534, 65534)
        Path(name).chmod(0o755)
        inner.chmod(mode)
        os.seteuid(65534)
        try:
            with pytest.raises((ProjectError, ConfigError), match="permission denied"):
                load_project(inner)
        finally:
            os.seteuid(0)


NAMES = [
    "mldeploy.toml",
    "pyproject.toml",
    "app.py",
    "requirements.txt",
    "Dockerfile",
    "model.pkl",
    "golden.json",
    "main.py",
]
MAKERS: dict[str, Callable[[Path], object]] = {
    "folder": lambda path: path.mkdir(),
    "fifo": os.mkfifo,
    "loop": lambda path: path.symlink_to(path.name),
    "dangling": lambda path: path.symlink_to("nowhere"),
    "outside": lambda path: path.symlink_to("/etc/passwd"),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "empty": lambda path: path.write_bytes(b""),
    "nul": lambda path: path.write_bytes(b"\0"),
    "latin": lambda path: path.write_bytes(b"x = '\xe9'"),
    "deep": lambda path: path.write_bytes(b"x = " + b"(" * 3000),
    "flask": lambda path: path.write_text(FLASK),
    "table": lambda path: path.write_text('[app]\nmodels = ["model.pkl"]\n[check]\ngolden = "golden.json"\n'),
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(things=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(sorted(MAKERS))))
def test_any_folder_is_a_project_or_an_error(tmp_path: Path, things: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as name:
        for file, maker in things.items():
            MAKERS[maker](Path(name) / file)
        try:
            load_project(Path(name))
        except (ProjectError, ConfigError) as caught:
            error: ProjectError | ConfigError | None = caught
        else:
            error = None
    assert error is None or (error.where and error.what)


@pytest.mark.parametrize("other", ['[app]\ncommand = ["serve"]', '[app]\n[build]\ndockerfile = "Dockerfile"'])
def test_only_our_server_answers_for_the_app(folder: Path, other: str) -> None:
    (folder / "Dockerfile").write_text("FROM scratch\n")
    configure(folder, other.replace("[app]", '[app]\nhealth_by = "server"', 1))
    error = error_of(folder)
    assert error.where == "mldeploy.toml: app.health_by"
    assert error.todo
