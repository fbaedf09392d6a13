"""Commands that must not serve the public: servers that frameworks bring for one developer."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from mldeploy.project.entry import parsed

_SERVE = 'Drop app.command, and name the app: `entry = "app:app"`. mldeploy serves it with gunicorn.'
_DEVELOPMENT = (
    (r"(?<![^\s/])flask\s(?:.*\s)?run(?!\S)", "Flask's development server", _SERVE),
    (
        r"(?<![^\s/])(?:manage\.py|django-admin|django)\s(?:.*\s)?runserver(?!\S)",
        "Django's development server",
        _SERVE.replace("app:app", "mysite.wsgi:application"),
    ),
    (r"(?<![^\s/])fastapi\s(?:.*\s)?dev(?!\S)", "FastAPI's development server", _SERVE),
    (r"\s--(?:reload|debug)(?!\S)", "a server in its reload or debug mode", "Drop that option."),
    (r"\shttp\.server(?!\S)", "Python's file server, which is made for trying things out", _SERVE),
)
"""What a command looks like, what it starts, and what to do instead."""
_MAKERS = frozenset({"Flask", "APIFlask", "Dash", "Bottle"})


def command_problem(folder: Path, words: tuple[str, ...]) -> tuple[str, str] | None:
    """What a command would start that must not serve the public, and what to do; None if nothing is known against it.

    folder: where it is started.
    """
    line = " ".join(words)
    for pattern, what, todo in _DEVELOPMENT:
        if re.search(pattern, line):
            return f"starts {what}", todo
    script = next((word for word in words if word.endswith(".py")), None)
    if script and _runs_itself(folder / script):
        return f"runs {script}, which starts its framework's development server", _SERVE
    return None


def _runs_itself(script: Path) -> bool:
    """Whether a script makes an app and calls `run` on it."""
    tree = parsed(script)
    nodes = list(ast.walk(tree)) if tree else []
    apps = {
        target.id
        for node in nodes
        if isinstance(node, ast.Assign) and _last_name(node.value) in _MAKERS
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"run", "run_server"}
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in apps
        for node in nodes
    )


def _last_name(node: ast.expr) -> str:
    """`Flask` of `Flask(…)` and of `flask.Flask(…)`; "" of what is no call."""
    called = node.func if isinstance(node, ast.Call) else None
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
