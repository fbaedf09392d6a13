"""How the runner installs what a folder lists, for the shapes of project whose tests import the project itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.ci.installing import plan_installation
from mldeploy.project.detect.tree import scan_folder
from mldeploy.project.proposal import read_folder
from tests.detect.package_folders import APP, DEFAULT

PROJECT = '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["flask==3.1.0"]\n'
PACKAGE = PROJECT + '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
GROUP = '[dependency-groups]\ntest = ["httpx"]\n'
LOCK = f"""version = 1
[[package]]
name = "x"
version = "1"
source = {{ virtual = "." }}
dependencies = [{{ name = "flask" }}]
[[package]]
name = "flask"
version = "3.1.0"
source = {{ registry = "{DEFAULT}" }}
"""


@pytest.mark.parametrize(
    ("files", "expected", "unexpected"),
    [
        ({"pyproject.toml": PROJECT, "uv.lock": LOCK}, "--no-install-project", "--group"),
        (
            {"pyproject.toml": PACKAGE + GROUP, "uv.lock": LOCK},
            "uv sync --frozen --inexact --group test",
            "--no-install",
        ),
        ({"pyproject.toml": PACKAGE}, "--no-deps --editable .", "--group"),
        ({"pyproject.toml": PROJECT + GROUP}, "--group test", "--editable"),
        ({"setup.cfg": "[options]\ninstall_requires = flask==3.1.0\n"}, "pip install flask==3.1.0", "uv"),
    ],
)
def test_the_project_and_its_groups_for_tests_are_installed(
    tmp_path: Path, files: dict[str, str], expected: str, unexpected: str
) -> None:
    for name, text in {"app.py": APP, **files}.items():
        (tmp_path / name).write_text(text)
    planned = plan_installation(scan_folder(tmp_path), read_folder(tmp_path).dependencies)
    text = "\n".join(planned.lines)
    assert expected in text
    assert unexpected not in text
