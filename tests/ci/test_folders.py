"""What lints, tests and installs: read from folders of all kinds."""

from __future__ import annotations

import os

import pytest

from mldeploy.config.errors import ConfigError
from tests.ci.repo import Repo, lines

TEST = "def test_it():\n    assert True\n"
CASE = "import unittest\n\n\nclass It(unittest.TestCase):\n    def test_it(self):\n        pass\n"
PROPOSED = "python -m ruff check --select E9,F63,F7,F82 ."


def run(repo: Repo) -> list[str]:
    return lines(repo.workflow())


def lint(repo: Repo) -> list[str]:
    jobs = repo.workflow()["jobs"]["check"]["steps"]
    return [step["run"].strip() for step in jobs if step["name"].startswith("Lint")]


def test_a_folder_without_anything_is_linted_for_mistakes_and_tested_by_nothing(empty: Repo) -> None:
    empty.put("requirements.txt", "flask==3.1.3\n")
    assert lint(empty) == [PROPOSED]
    assert not any("unittest" in line or "pytest" in line for line in run(empty))
    remarks = "\n".join(empty.plan().remarks)
    assert "ruff is proposed" in remarks
    assert "there are no tests" in remarks


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("ruff.toml", "", "python -m ruff check ."),
        (".ruff.toml", "", "python -m ruff check ."),
        ("pyproject.toml", "[tool.ruff]\n", "python -m ruff check ."),
        ("pyproject.toml", "[tool.ruff.lint]\nselect = []\n", "python -m ruff check ."),
        ("pyproject.toml", "[tool.black]\n", "python -m black --check ."),
        (".flake8", "[flake8]\n", "python -m flake8"),
        ("setup.cfg", "[flake8]\n", "python -m flake8"),
        ("tox.ini", "[flake8]\n", "python -m flake8"),
        (".pylintrc", "", "python -m pylint --recursive=y ."),
        ("pyproject.toml", "[tool.pylint.main]\n", "python -m pylint --recursive=y ."),
        ("setup.cfg", "[pylint.main]\n", "python -m pylint --recursive=y ."),
        ("mypy.ini", "[mypy]\n", "python -m mypy ."),
        ("mypy.ini", "[mypy]\nfiles = app.py\n", "python -m mypy"),
        ("setup.cfg", "[mypy-requests.*]\nignore_missing_imports = true\n", "python -m mypy ."),
        ("pyproject.toml", '[tool.mypy]\nfiles = ["app.py"]\n', "python -m mypy"),
        ("requirements-dev.txt", "flake8==7.0.0\n", "python -m flake8"),
        ("requirements.txt", "flask==3.1.3\nflake8==7.0.0\nmypy==1.19.0\n", PROPOSED),
        ("setup.cfg", "no ini file at all\n", PROPOSED),
    ],
)
def test_the_linter_is_the_one_that_the_folder_is_set_up_for(repo: Repo, name: str, text: str, line: str) -> None:
    repo.put(name, text)
    assert lint(repo) == [line]


def test_several_linters_run_one_after_the_other(repo: Repo) -> None:
    repo.put("pyproject.toml", "[tool.mypy]\n[tool.black]\n[tool.ruff]\n")
    assert lint(repo) == ["python -m ruff check .", "python -m black --check .", "python -m mypy ."]
    assert "python -m pip install ruff black mypy" in run(repo)


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ({"test_app.py": TEST}, "python -m pytest"),
        ({"tests/test_app.py": TEST}, "python -m pytest"),
        ({"tests/app_test.py": "import pytest\n\nclass TestIt:\n    def test_it(self): ...\n"}, "python -m pytest"),
        ({"test_app.py": CASE}, "python -m unittest discover"),
        (
            {"tests/__init__.py": "", "tests/test_app.py": CASE},
            "python -m unittest discover --start-directory tests --top-level-directory .",
        ),
        ({"tests/test_app.py": CASE}, "python -m pytest"),
        ({"test_app.py": CASE, "pytest.ini": "[pytest]\n"}, "python -m pytest"),
        ({"test_app.py": CASE, "pyproject.toml": "[tool.pytest.ini_options]\n"}, "python -m pytest"),
        ({"test_app.py": CASE, "requirements.txt": "flask\npytest==9.0.1\n"}, "python -m pytest"),
    ],
)
def test_tests_are_run_by_what_understands_them(repo: Repo, files: dict[str, str], line: str) -> None:
    for name, text in files.items():
        repo.put(name, text)
    assert line in run(repo)


@pytest.mark.parametrize(
    "files",
    [
        {"test_data.py": "ROWS = [1, 2]\n"},
        {"notebooks/test.ipynb": "{}"},
        {"tests/__init__.py": ""},
        {".venv/pyvenv.cfg": "", ".venv/lib/test_x.py": TEST},
    ],
)
def test_a_runner_that_would_find_no_test_does_not_run(repo: Repo, files: dict[str, str]) -> None:
    for name, text in files.items():
        repo.put(name, text)
    assert not any(line.startswith(("python -m pytest", "python -m unittest")) for line in run(repo))


def test_what_builds_environments_of_its_own_is_named_and_not_run(repo: Repo) -> None:
    repo.put("noxfile.py", "import nox\n")
    assert any("noxfile.py exists and is not run" in each for each in repo.plan().remarks)


def test_a_tool_that_the_list_brings_is_not_installed_in_another_version(repo: Repo) -> None:
    repo.put("test_app.py", TEST)
    repo.put("requirements-dev.txt", "pytest==9.0.1\nruff==0.14.0\n")
    assert "python -m pip install --requirement requirements.txt --requirement requirements-dev.txt" in run(repo)
    assert not any(line.startswith("python -m pip install ruff") for line in run(repo))


PROJECT = '[project]\nname = "x"\nversion = "1"\ndependencies = ["flask==3.1.3"]\n'
POETRY = '[tool.poetry]\nname = "x"\nversion = "1"\n[tool.poetry.dependencies]\npython = "^3.11"\nflask = "^3.1"\n'
UV_LOCK = """\
version = 1
requires-python = ">=3.11"

[[package]]
name = "flask"
version = "3.1.3"
source = { registry = "https://example.com/simple" }

[[package]]
name = "x"
version = "1"
source = { virtual = "." }
dependencies = [{ name = "flask" }]
"""
POETRY_LOCK = '[[package]]\nname = "flask"\nversion = "3.1.3"\noptional = false\ngroups = ["main"]\n'
PIPFILE = '[packages]\nflask = "==3.1.3"\n[dev-packages]\npytest = "*"\n'
PIPFILE_LOCK = '{"_meta": {}, "default": {"flask": {"version": "==3.1.3"}}, "develop": {}}'
CONDA = "name: x\ndependencies:\n  - python=3.12\n  - flask=3.1.3\n"


@pytest.mark.parametrize(
    ("files", "first", "ran"),
    [
        ({"requirements/prod.txt": "flask==3.1.3\n"}, "python -m pip install --requirement requirements/prod.txt", ""),
        ({"pyproject.toml": PROJECT, "uv.lock": UV_LOCK}, "python -m pip install uv", ""),
        ({"pyproject.toml": POETRY, "poetry.lock": POETRY_LOCK}, "pipx install poetry", "poetry run "),
        ({"pyproject.toml": POETRY}, "pipx install poetry", "poetry run "),
        ({"pyproject.toml": PROJECT}, "python -m pip install uv", ""),
        ({"Pipfile": PIPFILE}, "pipx install pipenv", "pipenv run "),
        ({"Pipfile": PIPFILE, "Pipfile.lock": PIPFILE_LOCK}, "pipx install pipenv", "pipenv run "),
        (
            {"environment.yml": CONDA},
            '"$CONDA/bin/conda" env create --quiet --file environment.yml --prefix "$RUNNER_TEMP/environment"',
            '"$CONDA/bin/conda" run --no-capture-output --prefix "$RUNNER_TEMP/environment" ',
        ),
        ({}, "python -m pip install flask", ""),
    ],
)
def test_dependencies_come_from_the_list_that_counts_by_its_own_tool(
    empty: Repo, files: dict[str, str], first: str, ran: str
) -> None:
    for name, text in {**files, "test_app.py": TEST}.items():
        empty.put(name, text)
    result = run(empty)
    assert result[0].startswith(first)
    assert f"{ran}python -m pytest" in result
    assert f"{ran}{PROPOSED}" in result


def test_groups_of_developers_are_installed_along(empty: Repo) -> None:
    empty.put("pyproject.toml", PROJECT + '[dependency-groups]\ndev = ["pytest==9.0.1", "mypy"]\n')
    empty.put("test_app.py", TEST)
    assert any("--requirement pyproject.toml --group dev" in line for line in run(empty))
    assert lint(empty) == ["python -m mypy ."]


def test_a_tool_of_a_group_that_the_list_does_not_bring_is_installed(repo: Repo) -> None:
    repo.put("pyproject.toml", '[dependency-groups]\ndev = ["pytest", "flake8"]\n')
    repo.put("test_app.py", TEST)
    assert "python -m pip install flake8 pytest" in run(repo)


@pytest.mark.parametrize(
    ("files", "python"),
    [
        ({}, "3.11"),
        ({".python-version": "3.12.1\n"}, "3.12"),
        ({"runtime.txt": "python-3.13.0\n"}, "3.13"),
        ({"environment.yml": CONDA}, "3.12"),
        ({".python-version": "3.7\n"}, "3.11"),
        (
            {
                ".python-version": "3.12\n",
                "mldeploy.toml": '[app]\nname = "x"\n[build]\nbase_image = "example.com/library/python:3.13-slim"\n',
            },
            "3.13",
        ),
    ],
)
def test_the_python_is_the_image_s(empty: Repo, files: dict[str, str], python: str) -> None:
    for name, text in files.items():
        empty.put(name, text)
    (step,) = (each for each in empty.workflow()["jobs"]["check"]["steps"] if "python" in each.get("uses", ""))
    assert step["with"]["python-version"] == python


def test_files_that_are_kept_elsewhere_are_fetched(repo: Repo) -> None:
    (repo.root / ".gitattributes").write_text("*.joblib filter=lfs diff=lfs merge=lfs -text\n")
    jobs = repo.workflow()["jobs"].values()
    assert [job["steps"][0]["with"]["lfs"] for job in jobs] == ["true", "true"]


def test_a_model_that_git_leaves_out_is_told(repo: Repo) -> None:
    repo.put("model.joblib", "x")
    repo.put("mldeploy.toml", '[app]\nname = "x"\nmodels = ["model.joblib"]\n')
    assert not any("model.joblib" in each for each in repo.plan().remarks)
    (repo.root / ".gitignore").write_text("*.joblib\n")
    assert any("git ignores model.joblib" in each for each in repo.plan().remarks)


def test_variables_that_git_leaves_out_are_a_secret_of_the_deployment(repo: Repo) -> None:
    repo.put("mldeploy.toml", '[app]\nname = "x"\nmodels = []\nenv_file = ".env"\n')
    repo.put(".env", "KEY=value-of-the-key\n")
    (repo.root / ".gitignore").write_text(".env\n")
    result = repo.plan()
    assert result.secrets == ("MLDEPLOY_ENV_FILE",)
    assert any("gh secret set MLDEPLOY_ENV_FILE" in line for each in result.once for line in each.commands)
    assert "value-of-the-key" not in repo.text() + str(result)
    workflow = repo.workflow()
    assert "mldeploy build --no-check" in lines(workflow)
    assert 'printf "%s\\n" "$ENV_FILE" > .env' in lines(workflow, "deploy")


def test_an_app_that_nobody_has_named_keeps_its_name_where_its_folder_has_another(empty: Repo) -> None:
    assert empty.workflow("gke")["env"] == {"MLDEPLOY_APP_NAME": "insurance"}
    empty.put("mldeploy.toml", '[app]\nname = "insurance"\n')
    assert "env" not in empty.workflow("gke")


def test_an_image_for_arm_is_built_on_such_a_machine(repo: Repo) -> None:
    assert {job["runs-on"] for job in repo.workflow()["jobs"].values()} == {"ubuntu-24.04"}
    repo.put("mldeploy.toml", '[app]\nname = "x"\nmodels = []\n[build]\nplatform = "linux/arm64"\n')
    assert {job["runs-on"] for job in repo.workflow()["jobs"].values()} == {"ubuntu-24.04-arm"}


def test_an_index_with_a_password_is_told(repo: Repo) -> None:
    repo.put("mldeploy.toml", '[app]\nname = "x"\nmodels = []\n[build]\nindex_url = "https://${PATH}@example.com/"\n')
    assert any("index with a password" in each for each in repo.plan().remarks)
    assert os.environ["PATH"] not in repo.text() + str(repo.plan())


def test_tools_of_developers_are_installed_where_the_app_needs_nothing(empty: Repo) -> None:
    empty.put("app.py", "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'']\n")
    empty.put("mldeploy.toml", '[app]\nname = "x"\nentry = "app:app"\nmodels = []\n')
    empty.put("requirements-dev.txt", "flake8\n")
    assert run(empty)[:2] == ["python -m pip install --requirement requirements-dev.txt", "python -m flake8"]


def test_the_same_folder_gives_the_same_file(repo: Repo) -> None:
    assert repo.text() == repo.text()


def test_a_file_of_variables_may_be_called_anything(repo: Repo) -> None:
    repo.put("mldeploy.toml", '[app]\nname = "x"\nmodels = []\nenv_file = "my app;.env"\n')
    repo.put("my app;.env", "KEY=value\n")
    (repo.root / ".gitignore").write_text("*.env\n")
    assert any(line.endswith(" < 'my app;.env'") for each in repo.plan().once for line in each.commands)


@pytest.mark.parametrize(
    ("target", "key"),
    [("gke", "project"), ("fargate", "region"), ("webapp", "subscription"), ("kubernetes", "context")],
)
@pytest.mark.parametrize("value", ["$(touch x)", "a; b", "a b", "${{ secrets.OTHER }}"])
def test_what_would_be_more_than_a_word_in_a_shell_is_refused(repo: Repo, target: str, key: str, value: str) -> None:
    registry = 'registry = "ghcr.io/team"\n' if target == "kubernetes" else ""
    repo.put("mldeploy.toml", f'[app]\nname = "x"\nmodels = []\n[target.{target}]\n{registry}{key} = "{value}"\n')
    with pytest.raises(ConfigError, match=rf"target\.{target}\.{key}: contains characters that a shell"):
        repo.plan(target)
