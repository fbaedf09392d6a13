"""What in the app's source and commands would go wrong in public, with the line and the remedy."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from mldeploy.project.detect.command import DEVELOPMENT, Command, Server
from mldeploy.project.detect.dockerfile import Dockerfile
from mldeploy.project.detect.findings import Found, Remark, Severity, Source
from mldeploy.project.detect.runs import Run
from mldeploy.project.detect.served import GunicornConfig
from mldeploy.project.detect.source import Module, assigned
from mldeploy.project.detect.static import constant

_LOOPBACK = re.compile(r"(?:[a-z+]+://)?(?:[^/@\s]*@)?(?:127\.0\.0\.1|localhost)(?::\d+)?(?:/\S*)?")
_SERVED = "mldeploy serves the app with a real server instead"
_OWN = "the folder's own Dockerfile is used as it is"


def is_loopback(host: str) -> bool:
    """Whether an address is reachable only from inside the container."""
    return host.startswith("127.") or host in {"localhost", "::1"}


def of_runs(runs: Iterable[Run], *, own: bool) -> Iterator[Remark]:
    """`app.run(debug=True, host="127.0.0.1")`. own: the folder's Dockerfile decides how the app is served."""
    for run in runs:
        if run.on_import:
            what = "starts a server when the module is imported, so that no other server can serve it"
            todo = 'Put the call below `if __name__ == "__main__":`.'
            yield Remark("run-on-import", Severity.ERROR, run.source, what, todo)
        if run.debug:
            what = "`debug=True` lets whoever reaches the app run code on the machine"
            todo = f"Remove it; {_OWN}." if own else f"Remove it; {_SERVED}, so it has no effect there."
            yield Remark("debug", Severity.WARNING, run.source, what, todo)
        if run.reload:
            what = "`reload=True` starts the server anew when a file changes, which is for developers"
            todo = f"Remove it; {_OWN}." if own else f"It may stay: {_SERVED}, so it has no effect there."
            yield Remark("debug", Severity.WARNING, run.source, what, todo)
        if is_loopback(run.host):
            what = f"listens on {run.host}, which nothing outside the container can reach"
            todo = f'Use host="0.0.0.0"; {_OWN}.' if own else f"It may stay: {_SERVED}, on every address."
            yield Remark("loopback", Severity.WARNING, run.source, what, todo)


def of_script(runs: Iterable[Run], *, own: bool) -> Iterator[Remark]:
    """`demo.launch(server_name="127.0.0.1", share=True)`: what a script says of its own server holds."""
    for run in runs:
        if is_loopback(run.host):
            what = f"listens on {run.host}, which nothing outside the container can reach"
            todo = "Leave the address out: the container's environment names the right one."
            yield Remark("loopback", Severity.WARNING if own else Severity.ERROR, run.source, what, todo)
        if run.shared:
            what = "`share=True` opens a second way to the app from everywhere, through somebody else's machine"
            yield Remark("public-tunnel", Severity.WARNING, run.source, what, "Remove it: mldeploy gives it a URL.")


def of_commands(commands: Iterable[Found[Command]], runs: Iterable[Run], *, own: bool) -> Iterator[Remark]:
    """A Procfile or a Dockerfile that starts a development server, or one that nobody can reach."""
    because = _OWN if own else _SERVED
    real = any(run.server not in DEVELOPMENT for run in runs)  # python app.py may call uvicorn.run itself
    for found in commands:
        command = found.value
        if command.server in DEVELOPMENT and not (command.server is Server.PYTHON and real):
            what = f"starts the framework's development server ({_shown(command)}), made for one developer"
            instead = f"Start gunicorn instead; {_OWN}. `mldeploy init --dockerfile --force` writes one that does."
            todo = instead if own else f"It may stay: {_SERVED}."
            yield Remark("development-server", Severity.WARNING, found.source, what, todo)
        if {"--debug", "--reload"} & command.options.keys():
            what = "starts the server in its debug or reload mode"
            yield Remark("debug", Severity.WARNING, found.source, what, f"Remove the option; {because}.")
        if is_loopback(command.host):
            what = f"listens on {command.host}, which nothing outside the container can reach"
            todo = f"Use 0.0.0.0; {because}."
            yield Remark("loopback", Severity.WARNING, found.source, what, todo)


def _shown(command: Command) -> str:
    match command.server:
        case Server.FLASK:
            return "flask run"
        case Server.DJANGO:
            return "manage.py runserver"
        case _:
            return f"python {command.target}".strip()


def of_gunicorn(config: GunicornConfig | None) -> Iterator[Remark]:
    """A gunicorn configuration that binds to the machine itself, or reloads."""
    if not config:
        return
    bind = config.bind
    if bind and is_loopback(bind[0].rpartition(":")[0] or bind[0]):
        what = f"binds to {bind[0]}, which nothing outside the container can reach"
        yield Remark("loopback", Severity.WARNING, bind[1], what, "Bind to 0.0.0.0.")
    reload = config.settings.get("reload")
    if reload and reload[0] == "True":
        yield Remark("debug", Severity.WARNING, reload[1], "reloads the code when a file changes", "Remove `reload`.")


def of_dockerfile(dockerfile: Dockerfile | None) -> Iterator[Remark]:
    """`ENV FLASK_DEBUG=1`, `ENV FLASK_ENV=development`."""
    for name, (value, source) in (dockerfile.environment if dockerfile else {}).items():
        if (name == "FLASK_DEBUG" and value.lower() in {"1", "true", "on"}) or (name, value) == (
            "FLASK_ENV",
            "development",
        ):
            yield Remark("debug", Severity.WARNING, source, f"{name}={value} turns Flask's debugger on", "Remove it.")


def of_module(module: Module) -> Iterator[Remark]:
    """`app.debug = True`, Django's `DEBUG = True`, and addresses that mean something else in a container."""
    for node in module.nodes:
        if isinstance(node, ast.Assign) and _turns_debug_on(node, module):
            what = "turns the debugger on, which shows the source and lets others run code"
            todo = "Take it from an environment variable that is off unless set."
            yield Remark("debug", Severity.WARNING, module.at(node), what, todo)
        elif isinstance(node, ast.Call | ast.Assign | ast.keyword | ast.Dict):
            yield from _other_services(node, module)


def _turns_debug_on(node: ast.Assign, module: Module) -> bool:
    if not (isinstance(node.value, ast.Constant) and node.value.value is True):
        return False
    target = node.targets[0]
    if isinstance(target, ast.Attribute):
        return target.attr == "debug" and isinstance(target.value, ast.Name)
    if isinstance(target, ast.Subscript):
        return constant(target.slice, module) == "DEBUG" and module.dotted(target.value).endswith("config")
    return any(name == "DEBUG" for name, _ in assigned(node)) and module.file.name.startswith(("settings", "config"))


def _other_services(node: ast.Call | ast.Assign | ast.keyword | ast.Dict, module: Module) -> Iterator[Remark]:
    """`"http://localhost:8000/predict"`, `"postgres://127.0.0.1/db"`: in a container, that is the container."""
    values = node.args if isinstance(node, ast.Call) else node.values if isinstance(node, ast.Dict) else [node.value]
    for value in values:
        text = value.value if isinstance(value, ast.Constant) else None
        if isinstance(text, str) and ("://" in text or ":" in text) and _LOOPBACK.fullmatch(text):
            shown = re.sub(r"//[^/@]*@", "//…@", text)  # a password may stand before the @
            what = f"`{shown}` is the container itself once the app runs in one"
            todo = "Take the address from an environment variable."
            yield Remark("loopback", Severity.WARNING, Source(module.file.path, value.lineno), what, todo)
