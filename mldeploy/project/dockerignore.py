"""The `.dockerignore` for a folder that has none."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.project.detect.folder import Folder
from mldeploy.project.detect.secrets import is_env_file
from mldeploy.project.ignore import NAME

_IGNORED = {
    "version control and editors": ".git .gitignore .gitattributes .github .hg .svn .vscode .idea",
    "virtual environments": ".venv venv .tox .nox **/node_modules",
    "caches": "**/__pycache__ **/*.py[cod] .mypy_cache .ruff_cache .pytest_cache .hypothesis .cache",
    "notebooks": "**/*.ipynb **/.ipynb_checkpoints",
    "secrets": (
        "**/.env **/.env.* !**/.env.example **/.envrc **/*.key **/id_rsa **/id_dsa **/id_ecdsa **/id_ed25519 **/*.p12 "
        "**/*.pfx **/*.jks **/.netrc **/.pypirc **/.git-credentials **/.aws **/.kube **/.docker **/credentials.json "
        "**/client_secret*.json **/*service?account*.json **/*.tfstate **/*.tfvars **/.streamlit/secrets.toml"
    ),
    "what belongs to training and testing": "mlruns .dvc wandb htmlcov **/.coverage *.egg-info",
    "mldeploy's and Docker's own files": f"mldeploy.toml Dockerfile {NAME}",
}


def dockerignore(folder: Folder) -> str:
    """A `.dockerignore`: what never belongs in an image, the secrets of this folder by name, and no model."""
    lines = ["# Written by `mldeploy init`: what stays out of the image."]
    for what, patterns in _IGNORED.items():
        lines += ["", f"# {what}", *patterns.split()]
    lines += _named(folder)
    return "\n".join(lines) + "\n"


def _named(folder: Folder) -> Iterator[str]:
    """What no pattern above surely covers, by its path; and heavy data, for the user to decide on."""
    secret = sorted({each.source.path for each in folder.remarks if each.code == "secret-file"})
    if named := [*folder.environments, *(path for path in secret if not is_env_file(path.rpartition("/")[2]))]:
        yield from ("", "# found in this folder", *map(_escaped, named))
    heavy = sorted({each.source.path for each in folder.remarks if each.code == "bulk-data"})
    if heavy:
        yield from (
            "",
            "# data: take the # away if the app does not read it",
            *(f"# {_escaped(path)}" for path in heavy),
        )


def _escaped(path: str) -> str:
    return "".join(f"\\{char}" if char in "*?[]\\!" else char for char in path)
