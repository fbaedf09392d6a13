"""How the app is started today: server commands in files, and server calls in the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from mldeploy.project.detect.findings import Certainty, Detected, Source
from mldeploy.project.detect.frameworks import MAKERS
from mldeploy.project.detect.source.python_source import (
    PythonModule,
    SourceTree,
    call_argument,
    environment_variable,
    evaluate,
    keyword_argument,
    top_level,
)
from mldeploy.project.detect.starts.command import (
    Command,
    Server,
    is_loopback,
    is_socket,
    list_commands_in,
    parse_command,
    split_address,
)
from mldeploy.project.detect.starts.compose import compose_commands
from mldeploy.project.detect.starts.dockerfile import Dockerfile
from mldeploy.project.detect.tree import Tree

_GUNICORN_FILES = ("gunicorn.conf.py", "gunicorn_config.py", "gunicorn_conf.py", "gunicorn.config.py", "gunicorn.py")


@dataclass(frozen=True)
class GunicornConfig:
    """What a gunicorn configuration file sets, each with its location; computed values are left out.

    binds: the addresses that it listens on; () if the file does not say, or computes them. variable: the environment
    variable that the port is taken from, "" if none.
    """

    path: str
    settings: dict[str, tuple[str, Source]]
    variable: str
    binds: tuple[tuple[str, Source], ...] = ()

    @property
    def bind(self) -> tuple[str, Source] | None:
        """The address that can be reached from outside, else the first."""
        usable = [each for each in self.binds if not is_socket(each[0])]
        outside = [each for each in usable if not is_loopback(split_address(each[0])[0])]
        return next(iter((*outside, *usable, *self.binds)), None)


def list_commands(tree: Tree, dockerfile: Dockerfile | None) -> tuple[Detected[Command], ...]:
    """Every server command that is written down, the deciding one first: Procfile, then Dockerfile.

    Without one, those of a Compose file; without one, those of scripts.
    """
    commands = [each for command in _procfile_commands(tree) for each in _follow_script(tree, command)]
    commands += dockerfile_commands(tree, dockerfile) if dockerfile else ()
    commands = commands or [each for command in compose_commands(tree) for each in _follow_script(tree, command)]
    commands = commands or list(_start_scripts(tree)) or list(_flask_settings(tree))
    return tuple(replace(each, value=_in_project(each.value)) for each in commands)


def _flask_settings(tree: Tree) -> Iterator[Detected[Command]]:
    """The app that `flask run` takes from `.flaskenv`. https://flask.palletsprojects.com/en/stable/cli/#dotenv"""
    file = tree.get(".flaskenv")
    for number, line in enumerate(tree.lines(file) if file else [], start=1):
        match = re.fullmatch(r"\s*(?:export\s+)?FLASK_APP\s*=\s*[\"']?([\w./:-]+)[\"']?\s*", line)
        if match:
            target = match[1].removeprefix("./")
            command = Command(Server.FLASK, target=target if target.endswith(".py") else target.replace("/", "."))
            yield Detected(command, Source(".flaskenv", number), Certainty.LIKELY)


def _in_project(command: Command) -> Command:
    """The command with absolute folders as seen from the project's, which lies in /app on Heroku and in most images."""
    usual = re.compile(r"\A/(?:app|code|usr/src/app|srv|workspace)(?:/|\Z)")
    folders = (usual.sub("", each) for each in (command.chdir, *command.imports))
    chdir, *imports = ("" if each.startswith(("/", "..", "~")) else each for each in folders)
    return replace(command, chdir=chdir, imports=tuple(each for each in imports if each))


def dockerfile_commands(tree: Tree, dockerfile: Dockerfile) -> tuple[Detected[Command], ...]:
    """What a Dockerfile starts, by itself or by a script of the folder's."""
    if not dockerfile.command:
        return ()
    command, source = dockerfile.command
    environment = {name: value for name, (value, _) in dockerfile.environment.items()}
    written = dockerfile.scripts.get(command.script.rpartition("/")[2]) if command.script else None
    if written is not None:  # by a heredoc
        return tuple(
            Detected(each.value, source, Certainty.CERTAIN)
            for each in _read_script(written, command.script, environment)
        )
    followed = _follow_script(tree, Detected(command, source, Certainty.CERTAIN), environment)
    return tuple(replace(each, value=dockerfile.in_project(each.value)) for each in followed)


def _procfile_commands(tree: Tree) -> Iterator[Detected[Command]]:
    file = tree.get("Procfile")
    for number, line in enumerate(tree.lines(file) if file else [], start=1):
        match = re.fullmatch(r"\s*web\s*:\s*(.+?)\s*", line)
        command = parse_command(match[1]) if match else None
        if command:
            yield Detected(command, Source("Procfile", number), Certainty.CERTAIN)


def _follow_script(
    tree: Tree, detected: Detected[Command], environment: Mapping[str, str] | None = None
) -> Iterator[Detected[Command]]:
    """The command, or those that the shell script holds which it runs."""
    command = detected.value
    if not command.script:
        yield detected
        return
    name = command.script.rpartition("/")[2]
    for file in tree.named(name)[:1]:
        for each in _read_script(tree.text(file), file.path, environment):
            value = each.value if each.value.chdir else replace(each.value, chdir=command.chdir)
            yield replace(each, value=value)


def _start_scripts(tree: Tree) -> Iterator[Detected[Command]]:
    """Start scripts at the top of the folder, where nothing else says how the app is served."""
    for name in ("start.sh", "run.sh", "entrypoint.sh", "docker-entrypoint.sh", "boot.sh", "serve.sh"):
        if file := tree.get(name):
            yield from _read_script(tree.text(file), name)


def _read_script(text: str, path: str, environment: Mapping[str, str] | None = None) -> Iterator[Detected[Command]]:
    """The commands of a script; `python migrate.py` before a server is a preparation."""
    text = _supervised(text) if path.endswith((".conf", ".ini")) else text
    started = [(line, each) for line, each in list_commands_in(text, environment) if each.server]
    servers = [(line, each) for line, each in started if each.server is not Server.PYTHON]
    for line, command in servers or started:
        yield Detected(command, Source(path, line), Certainty.LIKELY)


def _supervised(text: str) -> str:
    """The programs of Supervisor's configuration as a shell script of as many lines.

    "" with a proxy among them: then that one answers. Standard: Supervisor, "[program:x] Section".
    """
    lines = text.splitlines()
    script = [""] * len(lines)
    at, folder = -1, ""
    for number, line in enumerate([*lines, "["]):
        name, _, value = (part.strip() for part in re.split(r"\s[;#]", line)[0].partition("="))
        if line.startswith("["):
            if at >= 0 and folder:
                script[at] = f"(cd {folder} && {script[at]})"
            at, folder = -1, ""
        elif name == "command" and value:
            at = number
            script[at] = re.sub(r"%\(ENV_(\w+)\)s", r"${\1}", value).replace("%%", "%")
        elif name == "directory" and "%" not in value:
            folder = value
    is_proxy = re.compile(r"\b(?:nginx|caddy|haproxy|traefik|apache2\w*|httpd)\b")
    return "" if any(is_proxy.search(each) for each in script) else "\n".join(script)


def load_gunicorn_config(sources: SourceTree, commands: tuple[Detected[Command], ...]) -> GunicornConfig | None:
    """The configuration file that a gunicorn command names, else the one with the usual name."""
    started = [each.value for each in commands if each.value.server is Server.GUNICORN]
    named = [each.config for each in started if each.config]
    below = [f"{each.chdir}/{name}" for each in started for name in (each.config or _GUNICORN_FILES[0],) if each.chdir]
    for path in (*below, *named, *_GUNICORN_FILES):
        module = sources.module(path.removeprefix("python:"))
        if module and (path in (*named, *below) or _is_config(module)):
            return _parse_config(module)
    return None


def read_gunicorn_config(sources: SourceTree, path: str) -> GunicornConfig | None:
    """The configuration file at a path below the folder; None if it is not there or not Python that can be read."""
    module = sources.module(path)
    return _parse_config(module) if module else None


def _is_config(module: PythonModule) -> bool:
    return bool(
        {"bind", "workers", "wsgi_app", "worker_class", "threads", "timeout", "accesslog"} & module.constants.keys()
    )


def _parse_config(module: PythonModule) -> GunicornConfig:
    settings: dict[str, tuple[str, Source]] = {}
    for name, value in module.constants.items():
        known = evaluate(value, module)
        if known is not None:
            settings[name] = (str(known), module.at(value))
    bind = module.constants.get("bind")
    variable = environment_variable(bind, module)
    return GunicornConfig(module.file.path, settings, variable, tuple(_binds(bind, module)))


def _binds(value: ast.expr | None, module: PythonModule) -> Iterator[tuple[str, Source]]:
    """`bind = "0.0.0.0:80"`, `bind = ["127.0.0.1:80", "unix:/run/app.sock"]`. Standard: gunicorn, "Settings: bind"."""
    for each in value.elts if isinstance(value, ast.List | ast.Tuple) else [value] if value else []:
        text = evaluate(each, module)
        if isinstance(text, str):
            yield from ((part.strip(), module.at(each)) for part in text.split(",") if part.strip())


@dataclass(frozen=True)
class ServerCall:
    """One call. server: PYTHON stands for a framework's own, made for development.

    host and port: "" and None where the call does not say. variable: the environment variable that decides the port.
    reload: it restarts whenever a file changes. on_import: it stands outside `if __name__ == "__main__":`, so that
    importing the module starts it. shared: it asks for Gradio's tunnel.
    """

    server: Server
    host: str
    port: int | None
    variable: str
    debug: bool
    reload: bool
    source: Source
    on_import: bool
    shared: bool = False


_LIBRARY_CALLS = {
    "uvicorn.run": Server.UVICORN,
    "uvicorn.Config": Server.UVICORN,
    "gevent.pywsgi.WSGIServer": Server.PYTHON,
    "cheroot.wsgi.Server": Server.PYTHON,
    "waitress.serve": Server.WAITRESS,
    "aiohttp.web.run_app": Server.PYTHON,
    "bottle.run": Server.PYTHON,
    "werkzeug.serving.run_simple": Server.PYTHON,
    "wsgiref.simple_server.make_server": Server.PYTHON,
}
_METHODS = frozenset({"run", "run_server", "launch"})


_APP_NAMES = frozenset(
    {"app", "application", "server", "api", "demo", "iface", "interface", "socketio", "dashboard", "webapp"}
)
"""What people call an app. A call of `run` on anything else is somebody else's."""


def find_server_calls(module: PythonModule, factories: Iterable[str] = ()) -> tuple[ServerCall, ...]:
    """The calls of a module that start a server. factories: those of other modules, by the names it calls them by."""
    apps = _APP_NAMES | {name for name, value in module.constants.items() if module.called(value) in MAKERS}
    own = {each.name for each in module.nodes if isinstance(each, ast.FunctionDef)}
    makers = frozenset({*MAKERS, *factories, *own})
    on_import = _calls_on_import(module)
    calls = []
    for call in module.calls:
        server = _LIBRARY_CALLS.get(module.called(call))
        if server is None and _starts_app(call, module, apps, makers):
            server = Server.PYTHON
        if _is_listen(call, module):
            calls.append(_parse_listen(module, call, on_import=id(call) in on_import))
        elif server:
            calls.append(_parse_call(module, call, server, on_import=id(call) in on_import))
    return tuple(calls)


def _is_listen(call: ast.Call, module: PythonModule) -> bool:
    """`app.listen(8888)` of Tornado. Standard: Tornado, "Application.listen" and "TCPServer.bind"."""
    is_method = isinstance(call.func, ast.Attribute) and call.func.attr in {"listen", "bind"}
    return is_method and any(name.partition(".")[0] == "tornado" for name, _ in module.imports)


def _parse_listen(module: PythonModule, call: ast.Call, *, on_import: bool) -> ServerCall:
    given = call_argument(call, 0, "port")
    defined = _defined_option(given, module)
    port, host = evaluate(defined, module), evaluate(call_argument(call, 1, "address"), module)
    number = int(port) if isinstance(port, str) and port.isdecimal() and len(port) < 6 else port
    return ServerCall(
        server=Server.PYTHON,
        host=host if isinstance(host, str) else "",
        port=number if isinstance(number, int) and 0 < number < 65536 else None,
        variable=environment_variable(defined, module),
        debug=False,
        reload=False,
        source=module.at(call),
        on_import=on_import,
    )


def _defined_option(given: ast.expr | None, module: PythonModule) -> ast.expr | None:
    """The default of `options.port`, as `define("port", default=8888)` has it."""
    if isinstance(given, ast.Attribute) and isinstance(given.value, ast.Name | ast.Attribute):
        for call in module.calls:
            if (
                module.called(call).rpartition(".")[2] == "define"
                and evaluate(call_argument(call, 0, "name"), module) == given.attr
            ):
                return call_argument(call, 1, "default")
    return given


def _starts_app(call: ast.Call, module: PythonModule, apps: frozenset[str], makers: frozenset[str]) -> bool:
    """`app.run()`, `demo.queue().launch()`, `gr.Interface(…).launch()`, `create_app().run()`."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in _METHODS:
        return False
    owner = call.func.value
    while isinstance(owner, ast.Call) and isinstance(owner.func, ast.Attribute) and module.called(owner) not in makers:
        owner = owner.func.value
    if isinstance(owner, ast.Name):
        return owner.id in apps
    called = module.called(owner)
    last = called.rpartition(".")[2]
    return called in makers or (last.startswith(("create_", "make_", "build_", "get_")) and last.endswith("app"))


def _calls_on_import(module: PythonModule) -> frozenset[int]:
    simple = (node for node in top_level(module.tree.body) if isinstance(node, ast.Expr | ast.Assign))
    return frozenset(id(each) for node in simple for each in ast.walk(node) if isinstance(each, ast.Call))


def _parse_call(module: PythonModule, call: ast.Call, server: Server, *, on_import: bool) -> ServerCall:
    call = _spread(module, call)
    positional = 0 if isinstance(call.func, ast.Attribute) and server is Server.PYTHON else 99
    address = call.args[0] if call.args else None
    if isinstance(address, ast.Tuple) and len(address.elts) == 2:  # `WSGIServer(("0.0.0.0", 5000), app)`
        call = ast.copy_location(ast.Call(call.func, [*address.elts, *call.args[1:]], call.keywords), call)
        positional = 0
    host = evaluate(call_argument(call, positional, "host") or keyword_argument(call, "server_name"), module)
    given = call_argument(call, positional + 1, "port") or keyword_argument(call, "server_port")
    port = evaluate(given, module)
    listen = evaluate(keyword_argument(call, "listen"), module)
    if isinstance(listen, str) and server is Server.WAITRESS:  # Waitress, "Arguments": listen
        host, _, port = listen.split()[0].rpartition(":") if listen.strip() else ("", "", "")
    if isinstance(port, str) and port.isdecimal() and len(port) < 6:
        port = int(port)
    return ServerCall(
        server=server,
        host=host if isinstance(host, str) else "",
        port=port if isinstance(port, int) and 0 < port < 65536 else None,
        variable=environment_variable(given, module),
        debug=evaluate(call_argument(call, positional + 2, "debug"), module) is True,
        reload=evaluate(keyword_argument(call, "reload"), module) is True,
        source=module.at(call),
        on_import=on_import,
        shared=evaluate(keyword_argument(call, "share"), module) is True,
    )


def _spread(module: PythonModule, call: ast.Call) -> ast.Call:
    """The call with the items of `**settings`, if that is a dictionary that the function or the module writes down."""
    keywords: list[ast.keyword] = []
    for each in call.keywords:
        items = _find_dictionary(module, each.value) if each.arg is None else None
        keywords += (
            [each]
            if items is None
            else [
                ast.keyword(str(key.value), value)
                for key, value in zip(items.keys, items.values, strict=True)
                if isinstance(key, ast.Constant)
            ]
        )
    return ast.copy_location(ast.Call(call.func, call.args, keywords), call)


def _find_dictionary(module: PythonModule, node: ast.expr) -> ast.Dict | None:
    if isinstance(node, ast.Dict):
        return node
    named = [
        each.value
        for each in module.nodes
        if isinstance(each, ast.Assign)
        and isinstance(node, ast.Name)
        and [getattr(target, "id", "") for target in each.targets] == [node.id]
    ]
    return named[0] if len(named) == 1 and isinstance(named[0], ast.Dict) else None
