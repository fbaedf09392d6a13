"""The command that starts an app, as a Procfile, a Dockerfile or a script writes it."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from mldeploy.project.detect.starts.server_options import DEVELOPMENT, OPTIONS, PROGRAMS, Server, ServerOptions
from mldeploy.project.detect.starts.shell import ShellCommand, join_folder, parse_shell
from mldeploy.project.detect.starts.wrappers import WRAPPERS, program_name, shell_script, shell_text, unwrap_command

__all__ = ["DEVELOPMENT", "Command", "Server", "parse_command", "parse_port", "parse_words", "split_address"]

_MOST_NESTED = 20
"""Wrappers and shells in one another that are followed."""

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*t?|py|ipython3?")
_PYTHON_RUNNERS = frozenset({"debugpy", "coverage", "cProfile", "profile", "pdb", "ddtrace", "scalene", "memray"})
"""Modules that run another module or script: `python -m debugpy --listen 5678 -m uvicorn …`."""

_NO_WRAPPERS = frozenset({
    "[", "[[", "alias", "apk", "apt", "apt-get", "cat", "chmod", "chown", "conda-env", "cp", "curl", "dnf", "docker",
    "dpkg", "echo", "exit", "export", "false", "find", "git", "grep", "hash", "kill", "killall", "kubectl", "ln", "ls",
    "man", "mkdir", "mv", "nginx", "npm", "pgrep", "pip", "pip3", "pipx", "pkill", "printf", "read", "return", "rm",
    "sed", "awk", "service", "set", "sleep", "supervisorctl", "systemctl", "tar", "test", "touch", "trap", "true",
    "type", "unset", "watch", "wget", "which", "yarn", "yum",
})  # fmt: skip
"""Programs whose words are never a command that they run."""


@dataclass(frozen=True)
class Command:
    """One server command. target: what it serves as written ("app:app", "app.py"), "" if the words do not say.

    host and port: where it listens, "" and None if the words do not say. variable: the environment variable that the
    port is taken from. socket: a Unix socket that it listens on instead. chdir: the folder that it goes to first.
    imports: further folders that it imports from, seen from there. script: a shell script that it runs instead, or the
    configuration of Supervisor.
    """

    server: Server | None
    target: str = ""
    host: str = ""
    port: int | None = None
    variable: str = ""
    chdir: str = ""
    config: str = ""
    script: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    socket: str = ""
    imports: tuple[str, ...] = ()

    def number(self, *names: str) -> int | None:
        """The value of an option that is a number (the first of these names), or None."""
        text = next((self.options[name] for name in names if name in self.options), "")
        return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else None

    @property
    def listens(self) -> tuple[str, int | None]:
        """Host and port, with the server's own for what the words do not say."""
        if self.server in {None, Server.PYTHON}:
            return self.host, self.port
        host, port = OPTIONS[self.server].listens
        return self.host or host, self.port or (None if self.variable else port)


def parse_command(text: str, environment: Mapping[str, str] | None = None) -> Command | None:
    """The server command in a shell text, or None if it starts no server.

    A script that Python or a shell runs counts only if no server is started beside it: it may be a preparation.
    """
    return _choose_command(command for _, command in list_commands_in(text, environment))


def list_commands_in(text: str, environment: Mapping[str, str] | None = None) -> Iterator[tuple[int, Command]]:
    """Yield every command of a shell text that starts a server or a script, with its line."""
    for each in parse_shell(text, "", environment):
        if command := _read_command(each):
            yield each.line, command


def parse_words(words: Iterable[str], chdir: str = "", environment: Mapping[str, str] | None = None) -> Command | None:
    """The server command in a list of words, as a Dockerfile's JSON form has it."""
    return _read_command(ShellCommand(tuple(words), dict(environment or {}), chdir))


def _choose_command(commands: Iterable[Command]) -> Command | None:
    script: Command | None = None
    for command in commands:
        if command.server and command.server is not Server.PYTHON:
            return command
        script = command
    return script


def _read_command(command: ShellCommand, depth: int = 0) -> Command | None:
    """What one simple command starts. Follows wrappers and `sh -c`."""
    command = _take_assignments(command)
    if not command.words or depth > _MOST_NESTED:
        return None
    if (text := shell_text(command.words)) is not None:
        inner = parse_shell(text, command.folder, command.environment)
        return _choose_command(each for one in inner if (each := _read_command(one, depth + 1)))
    if (unwrapped := unwrap_command(command)) is not None:
        return _read_command(unwrapped, depth + 1)
    name = program_name(command.words[0])
    if name in _NO_WRAPPERS or (name in WRAPPERS and WRAPPERS[name].verb):  # `poetry add gunicorn`
        return None
    if server := _read_server(command, depth):
        return server
    return _find_wrapped(command, depth) or _read_script(command)


def _take_assignments(command: ShellCommand) -> ShellCommand:
    """`env NAME=VALUE program`: what stands before the program."""
    words = list(command.words)
    environment = dict(command.environment)
    while words and (_ASSIGNMENT.fullmatch(words[0]) or words[0] == "--"):
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    return replace(command, words=tuple(words), environment=environment)


def _find_wrapped(command: ShellCommand, depth: int) -> Command | None:
    """The server that an unknown program is given as its arguments: `bin/start-nginx gunicorn app:app`."""
    for start, word in enumerate(command.words[1:], start=1):
        if program_name(word) in PROGRAMS or _PYTHON.fullmatch(program_name(word)):
            inner = _read_server(replace(command, words=command.words[start:]), depth)
            if inner and (inner.target or OPTIONS[inner.server or Server.PYTHON].verbs):
                return inner
    return None


def _read_script(command: ShellCommand) -> Command | None:
    if program_name(command.words[0]) == "supervisord":
        return _read_supervisor(command)
    words = shell_script(command.words)
    if words is None:
        return None
    return Command(None, script=words[0].removeprefix("./"), chdir=command.folder)


def _read_supervisor(command: ShellCommand) -> Command:
    """`supervisord -n -c /etc/supervisord.conf`: its configuration holds the commands."""
    words = [part for word in command.words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    named = (
        words[at + 1] for at, word in enumerate(words[:-1]) if word == "--configuration" or re.fullmatch("-n?c", word)
    )
    return Command(None, script=next(named, "supervisord.conf"), chdir=command.folder)


def _read_server(command: ShellCommand, depth: int) -> Command | None:
    program, *arguments = command.words
    name = program_name(program)
    if _PYTHON.fullmatch(name):
        return _read_python(command, arguments, depth)
    if name.endswith(".py") and name != "manage.py":  # `uv run app.py`, `./app.py`
        return _make_command(Server.PYTHON, [program, *arguments], command)
    if name in {"manage.py", "django-admin"}:
        return _make_command(Server.DJANGO, arguments[1:], command) if arguments[:1] == ["runserver"] else None
    server = PROGRAMS.get(name)
    if server is None:
        return None
    rest = _without_verb(OPTIONS[server], arguments)
    return None if rest is None else _make_command(server, rest, command)


def _read_python(command: ShellCommand, arguments: list[str], depth: int) -> Command | None:
    """`python -m uvicorn …` is uvicorn, `python manage.py runserver` is Django's, `python app.py` runs a script."""
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] not in {"-m", "-"}:
        option = rest.pop(0)
        if option == "-c":  # a line of Python, which serves nobody
            return None
        if option in {"-W", "-X", "--check-hash-based-pycs"} and rest:
            rest.pop(0)
    if rest[:1] == ["-m"] and len(rest) > 1:
        return _read_module(command, rest[1], rest[2:], depth)
    if not rest or rest[0] == "-":
        return None
    if program_name(rest[0]) == "manage.py":
        return _read_server(replace(command, words=tuple(rest)), depth)
    return _make_command(Server.PYTHON, rest, command)


def _read_module(command: ShellCommand, module: str, arguments: list[str], depth: int) -> Command | None:
    """`python -m MODULE ARGUMENTS`."""
    if depth > _MOST_NESTED:
        return None
    if module in _PYTHON_RUNNERS:
        start = next((at for at, word in enumerate(arguments) if word == "-m" or word.endswith(".py")), None)
        inner = ("python", *arguments[start:]) if start is not None else ()
        return _read_command(replace(command, words=inner), depth + 1)
    words = replace(command, words=(module, *arguments))
    if (unwrapped := unwrap_command(words)) is not None:
        return _read_command(unwrapped, depth + 1)
    if module in PROGRAMS:
        return _read_server(words, depth)
    if module.partition(".")[0] in sys.stdlib_module_names:  # `python -m http.server`
        return None
    return _make_command(Server.PYTHON, [module.replace(".", "/") + ".py"], command)


def _without_verb(options: ServerOptions, arguments: list[str]) -> list[str] | None:
    """The arguments without the sub-command (`flask --app shop run --port 80`); None if it is another one."""
    if not options.verbs:
        return arguments
    at = 0
    while at < len(arguments) and arguments[at].startswith("-"):
        at += 2 if options.takes_value(arguments[at]) else 1
    for verb in options.verbs:
        if tuple(arguments[at : at + len(verb)]) == verb:
            return [*arguments[:at], *arguments[at + len(verb) :]]
    return None


def _make_command(server: Server, arguments: list[str], command: ShellCommand) -> Command:
    environment = dict(command.environment)
    if server is Server.GUNICORN:
        arguments = [*_split_text(environment.get("GUNICORN_CMD_ARGS", "")), *arguments]
    parsed = _ParsedOptions.of(OPTIONS[server], arguments)
    if server is Server.DJANGO:
        parsed.named.setdefault("--bind", (parsed.positional or ["127.0.0.1:8000"])[:1])
    host, port, variable, socket = _read_addresses(OPTIONS[server], parsed)
    if variable in environment:
        port, variable = parse_port(environment[variable])
    if not socket:
        host_variable, port_variable = OPTIONS[server].variables
        host = host or environment.get(host_variable, "")
        port = port or parse_port(environment.get(port_variable, ""))[0]
    folder = join_folder(command.folder, parsed.first(*OPTIONS[server].folder))
    imports = [*parsed.first(*OPTIONS[server].imports).split(","), *environment.get("PYTHONPATH", "").split(":")]
    return Command(
        server=server,
        target=_read_target(server, parsed, environment),
        host=host,
        port=port,
        variable=variable,
        socket=socket,
        chdir=folder.rstrip("/"),
        imports=tuple(each.removeprefix("./").rstrip("/") for each in imports if each not in {"", "."}),
        config=parsed.first("-c", "--config").removeprefix("file:").removeprefix("./"),
        options=parsed.last_values(),
    )


def _split_text(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote that is not closed
        return text.split()


def _read_target(server: Server, parsed: _ParsedOptions, environment: Mapping[str, str]) -> str:
    positional = parsed.positional[0].strip() if parsed.positional else ""
    if server is Server.DJANGO:
        return ""
    target = parsed.first(*OPTIONS[server].target) or ("" if server in {Server.FLASK, Server.QUART} else positional)
    if server in {Server.FLASK, Server.QUART}:
        return target or environment.get(f"{server.value.upper()}_APP", "")
    if server is Server.UWSGI:
        return _uwsgi_target(target, parsed)
    if server is Server.FASTAPI:
        app = parsed.first("--app")
        entrypoint = parsed.first("-e", "--entrypoint")
        target = entrypoint or (f"{_module_of(target)}:{app}" if target and app else target)
    if server is Server.MLFLOW:
        return ""
    return target.removeprefix("./")


def _uwsgi_target(target: str, parsed: _ParsedOptions) -> str:
    target = target or parsed.first("--mount").rpartition("=")[2]
    if target.endswith((".ini", ".yaml", ".yml", ".json", ".xml")):  # `uwsgi app.ini`
        return ""
    attribute = parsed.first("--callable")
    return f"{_module_of(target)}:{attribute}" if attribute and ":" not in target else target


def _module_of(path: str) -> str:
    return path.removeprefix("./").removesuffix(".py").replace("/", ".")


@dataclass
class _ParsedOptions:
    """The options of a command line, each with its values, and its other words."""

    named: dict[str, list[str]]
    positional: list[str]

    @classmethod
    def of(cls, options: ServerOptions, arguments: list[str]) -> _ParsedOptions:
        parsed = cls({}, [])
        words = iter(arguments)
        for word in words:
            name, equals, value = word.partition("=")
            if not word.startswith("-") or word == "-":
                parsed.positional.append(word)
            elif word == "--":
                parsed.positional += words
            elif equals and (word.startswith("--") or name in options.every):
                parsed.add(name, value)
            elif options.takes_value(word):
                parsed.add(word, next(words, ""))
            elif not word.startswith("--") and len(word) > 2 and word[:2] in options.every:  # -w4, -b:8000
                parsed.add(word[:2], word[2:])
            else:
                parsed.add(word, "")
        return parsed

    def add(self, name: str, value: str) -> None:
        self.named.setdefault(name, []).append(value)

    def first(self, *names: str) -> str:
        """The value of the first of these options that is given; "" for none."""
        return next((self.named[name][-1] for name in names if name in self.named), "")

    def last_values(self) -> dict[str, str]:
        return {name: values[-1] for name, values in self.named.items()}


def _read_addresses(options: ServerOptions, parsed: _ParsedOptions) -> tuple[str, int | None, str, str]:
    """Host, port, the variable that decides the port, and the Unix socket if there is no port."""
    host = parsed.first(*options.host)
    port, variable = parse_port(parsed.first(*options.port))
    sockets = [value for name in options.sockets for value in parsed.named.get(name, [])]
    bound: list[tuple[str, str]] = []
    for address in (each for name in options.bind for value in parsed.named.get(name, []) for each in value.split(",")):
        if is_socket(address):
            sockets.append(address)
        else:
            bound.append(split_address(address))
    if bound:
        bound_host, text = choose_address(bound)
        host = host or bound_host
        port, variable = parse_port(text)
    only_socket = sockets[0] if sockets and not bound and port is None and not variable else ""
    return host, port, variable, only_socket


def choose_address(addresses: list[tuple[str, str]]) -> tuple[str, str]:
    """The address that can be reached from outside, else the first. addresses: hosts and ports."""
    return next((each for each in addresses if not is_loopback(each[0])), addresses[0])


def is_loopback(host: str) -> bool:
    """Whether an address is reachable only from inside the container."""
    return host.startswith("127.") or host in {"localhost", "::1"}


def is_socket(address: str) -> bool:
    """Whether an address is a Unix socket or an inherited file descriptor."""
    return address.strip().startswith(("unix:", "/", "./", "fd://", "@")) or address.strip().endswith(".sock")


def split_address(text: str) -> tuple[str, str]:
    """Host and port of "0.0.0.0:8000", ":8000", "8000", "[::]:80"; a Unix socket has neither."""
    text = text.strip().removeprefix("tcp://").removeprefix("tcp:")
    if is_socket(text):
        return "", ""
    match = re.fullmatch(r"(.*?):?(\$\{.*\}|\$\w+|\{\}|[0-9]*)", text)
    return (match[1].strip("[]").replace("*", ""), match[2]) if match else ("", "")


def parse_port(text: str) -> tuple[int | None, str]:
    """The number and the environment variable in "8000", "$PORT", "${PORT:-8000}"."""
    if re.fullmatch(r"[0-9]{1,5}", text):
        return (int(text) if 0 < int(text) < 65536 else None), ""
    match = re.fullmatch(r"\$\{?(\w+)(?::?[-=]([0-9]{1,5}))?\}?", text)
    if not match:
        return None, ""
    return parse_port(match[2])[0] if match[2] else None, match[1]
