"""Which app is served, and from which folder, where the folder's shape is an unusual one."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.project.detect.folder import DetectedFolder, DetectionOptions, detect_folder
from mldeploy.project.detect.tables import build_tables
from mldeploy.project.errors import ProjectError
from tests.detect.folders import write

APP = "from flask import Flask\n\napp = Flask(__name__)\n"
DJANGO = {
    "manage.py": "import os\n",
    "conf/__init__.py": "",
    "conf/settings.py": "ROOT_URLCONF = 'conf.urls'\nALLOWED_HOSTS = ['*']\n",
    "conf/urls.py": "urlpatterns = []\n",
    "conf/wsgi.py": "from django.core.wsgi import get_wsgi_application\nfrom rates import rate\n"
    "application = get_wsgi_application()\n",
    "rates/__init__.py": "def rate():\n    return 1\n",
}
FACTORY = "from fastapi import FastAPI\n\n\ndef make():\n    return FastAPI()\n\n\napp = make()\n"
PAGE = "import streamlit as st\n\nst.write('a')\n"
STARTS: dict[str, tuple[dict[str, str], str, str]] = {
    "a folder with a hyphen": ({"the-app/app.py": APP}, "app:app", "the-app"),
    "a folder below one with a dot": ({"v1.2/shop/app.py": APP}, "shop.app:app", "v1.2"),
    "Django below folders": (
        {f"back/site/{path}": text for path, text in DJANGO.items()},
        "conf.wsgi:application",
        "back/site",
    ),
    "Django at the top": (DJANGO, "conf.wsgi:application", ""),
    "a factory called beside it, and in a test": (
        {
            "shop/__init__.py": "",
            "shop/server.py": FACTORY,
            "tests/test_it.py": "from shop.server import make\napp = make()\n",
        },
        "shop.server:app",
        "",
    ),
    "an example that imports the app": (
        {"serve.py": APP, "examples/try_it.py": "from serve import app\n\napplication = app\n"},
        "serve:app",
        "",
    ),
    "a factory with a dictionary": (
        {
            "Procfile": "web: gunicorn \"shop:create_app({'MODE': 'prod'})\"\n",
            "shop.py": "from flask import Flask\n\n\ndef create_app(conf=None):\n    return Flask(__name__)\n",
        },
        "shop:create_app({'MODE': 'prod'})",
        "",
    ),
}


def detected(root: Path, files: dict[str, str], entry: str = "") -> DetectedFolder:
    for path, text in files.items():
        write(root / path, text.encode())
    return detect_folder(root, DetectionOptions(entry=entry))


def codes(folder: DetectedFolder) -> set[str]:
    return {each.code for each in folder.remarks}


@pytest.mark.parametrize("name", STARTS)
def test_app_is_served_from_the_folder_that_its_imports_need(tmp_path: Path, name: str) -> None:
    files, entry, chdir = STARTS[name]
    folder = detected(tmp_path, {"requirements.txt": "flask\nfastapi\ndjango\n", **files})
    table = build_tables(folder)["app"]
    assert (table["entry"], table.get("chdir", "")) == (entry, chdir)
    assert "dependency-missing" not in codes(folder)


def test_an_app_of_the_tests_alone_is_none(tmp_path: Path) -> None:
    assert detected(tmp_path, {"tests/test_it.py": APP}).entry is None


def test_a_package_hides_the_module_beside_it(tmp_path: Path) -> None:
    files = {"app.py": APP, "app/__init__.py": APP}
    folder = detected(tmp_path, files)
    assert folder.entry
    assert folder.entry.value.path == "app/__init__.py"
    assert "entry-shadowed" in codes(folder)
    with pytest.raises(ProjectError, match="Python takes the package app/"):
        detected(tmp_path, files, entry="app.py")


def test_a_package_without_an_app_leaves_none_to_serve(tmp_path: Path) -> None:
    folder = detected(tmp_path, {"app.py": APP, "app/__init__.py": ""})
    assert [each.code for each in folder.remarks if each.severity == "error"] == ["entry-unreachable"]


@pytest.mark.parametrize(
    ("name", "severity"), [("flask", "error"), ("random", "warning"), ("email", "warning"), ("test", "")]
)
def test_a_file_that_hides_a_module_is_named(tmp_path: Path, name: str, severity: str) -> None:
    folder = detected(tmp_path, {"main.py": APP, f"{name}.py": ""})
    remarks = [(each.severity.value, each.source.path) for each in folder.remarks if each.code == "module-shadowed"]
    assert remarks == ([(severity, f"{name}.py")] if severity else [])


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("import gradio as gr\n\ngr.Interface(len, 'text', 'number').launch(server_port=7861, share=True)\n", 7861),
        ("import gradio as gr\n\ndemo = gr.Blocks()\ndemo.queue().launch(server_port=7862, share=True)\n", 7862),
    ],
)
def test_a_chained_launch_is_seen(tmp_path: Path, text: str, port: int) -> None:
    folder = detected(tmp_path, {"app.py": text})
    assert folder.port
    assert folder.port.value == port
    assert "public-tunnel" in codes(folder)


def test_a_chained_run_is_seen(tmp_path: Path) -> None:
    text = APP.replace("app = Flask(__name__)", "def create_app():\n    return Flask(__name__)")
    folder = detected(tmp_path, {"app.py": f"{text}\n\nif __name__ == '__main__':\n    create_app().run(port=8123)\n"})
    assert folder.port
    assert folder.port.value == 8123


def test_pages_that_a_streamlit_app_names_are_no_apps(tmp_path: Path) -> None:
    navigation = (
        "import streamlit as st\n\nFIRST = 'views/a.py'\n"
        "st.navigation([st.Page(FIRST), st.Page('views/b.py', title='B')]).run()\n"
    )
    folder = detected(tmp_path, {"main.py": navigation, "views/a.py": PAGE, "views/b.py": PAGE})
    assert folder.entry
    assert folder.entry.value.path == "main.py"
    assert not folder.remarks or "several-apps" not in codes(folder)


def test_streamlit_apps_that_nothing_names_stay_a_choice(tmp_path: Path) -> None:
    assert detected(tmp_path, {"main.py": PAGE, "views/a.py": PAGE, "views/b.py": PAGE}).entry is None
