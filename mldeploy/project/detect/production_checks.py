"""Checks of the source and the server commands: what is unsafe or unreachable in production."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from mldeploy.project.detect.dependencies.dependency import DependencyList
from mldeploy.project.detect.entry import AppEntry
from mldeploy.project.detect.findings import Detected, Remark, Severity, Source
from mldeploy.project.detect.source.python_source import PythonModule, SourceTree, assignments, evaluate
from mldeploy.project.detect.starts import dockerfile
from mldeploy.project.detect.starts.command import (
    DEVELOPMENT,
    Command,
    Server,
    is_loopback,
    is_socket,
    parse_port,
    split_address,
)
from mldeploy.project.detect.starts.dockerfile import Dockerfile
from mldeploy.project.detect.starts.server_starts import (
    GunicornConfig,
    ServerCall,
    dockerfile_commands,
    find_server_calls,
    read_gunicorn_config,
)
from mldeploy.project.detect.tree import scan_folder

_LOOPBACK = re.compile(r"(?:[a-z+]+://)?(?:[^/@\s]*@)?(?:127\.0\.0\.1|localhost)(?::\d+)?(?:/\S*)?")
_SERVED = "mldeploy serves the app with a real server instead"
_HELD_WORKERS = ("sync", "gthread")
_OWN = "the folder's own Dockerfile is used as it is"
_REQUEST_SECONDS = 30
"""gunicorn's own limit."""


def check_server_calls(runs: Iterable[ServerCall], *, own: bool) -> Iterator[Remark]:
    """`app.run(debug=True, host="127.0.0.1")`. own: the folder's Dockerfile decides how the app is served."""
    for run in runs:
        if run.on_import:
            what = "starts a server when the module is imported, so that no other server can serve it"
            todo = 'Put the call below `if __name__ == "__main__":`.'
            yield Remark("run-on-import", Severity.ERROR, run.source, what, todo)
        if run.debug:
            what = "`debug=True` allows anybody who can reach the app to run code on the machine"
            todo = f"Remove it; {_OWN}." if own else f"Remove it; {_SERVED}, so it has no effect there."
            yield Remark("debug", Severity.WARNING, run.source, what, todo)
        if run.reload:
            what = "`reload=True` restarts the server when a file changes, which is for development"
            todo = f"Remove it; {_OWN}." if own else f"It may stay: {_SERVED}, so it has no effect there."
            yield Remark("debug", Severity.WARNING, run.source, what, todo)
        if is_loopback(run.host):
            what = f"listens on {run.host}, which nothing outside the container can reach"
            todo = f'Use host="0.0.0.0"; {_OWN}.' if own else f"It may stay: {_SERVED}, on every address."
            yield Remark("loopback", Severity.WARNING, run.source, what, todo)


def check_script(runs: Iterable[ServerCall], *, own: bool) -> Iterator[Remark]:
    """`demo.launch(server_name="127.0.0.1", share=True)`: what a script says of its own server holds."""
    for run in runs:
        if is_loopback(run.host):
            what = f"listens on {run.host}, which nothing outside the container can reach"
            todo = "Leave the address out: the container's environment names the right one."
            yield Remark("loopback", Severity.WARNING if own else Severity.ERROR, run.source, what, todo)
        if run.shared:
            what = "`share=True` makes the app public through a tunnel of Gradio"
            yield Remark(
                "public-tunnel",
                Severity.WARNING,
                run.source,
                what,
                "Remove it. mldeploy publishes the app at its own URL.",
            )


def check_commands(commands: Iterable[Detected[Command]], runs: Iterable[ServerCall], *, own: bool) -> Iterator[Remark]:
    """A Procfile or a Dockerfile that starts a development server, or one that nobody can reach."""
    because = _OWN if own else _SERVED
    real = any(run.server not in DEVELOPMENT for run in runs)  # python app.py may call uvicorn.run itself
    for detected in commands:
        command = detected.value
        if command.server in DEVELOPMENT and not (command.server is Server.PYTHON and real):
            what = f"starts the framework's development server ({_shown(command)}), which is not for production"
            instead = f"Start gunicorn instead; {_OWN}. `mldeploy init --dockerfile --force` writes one that does."
            todo = instead if own else f"It may stay: {_SERVED}."
            yield Remark("development-server", Severity.WARNING, detected.source, what, todo)
        if {"--debug", "--reload"} & command.options.keys():
            what = "starts the server in debug or reload mode"
            yield Remark("debug", Severity.WARNING, detected.source, what, f"Remove the option; {because}.")
        yield from _check_reach(detected, own=own)


def _check_reach(detected: Detected[Command], *, own: bool) -> Iterator[Remark]:
    """A command whose server only the container itself can reach. own: the command runs in the image as it is."""
    command = detected.value
    because = _OWN if own else _SERVED
    host = command.host or (_default_host(command) if own else "")
    if command.socket:
        path = command.socket.removeprefix("unix:")
        what = f"listens on the Unix socket {path}, which nothing outside the container can reach"
        severity = Severity.ERROR if own else Severity.WARNING
        yield Remark("unix-socket", severity, detected.source, what, f"Bind to 0.0.0.0 and a port; {because}.")
    elif is_loopback(host):
        by_itself = "" if command.host else " by default"
        what = f"listens on {host}{by_itself}, which nothing outside the container can reach"
        yield Remark("loopback", Severity.WARNING, detected.source, what, f"Use 0.0.0.0; {because}.")


def _default_host(command: Command) -> str:
    """Where a server listens that no option says. gunicorn takes the variable PORT, which the container always has."""
    return "" if command.server is Server.GUNICORN or command.config else command.listens[0]


_CARRIED: Final = frozenset({
    "--access-log", "--access-logfile", "--access-logformat", "--app", "--app-dir", "--bind", "--call", "--callable",
    "--capture-output", "--chdir", "--config", "--debug", "--die-on-term", "--enable-threads", "--entrypoint",
    "--env-file", "--error-logfile", "--factory", "--forwarded-allow-ips", "--graceful-timeout", "--group", "--host",
    "--http", "--http-socket", "--http-timeout", "--interface", "--keep-alive", "--listen", "--log-config",
    "--log-file", "--log-level", "--loop", "--master", "--max-requests", "--max-requests-jitter", "--module",
    "--name", "--need-app", "--no-access-log", "--no-reload", "--no-use-colors", "--pid", "--port", "--preload",
    "--processes", "--proxy-headers", "--pythonpath", "--reload", "--settings", "--single-interpreter", "--socket",
    "--statsd-host", "--threads", "--timeout-keep-alive", "--uds", "--unix-socket", "--use-colors", "--user",
    "--vacuum", "--verbosity", "--with-threads", "--worker-tmp-dir", "--workers", "--ws", "--wsgi-file", "-A", "-H",
    "-b", "-c", "-e", "-g", "-h", "-n", "-p", "-s", "-u", "-v", "-w",
})  # fmt: skip
"""What mldeploy's recipe has a setting or a better value for, and what only says where the log goes."""
_OWN_WORKERS: Final = re.compile(r"sync|gthread|uvicorn(?:\.workers|_worker)?\.Uvicorn\w*Worker|asgi|WsgiWorker")


def check_carried_over(commands: tuple[Detected[Command], ...]) -> Iterator[Remark]:
    """Options of today's command that mldeploy's recipe does not take over: `-k eventlet --timeout 300`."""
    for detected in commands[:1]:
        command = detected.value
        if command.server in {None, Server.STREAMLIT, Server.PYTHON, Server.DJANGO, Server.GRADIO}:
            continue
        worker = command.options.get("-k") or command.options.get("--worker-class") or ""
        kept = _CARRIED | ({"-k", "--worker-class"} if not worker or _OWN_WORKERS.fullmatch(worker) else set())
        kept |= {"-t", "--timeout"} if command.server is Server.GUNICORN and _is_usual(command) else set()
        left_out = [f"{name} {value}".strip() for name, value in command.options.items() if name not in kept]
        if left_out:
            what = f"starts {command.server} with `{' '.join(left_out)}`, which mldeploy's own server does not get"
            todo = "Set `command` in mldeploy.toml, which starts it as it is."
            if command.server is Server.GUNICORN:
                todo = "Write it into a gunicorn.conf.py, which gunicorn reads, or set `command` in mldeploy.toml."
            yield Remark("options-dropped", Severity.WARNING, detected.source, what, todo)


def _is_usual(command: Command) -> bool:
    """Whether gunicorn's time limit is no longer than the one of mldeploy's server."""
    seconds = command.number("-t", "--timeout")
    return seconds is not None and 0 < seconds <= _REQUEST_SECONDS


def _shown(command: Command) -> str:
    match command.server:
        case Server.FLASK:
            return "flask run"
        case Server.DJANGO:
            return "manage.py runserver"
        case _:
            return f"python {command.target}".strip()


def check_gunicorn(config: GunicornConfig | None) -> Iterator[Remark]:
    """A gunicorn configuration that binds to the machine itself, or reloads."""
    if not config:
        return
    bind = config.bind
    if bind and is_socket(bind[0]):
        path = bind[0].removeprefix("unix:")
        what = f"binds to the Unix socket {path}, which nothing outside the container can reach"
        todo = 'Remove `bind`: gunicorn then listens on the port that the variable PORT names. Or set "0.0.0.0:PORT".'
        yield Remark("unix-socket", Severity.ERROR, bind[1], what, todo)
    elif bind and is_loopback(split_address(bind[0])[0]):
        what = f"binds to {bind[0]}, which nothing outside the container can reach"
        yield Remark("loopback", Severity.WARNING, bind[1], what, "Bind to 0.0.0.0.")
    reload = config.settings.get("reload")
    if reload and reload[0] == "True":
        yield Remark("debug", Severity.WARNING, reload[1], "reloads the code when a file changes", "Remove `reload`.")
    worker = config.settings.get("worker_class")
    if worker and worker[0] in _HELD_WORKERS:
        what = f"chooses the worker class {worker[0]}, whose threads a few slow clients can hold"
        todo = "Remove `worker_class`: mldeploy's own worker reads requests without a thread."
        yield Remark("slow-clients", Severity.WARNING, worker[1], what, todo)


_WORKER_PACKAGES: Final = {"eventlet": "eventlet", "gevent": "gevent", "tornado": "tornado", "uvicorn": "uvicorn"}
"""What gunicorn's workers import, by the first word of their names: https://docs.gunicorn.org/en/stable/design.html."""


def check_worker_package(config: GunicornConfig | None, listed: DependencyList) -> Iterator[Remark]:
    """A worker class in gunicorn's configuration file whose package nothing installs."""
    worker = config.settings.get("worker_class") if config else None
    package = _WORKER_PACKAGES.get(re.split(r"[._]", worker[0])[0]) if worker else None
    if worker and package and package not in listed.names:
        what = (
            f"sets the worker class {worker[0]}, but {listed.path or 'no list of dependencies'} does not list {package}"
        )
        todo = f"Add {package} to {listed.path or 'requirements.txt'}, or remove `worker_class`."
        yield Remark("worker-missing", Severity.ERROR, worker[1], what, todo)


def check_environment(dockerfile: Dockerfile | None) -> Iterator[Remark]:
    """`ENV FLASK_DEBUG=1`, `ENV FLASK_ENV=development`."""
    for name, (value, source) in (dockerfile.environment if dockerfile else {}).items():
        if (name == "FLASK_DEBUG" and value.lower() in {"1", "true", "on"}) or (name, value) == (
            "FLASK_ENV",
            "development",
        ):
            yield Remark("debug", Severity.WARNING, source, f"{name}={value} turns Flask's debugger on", "Remove it.")


def check_module(module: PythonModule) -> Iterator[Remark]:
    """`app.debug = True`, Django's `DEBUG = True`, and addresses that mean something else in a container."""
    for node in module.nodes:
        if isinstance(node, ast.Assign) and _turns_debug_on(node, module):
            what = "enables the debugger, which exposes the source and allows code execution"
            todo = "Read it from an environment variable that is off by default."
            yield Remark("debug", Severity.WARNING, module.at(node), what, todo)
        elif isinstance(node, ast.Call | ast.Assign | ast.keyword | ast.Dict):
            yield from _check_addresses(node, module)


def _turns_debug_on(node: ast.Assign, module: PythonModule) -> bool:
    if not (isinstance(node.value, ast.Constant) and node.value.value is True):
        return False
    target = node.targets[0]
    if isinstance(target, ast.Attribute):
        return target.attr == "debug" and isinstance(target.value, ast.Name)
    if isinstance(target, ast.Subscript):
        return evaluate(target.slice, module) == "DEBUG" and module.dotted(target.value).endswith("config")
    return any(name == "DEBUG" for name, _ in assignments(node)) and module.file.name.startswith(("settings", "config"))


def _check_addresses(node: ast.Call | ast.Assign | ast.keyword | ast.Dict, module: PythonModule) -> Iterator[Remark]:
    """`"http://localhost:8000/predict"`, `"postgres://127.0.0.1/db"`: in a container, that is the container."""
    values = node.args if isinstance(node, ast.Call) else node.values if isinstance(node, ast.Dict) else [node.value]
    for value in values:
        text = value.value if isinstance(value, ast.Constant) else None
        if isinstance(text, str) and ("://" in text or ":" in text) and _LOOPBACK.fullmatch(text):
            shown = re.sub(r"//[^/@]*@", "//…@", text)  # a password may stand before the @
            what = f"`{shown}` refers to the container itself in production"
            todo = "Read the address from an environment variable."
            yield Remark("loopback", Severity.WARNING, Source(module.file.path, value.lineno), what, todo)


_TODO_HOSTS = (
    'Take them from the environment: `ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost,127.0.0.1")'
    '.split(",")`.'
)


def check_allowed_hosts(entry: Detected[AppEntry] | None, modules: Iterable[PythonModule]) -> Iterator[Remark]:
    """ALLOWED_HOSTS that answers 400 to the health check, which asks for localhost, or to whoever comes by the URL.

    https://docs.djangoproject.com/en/stable/ref/settings/#allowed-hosts: an empty list is localhost while DEBUG is on.
    """
    if not entry or entry.value.framework != "Django":
        return
    for module in modules:
        value = module.constants.get("ALLOWED_HOSTS")
        if not isinstance(value, ast.List | ast.Tuple):
            continue
        names = [evaluate(each, module) for each in value.elts]
        if None in names or "*" in names:
            continue
        debug = evaluate(module.constants.get("DEBUG"), module) is True
        healthy = {"localhost", "127.0.0.1"} <= {str(name).lstrip(".") for name in names} or (debug and not names)
        if not healthy:
            what = "ALLOWED_HOSTS lacks localhost and 127.0.0.1, so the health check gets the response 400"
            yield Remark("allowed-hosts", Severity.ERROR, module.at(value), what, _TODO_HOSTS)
        elif all(name in {"localhost", "127.0.0.1", "[::1]", ".localhost"} for name in names):
            what = "ALLOWED_HOSTS contains only this machine, so requests to the public URL get the response 400"
            yield Remark("allowed-hosts", Severity.WARNING, module.at(value), what, _TODO_HOSTS)


def check_dockerfile(root: Path, path: str) -> tuple[Remark, ...]:
    """What is wrong with the server that the Dockerfile at a path below the folder starts. Raises ProjectError."""
    tree = scan_folder(root)
    file = tree.get(path)
    if file is None:
        return ()
    read = dockerfile.read_dockerfile(tree, file)
    sources = SourceTree(tree)
    commands = dockerfile_commands(tree, read)
    starts = tuple(run for each in commands for run in _script_calls(sources, each.value.target))
    remarks = (*check_server_calls(starts, own=True), *check_commands(commands, starts, own=True))
    return (*remarks, *check_environment(read))


def check_gunicorn_file(root: Path, path: str, port: int) -> tuple[Remark, ...]:
    """What keeps requests from the server that gunicorn's configuration file at a path below the folder sets up.

    port: of the app. Raises ProjectError if the folder cannot be read.
    """
    config = read_gunicorn_config(SourceTree(scan_folder(root)), path)
    remarks = [each for each in check_gunicorn(config) if each.code in {"unix-socket", "loopback"}]
    if config and config.bind and not remarks:
        text, source = config.bind
        bound, _ = parse_port(split_address(text)[1])
        if bound and bound != port and not config.variable:
            what = f"binds to {text}, but app.port is {port}"
            todo = f"Remove `bind`: gunicorn then listens on the app's port. Or set app.port = {bound}."
            remarks.append(Remark("port-differs", Severity.WARNING, source, what, todo))
    return tuple(remarks)


def _script_calls(sources: SourceTree, target: str) -> tuple[ServerCall, ...]:
    """The servers that a script starts which Python runs."""
    module = sources.module(target.removeprefix("./")) if target.endswith(".py") else None
    return tuple(run for each in sources.reachable([module]) for run in find_server_calls(each)) if module else ()
