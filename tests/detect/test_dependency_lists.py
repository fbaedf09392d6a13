"""Which list of dependencies counts, and what is installed from it, in folders such as people have."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from packaging.version import Version
from uv import find_uv_bin

from mldeploy.config.settings import LockTool
from mldeploy.project.detect.dependencies.wheels import find_python, has_wheel
from mldeploy.project.errors import ProjectError
from mldeploy.project.load import load_project
from mldeploy.project.proposal import read_folder, render_requirements
from tests.detect.package_folders import APP, DEFAULT

FLASK = "flask==3.0.3\nitsdangerous==2.1.2\n"
PROJECT = '[project]\nname = "x"\nversion = "1"\ndependencies = ["flask==3.0.3"]\n'
SKLEARN = "import sklearn\n" + APP
SCRIPT = f'# /// script\n# requires-python = ">=3.11"\n# dependencies = [\n#   "flask==3.0.3",\n# ]\n# ///\n{APP}'
WORKSPACE = {
    "pyproject.toml": '[project]\nname = "root"\nversion = "1"\ndependencies = ["below==9"]\n'
    '[tool.uv.workspace]\nmembers = ["services/*"]\n',
    "services/api/pyproject.toml": '[project]\nname = "api"\nversion = "1"\ndependencies = ["flask"]\n',
    "services/api/app.py": APP,
    "uv.lock": f"""version = 1
[manifest]
members = ["api", "root"]
[[package]]
name = "api"
version = "1"
source = {{ editable = "services/api" }}
dependencies = [{{ name = "flask" }}]
[[package]]
name = "below"
version = "9"
source = {{ registry = "{DEFAULT}" }}
[[package]]
name = "flask"
version = "3.0.3"
source = {{ registry = "{DEFAULT}" }}
[[package]]
name = "root"
version = "1"
source = {{ virtual = "." }}
dependencies = [{{ name = "below" }}]
""",
}
LISTS: dict[str, tuple[Mapping[str, str | bytes], str]] = {
    "requirements beside the app": (
        {"backend/requirements.txt": FLASK, "backend/app.py": APP, "frontend/package.json": "{}"},
        "backend/requirements.txt",
    ),
    "pyproject beside the app": ({"backend/pyproject.toml": PROJECT, "backend/app.py": APP}, "backend/pyproject.toml"),
    "the nearest one": (
        {"requirements.txt": "flask==1\n", "backend/requirements.txt": FLASK, "backend/app.py": APP},
        "backend/requirements.txt",
    ),
    "the one above": ({"requirements.txt": FLASK, "backend/app.py": APP}, "requirements.txt"),
    "requirements.in": ({"requirements.in": FLASK, "app.py": APP}, "requirements.in"),
    "requirements.lock": ({"requirements.lock": FLASK, "app.py": APP}, "requirements.lock"),
    "a folder of lists": (
        {"requirements/requirements.txt": FLASK, "requirements/dev.txt": "pytest\n", "app.py": APP},
        "requirements/requirements.txt",
    ),
    "prod.txt": ({"prod.txt": FLASK, "app.py": APP}, "prod.txt"),
    "a name of its own": ({"requirements/web.txt": FLASK, "requirements/test.txt": "x\n", "app.py": APP},
                          "requirements/web.txt"),
    "inline metadata": ({"app.py": SCRIPT}, "app.py"),
    "setup.cfg": ({"setup.cfg": "[options]\ninstall_requires =\n    flask==3.0.3\n", "app.py": APP}, "setup.cfg"),
    "setup.py": (
        {"setup.py": "from setuptools import setup\nNEEDS = ['flask==3.0.3']\nsetup(install_requires=NEEDS)\n",
         "app.py": APP},
        "setup.py",
    ),
    "dynamic dependencies": (
        {"pyproject.toml": '[project]\nname = "x"\ndynamic = ["dependencies"]\n[tool.setuptools.dynamic]\n'
         'dependencies = { file = ["needs/app.txt"] }\n', "needs/app.txt": FLASK, "app.py": APP},
        "pyproject.toml",
    ),
    "a member of a workspace": (WORKSPACE, "uv.lock"),
}  # fmt: skip


def make(root: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


@pytest.mark.parametrize("name", LISTS)
def test_the_list_of_the_app_counts_wherever_it_is(tmp_path: Path, name: str) -> None:
    files, path = LISTS[name]
    listed = read_folder(make(tmp_path, files)).dependencies
    assert listed is not None
    assert listed.path == path
    assert str(listed.versions["flask"]) == "3.0.3"
    assert not listed.names - {"flask", "itsdangerous"}


def test_no_version_comes_from_the_environment_that_mldeploy_runs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    text = render_requirements(read_folder(make(tmp_path, {"app.py": SKLEARN}))) or ""
    assert text.splitlines()[1:] == ["flask", "scikit-learn"]


def test_versions_come_from_the_environment_that_is_activated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "env/lib/python3.11/site-packages/flask-3.0.3.dist-info/METADATA"
    make(tmp_path, {str(info.relative_to(tmp_path)): "Metadata-Version: 2.1\nName: flask\nVersion: 3.0.3\n"})
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "env"))
    folder = make(tmp_path / "app", {"app.py": APP})
    assert (render_requirements(read_folder(folder)) or "").splitlines()[1:] == ["flask==3.0.3"]
    monkeypatch.setenv("VIRTUAL_ENV", os.fspath(sys.prefix))
    assert (render_requirements(read_folder(folder)) or "").splitlines()[1:] == ["flask"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32", "latin-1"])
def test_a_list_is_read_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    text = "# für die Vorhersage\r\n-r base.txt\r\nflask==3.0.3\r\n"
    files: dict[str, str | bytes] = {
        "requirements.txt": text.encode(encoding),
        "base.txt": "itsdangerous==2.1.2\n",
        "app.py": APP,
    }
    listed = read_folder(make(tmp_path, files)).dependencies
    assert listed is not None
    assert {name: str(version) for name, version in listed.versions.items()} == {
        "flask": "3.0.3",
        "itsdangerous": "2.1.2",
    }


BEFORE = "from pathlib import Path\nfrom setuptools import setup\nimport os\n"
WRITTEN: dict[str, str] = {
    "lists that are joined": "BASE = ['flask==3.0.3']\nsetup(install_requires=BASE + ['itsdangerous==2.1.2'])\n",
    "a list in a list": "BASE = ['flask==3.0.3']\nsetup(install_requires=[*BASE, 'itsdangerous==2.1.2'])\n",
    "a dictionary": "conf = {'install_requires': ['flask==3.0.3', 'itsdangerous==2.1.2']}\nsetup(**conf)\n",
    "an item of a dictionary": "conf = dict(name='x')\n"
    "conf['install_requires'] = ['flask==3.0.3', 'itsdangerous==2.1.2']\nsetup(**conf)\n",
    "lines of a text": "setup(install_requires='flask==3.0.3\\nitsdangerous==2.1.2')\n",
}
COMPUTED: dict[str, tuple[str, int]] = {
    "lines of a file": ("setup(install_requires=Path('needs').read_text().splitlines())\n", 4),
    "a function": ("def needs():\n    return ['flask==3.0.3']\n\n\nsetup(install_requires=needs())\n", 8),
    "a condition": ("setup(install_requires=['flask==3.0.3', *(['gunicorn'] if os.name == 'posix' else [])])\n", 4),
    "a name that changes": ("needs = ['flask==3.0.3']\nneeds += ['x']\nsetup(\n    install_requires=needs,\n)\n", 7),
    "a list that grows": ("needs = []\nneeds.append('flask==3.0.3')\nsetup(install_requires=needs)\n", 6),
    "a text with a variable": ("v = '3.0.3'\nsetup(install_requires=['flask', f'itsdangerous=={v}'])\n", 5),
    "arguments that a function makes": ("setup(**load_configuration)\n", 4),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_a_setup_script_writes_down_is_read(tmp_path: Path, name: str) -> None:
    listed = read_folder(make(tmp_path, {"setup.py": BEFORE + WRITTEN[name], "app.py": APP})).dependencies
    assert listed is not None
    assert {each: str(version) for each, version in listed.versions.items()} == {
        "flask": "3.0.3",
        "itsdangerous": "2.1.2",
    }


@pytest.mark.parametrize("name", COMPUTED)
def test_what_a_setup_script_computes_is_asked_in_the_build(tmp_path: Path, name: str) -> None:
    script, line = COMPUTED[name]
    folder = make(tmp_path, {"setup.py": BEFORE + script, "app.py": APP, "needs": FLASK})
    (remark,) = [each for each in read_folder(folder).remarks if each.code == "dependencies-computed"]
    assert (str(remark.source), remark.severity) == (f"setup.py:{line}", "warning")
    assert "uv pip compile setup.py -o requirements.txt" in remark.todo
    build = load_project(folder).project.build
    assert build.lock is not None
    assert (build.requirements, build.lock.tool) == ("setup.py", LockTool.BACKEND)
    assert ("needs" in build.lock.files) == ("needs" in script.split("'"))
    make(folder, {"requirements.txt": FLASK})
    listed = read_folder(folder).dependencies
    assert listed is not None
    assert (listed.path, listed.remarks) == ("requirements.txt", ())


def test_what_a_setup_script_below_computes_is_refused_with_the_way_out(tmp_path: Path) -> None:
    script = COMPUTED["a function"][0]
    folder = make(tmp_path, {"backend/setup.py": BEFORE + script, "backend/app.py": APP})
    (remark,) = [each for each in read_folder(folder).remarks if each.code == "package-source"]
    assert "uv pip compile backend/setup.py -o backend/requirements.txt" in remark.todo
    with pytest.raises(ProjectError, match="computes its dependencies"):
        load_project(folder)


@pytest.mark.exhaustive
def test_uv_writes_what_a_setup_script_computes(tmp_path: Path) -> None:
    """How to pin them, as the remark says."""
    script = "def needs():\n    return ['flask==3.0.3']\n\n\nsetup(name='x', version='1', py_modules=[], "
    folder = make(tmp_path, {"setup.py": BEFORE + script + "install_requires=needs())\n", "app.py": APP})
    command = [find_uv_bin(), "pip", "compile", "--quiet", "setup.py", "-o", "requirements.txt"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    listed = read_folder(folder).dependencies
    assert listed is not None
    assert (listed.path, str(listed.versions["flask"])) == ("requirements.txt", "3.0.3")


DYNAMIC = '[project]\nname = "x"\nversion = "1"\ndynamic = ["dependencies"]\n'


@pytest.mark.parametrize(
    ("files", "asked"),
    [
        ({"pyproject.toml": DYNAMIC + '[build-system]\nrequires = ["own"]\nbuild-backend = "own"\n'}, True),
        ({"pyproject.toml": DYNAMIC, "setup.py": BEFORE + "setup(install_requires=['flask==3.0.3'])\n"}, False),
        ({"pyproject.toml": DYNAMIC, "setup.cfg": "[options]\ninstall_requires =\n    flask==3.0.3\n"}, False),
        ({"pyproject.toml": DYNAMIC + '[tool.poetry.dependencies]\nflask = "3.0.3"\n'}, False),
    ],
)
def test_dependencies_that_only_the_backend_knows_are_asked_in_the_build(
    tmp_path: Path, files: dict[str, str | bytes], asked: bool
) -> None:
    folder = read_folder(make(tmp_path, {**files, "app.py": APP}))
    remarks = [each for each in folder.remarks if each.code == "dependencies-computed"]
    assert [str(each.source) for each in remarks] == ["pyproject.toml"] * asked
    assert folder.dependencies is not None
    assert asked or "flask" in folder.dependencies.names


REMARKS: dict[str, tuple[Mapping[str, str | bytes], str, str]] = {
    "a group": (
        {"pyproject.toml": PROJECT + '[dependency-groups]\nserve = ["scikit-learn==1.5.2"]\n', "app.py": SKLEARN},
        "dependency-missing",
        "only in the group `serve`",
    ),
    "an extra": (
        {"pyproject.toml": PROJECT + '[project.optional-dependencies]\nml = ["scikit-learn"]\n', "app.py": SKLEARN},
        "dependency-missing",
        "only in the extra `ml`",
    ),
    "a version without a wheel": (
        {"requirements.txt": "flask==3.0.3\nscikit-learn==0.22.1\n", "app.py": APP},
        "pin-without-wheel",
        "python:3.8-slim-bookworm",
    ),
    "a package of the operating system": (
        {"requirements.txt": "flask==3.0.3\npython-apt==2.4.0+ubuntu3\n", "app.py": APP},
        "requirement-system",
        "virtual environment",
    ),
    "a line of conda": (
        {"requirements.txt": "flask=3.0.3=pyhd8ed1ab_0\n", "app.py": APP},
        "requirement-invalid",
        "`flask==3.0.3`",
    ),
    "a build of PyTorch without its index": (
        {"requirements.txt": "flask==3.0.3\ntorch==2.3.0+cu121\n", "app.py": APP},
        "pin-without-index",
        "Write `torch==2.3.0`",
    ),
    "pkg_resources, not listed": (
        {"requirements.txt": "flask==3.0.3\n", "app.py": "import pkg_resources\n" + APP},
        "dependency-missing",
        "`setuptools<82`",
    ),
    "pkg_resources, too new": (
        {"requirements.txt": "flask==3.0.3\nsetuptools==82.0.0\n", "app.py": "import pkg_resources\n" + APP},
        "import-removed",
        "`setuptools<82`",
    ),
    "an array of NumPy 2": (
        {"requirements.txt": "flask==3.0.3\nnumpy==1.25.2\n", "m.pkl": b"cnumpy._core.multiarray\n_reconstruct\n.",
         "app.py": "import pickle\nmodel = pickle.load(open('m.pkl', 'rb'))\n" + APP},
        "model-version",
        "`numpy>=1.26`",
    ),
    "an index of pandas 1": (
        {"requirements.txt": "flask==3.0.3\npandas==2.2.3\n", "m.pkl": b"cpandas.core.indexes.numeric\nInt64Index\n.",
         "app.py": "import pickle\nmodel = pickle.load(open('m.pkl', 'rb'))\n" + APP},
        "model-version",
        "`pandas<2`",
    ),
    "lists that disagree": (
        {"requirements.txt": "flask==3.0.3\n", "pyproject.toml": PROJECT.replace("3.0.3", "3.1.0"), "app.py": APP},
        "dependency-differs",
        "requirements.txt is what is installed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REMARKS)
def test_what_would_go_wrong_is_known_before_the_build(tmp_path: Path, name: str) -> None:
    files, code, text = REMARKS[name]
    remarks = [each for each in read_folder(make(tmp_path, files)).remarks if each.code == code]
    assert remarks, "no such remark"
    assert any(text in f"{each.what} {each.todo}" for each in remarks), remarks


@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": "--extra-index-url https://example.com/cu121\nflask==3.0.3\ntorch==2.3.0+cu121\n"},
        {"requirements.txt": "flask==3.0.3\nnumpy==1.26.4\n"},
        {"requirements.txt": "flask==3.0.3\nsetuptools<82\n"},
    ],
)
def test_what_fits_is_not_remarked(tmp_path: Path, files: Mapping[str, str]) -> None:
    source = "import pickle, pkg_resources\nmodel = pickle.load(open('m.pkl', 'rb'))\n" + APP
    make(tmp_path, {"m.pkl": b"cnumpy._core.multiarray\n_reconstruct\n.", "app.py": source, **files})
    codes = {each.code for each in read_folder(tmp_path).remarks}
    assert not codes & {"pin-without-index", "model-version", "import-removed", "pin-without-wheel"}


def test_a_wheel_is_known_for_each_python() -> None:
    known = {
        (name, version, python): has_wheel(name, Version(version), python)
        for name, version, python in [
            ("scikit-learn", "1.1.2", "3.11"), ("scikit-learn", "1.1.3", "3.11"), ("numpy", "1.25.2", "3.12"),
            ("numpy", "2.0.2", "3.9"), ("numpy", "2.1.0", "3.9"), ("nobody-knows", "1", "3.11"),
            ("numpy", "2.4", "3.99"),
        ]
    }  # fmt: skip
    assert [python for (_, _, python), wheel in known.items() if not wheel] == ["3.11", "3.12", "3.9"]
    assert find_python("scikit-learn", Version("0.22.1")) == "3.8"


@pytest.mark.parametrize(
    ("path", "files", "changed"),
    [
        ("uv.lock", {"uv.lock": f'version = 1\n[[package]]\nname = "flask"\nversion = "3.0.3"\n'
                     f'source = {{ registry = "{DEFAULT}" }}\n'}, "3.1.0"),
        ("pyproject.toml", {"pyproject.toml": PROJECT}, "3.1.0"),
        ("environment.yml", {"environment.yml": "dependencies:\n  - pip:\n    - flask==3.0.3\n"}, "3.1.0"),
        ("app.py", {"app.py": SCRIPT}, "3.1.0"),
    ],
)  # fmt: skip
def test_every_build_reads_the_list_that_is_named(
    tmp_path: Path, path: str, files: Mapping[str, str], changed: str
) -> None:
    make(tmp_path, {"app.py": APP, **files})
    make(tmp_path, {"mldeploy.toml": f"[app]\nentry = 'app:app'\n[build]\nrequirements = '{path}'\n"})
    before = load_project(tmp_path).project.build.requirements_text or ""
    (tmp_path / path).write_text((tmp_path / path).read_text().replace("3.0.3", changed))
    after = load_project(tmp_path).project.build.requirements_text or ""
    assert ("flask==3.0.3" in before, f"flask=={changed}" in after) == (True, True)


def test_a_configured_project_hears_of_its_pins_before_the_build(tmp_path: Path) -> None:
    make(tmp_path, {"app.py": APP, "requirements.txt": "flask==3.0.3\nnumpy==1.25.2\n"})
    make(tmp_path, {"mldeploy.toml": "[app]\nentry = 'app:app'\n[build]\nbase_image = 'python:3.12-slim-bookworm'\n"})
    assert [each.code for each in load_project(tmp_path).remarks] == ["pin-without-wheel"]


def test_the_lock_of_a_workspace_is_exported_for_the_member_of_the_app(tmp_path: Path) -> None:
    build = load_project(make(tmp_path, WORKSPACE)).project.build
    assert build.lock is not None
    assert build.lock.arguments == ("--package=api",)
    assert build.lock.files == ("uv.lock", "pyproject.toml", "services/api/pyproject.toml")
    assert "flask==3.0.3" in (build.requirements_text or "")


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"pyproject.toml": PROJECT, "pdm.lock": "[metadata]\n"}, ["pdm.lock"]),
        ({"pixi.toml": "[dependencies]\nflask = '==3.0.3'\n"}, ["pixi.toml"]),
        ({"environment.yml": "dependencies:\n  - flask=3.0.3\n", "conda-lock.yml": "version: 1\n"}, ["conda-lock.yml"]),
        ({"requirements.txt": FLASK, "pyproject.toml": PROJECT, "pdm.lock": "[metadata]\n"}, []),
    ],
)
def test_a_lock_that_is_not_read_is_told(tmp_path: Path, files: Mapping[str, str], told: list[str]) -> None:
    remarks = read_folder(make(tmp_path, {"app.py": APP, **files})).remarks
    assert [each.source.path for each in remarks if each.code == "lock-unread"] == told
