"""Folders whose lists name sources, made by a test, and what a build would install from them."""

from __future__ import annotations

from pathlib import Path

from mldeploy.project.errors import ProjectError
from mldeploy.project.proposal import read_folder, render_requirements

DEFAULT = "https://pypi" + ".org/simple"
"""In pieces, since no committed file names a registry's host."""
PRIVATE = "https://packages.example.com/simple"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHA = "sha256:" + "ab" * 32
APP = "from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.get('/health')\ndef health():\n    return 'ok'\n"


def make(root: Path, **texts: str) -> Path:
    """A folder with an app and these files; `__` in a name stands for a dot, `___` for a slash."""
    contents = {"app.py": APP} | {name.replace("___", "/").replace("__", "."): text for name, text in texts.items()}
    for name, text in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("@DEFAULT@", DEFAULT).replace("@PRIVATE@", PRIVATE).replace("@COMMIT@", COMMIT))
    return root


def lines(root: Path) -> list[str]:
    """The lines that a build installs, in pip's format. Raises ProjectError."""
    text = render_requirements(read_folder(root)) or ""
    return [line for line in text.splitlines() if not line.startswith("#")]


def refusal(root: Path) -> str:
    """Where and why `init` refuses the folder, "" if it does not."""
    try:
        lines(root)
    except ProjectError as error:
        return f"{error.where}: {error.what}"
    return ""
