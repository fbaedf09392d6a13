"""Each way in which a folder lists its dependencies, really installed as the workflow says, and tested with."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.ci import repo as repos
from tests.ci.runner import UV, Runner

pytestmark = pytest.mark.exhaustive

TEST = "from itsdangerous import __name__ as name\n\n\ndef test_it():\n    assert name == 'itsdangerous'\n"
APP = "import itsdangerous\nfrom flask import Flask\n\napp = Flask(itsdangerous.__name__)\n"
NEEDS = '"flask==3.1.3", "itsdangerous==2.2.0"'
PROJECT = f'[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = [{NEEDS}]\n'
GROUP = '[dependency-groups]\ndev = ["pytest", "ruff"]\n'
PIPFILE = '[packages]\nflask = "==3.1.3"\nitsdangerous = "==2.2.0"\n[dev-packages]\npytest = "*"\n'


@pytest.mark.parametrize(
    ("files", "locks"),
    [
        ({"requirements.txt": "flask==3.1.3\n", "requirements-dev.txt": "pytest\nitsdangerous\n"}, False),
        ({"pyproject.toml": PROJECT}, False),
        ({"pyproject.toml": PROJECT + GROUP}, False),
        ({"pyproject.toml": PROJECT + GROUP}, True),
        ({"Pipfile": PIPFILE}, False),
        ({}, False),
    ],
    ids=["requirements", "pyproject", "group", "uv", "pipenv", "imports"],
)
def test_the_tests_find_what_they_import(tmp_path: Path, files: Mapping[str, str], *, locks: bool) -> None:
    made = repos.repo(tmp_path / "insurance")
    for name, text in {**files, "app.py": APP, "test_app.py": TEST}.items():
        made.put(name, text)
    if locks:
        subprocess.run((UV, "lock", "--quiet"), cwd=made.folder, check=True)
    made.commit()
    workflow = made.workflow()
    steps = workflow["jobs"]["check"]["steps"]
    del steps[[step["name"] for step in steps].index("Install mldeploy") :]
    checked = Runner(tmp_path / "runner", made, {}, {}).job(workflow, "check")
    assert checked.failed == ""
    assert checked.names[-1] == "Test with pytest"
