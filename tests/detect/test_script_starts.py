"""What a script's own start of a server, its variables and its imports say: kinds that people's folders have."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.project.detect.folder import detect_folder
from tests.image.shop import write

FLASK = "from flask import Flask\napp = Flask(__name__)\n"
ASGI = "import uvicorn\nfrom fastapi import FastAPI\napp = FastAPI()\n"
LISTS = {"requirements.txt": "flask==3.1.3\nfastapi==0.115.0\nuvicorn==0.30.0\nwaitress==3.0.0\ngevent==25.9.1\n"}

STARTS = {
    "a dictionary of options": {
        "app.py": f"{ASGI}options = {{'host': '0.0.0.0', 'port': 8123}}\nuvicorn.run(app, **options)\n"
    },
    "options in a function": {
        "app.py": f"{ASGI}def main():\n    options = {{'port': 8123}}\n    uvicorn.run(app, **options)\n"
    },
    "uvicorn's own configuration": {"app.py": f"{ASGI}uvicorn.Server(uvicorn.Config(app, port=8123)).run()\n"},
    "an address of waitress": {"app.py": f"{FLASK}from waitress import serve\nserve(app, listen='0.0.0.0:8123')\n"},
    "an address of gevent": {
        "app.py": f"{FLASK}from gevent.pywsgi import WSGIServer\nWSGIServer(('', 8123), app).serve_forever()\n"
    },
    "a factory of another module": {
        "shop.py": "from flask import Flask\n\n\ndef made():\n    return Flask(__name__)\n",
        "run.py": "from shop import made\n\nif __name__ == '__main__':\n    made().run(port=8123)\n",
    },
}


@pytest.mark.parametrize("name", STARTS)
def test_the_port_of_a_start_in_the_source_is_seen(tmp_path: Path, name: str) -> None:
    write(tmp_path, {**LISTS, **STARTS[name]})
    port = detect_folder(tmp_path).port
    assert port is not None
    assert port.value == 8123


VARIABLES = {
    "if not": "K = os.getenv('KEY')\nif not K:\n    raise SystemExit('no key')\n",
    "if none": "K = os.environ.get('KEY')\nif K is None:\n    raise RuntimeError('no key')\n",
    "one of two": "A = os.getenv('OTHER', 'a')\nK = os.getenv('KEY')\nif not A or not K:\n    sys.exit(1)\n",
    "assert": "K = os.getenv('KEY')\nassert K\n",
}


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_that_the_source_insists_on_is_named(tmp_path: Path, name: str) -> None:
    write(tmp_path, {**LISTS, "app.py": f"import os\nimport sys\n{FLASK}{VARIABLES[name]}"})
    (remark,) = [each for each in detect_folder(tmp_path).remarks if each.code == "variables-required"]
    assert remark.what == "requires environment variables: KEY"


@pytest.mark.parametrize("then", ["K = 'usual'", "print('no key')"])
def test_a_variable_that_the_source_does_without_is_not(tmp_path: Path, then: str) -> None:
    write(tmp_path, {**LISTS, "app.py": f"import os\n{FLASK}K = os.getenv('KEY')\nif not K:\n    {then}\n"})
    assert "variables-required" not in [each.code for each in detect_folder(tmp_path).remarks]


@pytest.mark.parametrize(
    ("python", "code", "listed", "named"),
    [
        ("3.12", "from distutils.version import LooseVersion", "", True),
        ("3.11", "from distutils.version import LooseVersion", "", False),
        ("3.12", "import distutils", "setuptools==75.0.0", False),
        ("3.13", "import cgi", "", True),
        ("3.12", "import cgi", "", False),
        ("3.13", "import cgi", "legacy-cgi==2.6.2", False),
        ("3.13", "try:\n    import cgi\nexcept ImportError:\n    cgi = None", "", False),
    ],
)
def test_a_module_that_python_has_no_more_is_named(
    tmp_path: Path, python: str, code: str, listed: str, *, named: bool
) -> None:
    lists = {"requirements.txt": f"flask==3.1.3\n{listed}\n", ".python-version": f"{python}\n"}
    write(tmp_path, {**lists, "app.py": f"{code}\n{FLASK}"})
    codes = [each.code for each in detect_folder(tmp_path).remarks]
    assert ("module-removed" in codes) == named
    assert "dependency-missing" not in codes


def test_flasks_own_settings_name_the_app(tmp_path: Path) -> None:
    write(tmp_path, {**LISTS, "app.py": FLASK, "service.py": FLASK, ".flaskenv": "FLASK_APP=service:app\n"})
    folder = detect_folder(tmp_path)
    assert folder.entry is not None
    assert str(folder.entry.value) == "service:app"


def test_a_folder_that_a_command_adds_to_the_path_comes_first(tmp_path: Path) -> None:
    write(tmp_path, {**LISTS, "app.py": ASGI, "svc/app.py": ASGI, "Procfile": "web: uvicorn --app-dir svc app:app\n"})
    entry = detect_folder(tmp_path).entry
    assert entry is not None
    assert entry.value.path == "svc/app.py"


def test_a_file_that_is_missing_is_named_with_its_folder(tmp_path: Path) -> None:
    opened = "from pathlib import Path\nW = (Path(__file__).parent / 'vocabulary' / 'words.txt').read_text()\n"
    write(tmp_path, {**LISTS, "app.py": FLASK + opened})
    (remark,) = [each for each in detect_folder(tmp_path).remarks if each.code == "data-absent"]
    assert remark.what.startswith("opens vocabulary/words.txt,")
