"""The command that starts an app, as a Procfile, a Dockerfile or a script writes it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Server(StrEnum):
    """The program that a command starts."""

    GUNICORN = "gunicorn"
    UVICORN = "uvicorn"
    HYPERCORN = "hypercorn"
    DAPHNE = "daphne"
    WAITRESS = "waitress-serve"
    UWSGI = "uwsgi"
    GRANIAN = "granian"
    FLASK = "flask"
    FASTAPI = "fastapi"
    DJANGO = "manage.py"
    STREAMLIT = "streamlit"
    PYTHON = "python"


DEVELOPMENT = frozenset({Server.FLASK, Server.DJANGO, Server.PYTHON})
"""What serves one developer, not the public. (A script that Python runs may start a real server itself.)"""

_MODULES = {"flask": Server.FLASK, "waitress": Server.WAITRESS} | {
    server.value: server for server in Server if server not in {Server.PYTHON, Server.DJANGO}
}
_RUNNERS = frozenset(
    {
        "exec",
        "env",
        "sudo",
        "nohup",
        "time",
        "dumb-init",
        "tini",
        "catchsegv",
        "ddtrace-run",
        "opentelemetry-instrument",
    }
)
_TWO_WORD_RUNNERS = {
    ("poetry", "run"), ("pipenv", "run"), ("uv", "run"), ("pdm", "run"), ("hatch", "run"), ("conda", "run"),
    ("rye", "run"), ("newrelic-admin", "run-program"),
}  # fmt: skip
_VALUED = frozenset({
    "-b", "--bind", "-h", "--log-file", "-w",
    "--workers", "-k", "--worker-class", "-t", "--timeout", "-c", "--config", "--chdir",
    "--threads", "--host", "--port", "-p", "--log-level", "--access-logfile", "--error-logfile", "-n", "--name",
    "--pythonpath", "-e", "--env", "--worker-tmp-dir", "--max-requests", "--keep-alive", "--graceful-timeout",
    "--listen", "--http", "--interface", "--root-path", "--app-dir", "--server.port", "--server.address", "--app",
    "-A", "--wsgi-file", "--callable", "--module", "--mount", "--http-socket", "--socket", "-s", "--processes",
    "--env-file", "--ssl-keyfile", "--ssl-certfile", "--forwarded-allow-ips", "--backlog", "-m",
    "--max-requests-jitter", "--url-prefix", "--log-config", "--loop", "--settings",
})  # fmt: skip
"""Options of any of the servers that take a value after a space."""

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)


@dataclass(frozen=True)
class Command:
    """One server command. target: what it serves as written ("app:app", "app.py"), "" if the words do not say.

    host and port: where it listens, "" and None if the words do not say. variable: the environment variable that the
    port is taken from. chdir: the folder that it goes to first. script: a shell script that it runs instead.
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

    def number(self, *names: str) -> int | None:
        """The value of an option that is a number (the first of these names), or None."""
        text = next((self.options[name] for name in names if name in self.options), "")
        return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else None


def parse(text: str) -> Command | None:
    """The server command in a shell line, or None if it starts no server. `cd x && …` is understood.

    A script that Python runs counts only if no server follows: it may be a migration.
    """
    chdir = ""
    found: Command | None = None
    for words in _simple_commands(text):
        if words[0] == "cd" and len(words) > 1:
            chdir = words[1].strip("/") if not words[1].startswith("/") else chdir
            continue
        command = parse_words(words, chdir)
        if command and command.server is not Server.PYTHON:
            return command
        found = command or found
    return found


def parse_words(words: list[str], chdir: str = "") -> Command | None:
    """The server command in a list of words, as a Dockerfile's JSON form has it."""
    if (
        len(words) >= 3
        and words[0].rpartition("/")[2] in {"sh", "bash", "ash"}
        and words[1] in {"-c", "-lc", "-ec", "-euc"}
    ):
        return parse(words[2])
    environment: dict[str, str] = {}
    rest = list(words)
    while rest and (skip := _prefix(rest, environment)):
        rest = rest[skip:]
    if not rest:
        return None
    program, *arguments = rest
    program = program.rpartition("/")[2]
    if program in {"sh", "bash", "ash"} and arguments:
        program, arguments = arguments[0].rpartition("/")[2], []
        return Command(None, script=rest[1].removeprefix("./"), chdir=chdir)
    if program.endswith(".sh"):
        return Command(None, script=rest[0].removeprefix("./"), chdir=chdir)
    server, arguments = _server(program, arguments)
    return _command(server, arguments, chdir, environment) if server else None


def _simple_commands(text: str) -> Iterator[list[str]]:
    for part in re.split(r"&&|\|\||;|\n", text):
        try:
            words = shlex.split(part, comments=True)
        except ValueError:  # a quote that is not closed
            words = part.split()
        if words:
            yield words


def _prefix(words: list[str], environment: dict[str, str]) -> int:
    """How many words at the start only prepare for the command that follows."""
    if _ASSIGNMENT.fullmatch(words[0]):
        name, _, value = words[0].partition("=")
        environment[name] = value
        return 1
    if tuple(words[:2]) in _TWO_WORD_RUNNERS:
        return 2
    if words[0].rpartition("/")[2] in _RUNNERS or words[0] == "--":
        return 1
    return 0


def _server(program: str, arguments: list[str]) -> tuple[Server | None, list[str]]:
    if re.fullmatch(r"python[0-9.]*|pypy3?|py", program):
        return _python(arguments)
    if program == "manage.py":
        return (Server.DJANGO, arguments[1:]) if arguments[:1] == ["runserver"] else (None, [])
    server = _MODULES.get(program.removesuffix("3"))
    if server in {Server.FLASK, Server.FASTAPI, Server.STREAMLIT}:
        return _with_verb(server, arguments)
    return server, arguments


def _python(arguments: list[str]) -> tuple[Server | None, list[str]]:
    """`python -m uvicorn …` is uvicorn, `python manage.py runserver` is Django's, `python app.py` runs a script."""
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-m":
        if rest[0] == "-c":  # a line of Python, which serves nobody
            return None, []
        rest = rest[2 if rest[0] in {"-W", "-X"} else 1 :]
    if rest[:1] == ["-m"] and len(rest) > 1:
        known = _server(rest[1], rest[2:])
        return known if known[0] else (Server.PYTHON, [rest[1].replace(".", "/") + ".py"])
    if rest[:1] and rest[0].rpartition("/")[2] == "manage.py":
        return _server("manage.py", rest[1:])
    return (Server.PYTHON, rest) if rest else (None, [])


def _with_verb(server: Server, arguments: list[str]) -> tuple[Server | None, list[str]]:
    """`flask --app shop run --port 80`, `streamlit run app.py`: the verb stands somewhere among the options."""
    verb = next((word for word in arguments if word in {"run", "dev"}), None)
    if verb is None:
        return None, []
    arguments = [*arguments]
    arguments.remove(verb)
    return server, arguments


def _command(server: Server, arguments: list[str], chdir: str, environment: dict[str, str]) -> Command:
    options, positional = _options(arguments)
    target = options.get("--app") or options.get("-A") or options.get("--module") or options.get("--wsgi-file") or ""
    if server is Server.FLASK:
        target = target or environment.get("FLASK_APP", "")
    elif server is Server.DJANGO:
        options.setdefault("--bind", positional[0] if positional else "127.0.0.1:8000")
    elif positional:
        target = positional[0]
    if server is Server.UWSGI and "--callable" in options and ":" not in target:
        target = f"{target.removesuffix('.py').replace('/', '.')}:{options['--callable']}"
    host, port, variable = _address(server, options)
    return Command(
        server=server,
        target=target.strip(),
        host=host,
        port=port,
        variable=variable,
        chdir=options.get("--chdir", options.get("--app-dir", chdir)).strip("/"),
        config=options.get("-c", options.get("--config", "")).removeprefix("file:").removeprefix("./"),
        options=options,
    )


def _options(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    options: dict[str, str] = {}
    positional: list[str] = []
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if not word.startswith("-") or word == "-":
            positional.append(word)
        elif equals:
            options[name] = value
        elif word in _VALUED:
            options[word] = next(words, "")
        elif not word.startswith("--") and len(word) > 2 and word[:2] in _VALUED:  # -w4, -b:8000
            options[word[:2]] = word[2:]
        else:
            options[word] = ""
    return options, positional


def _address(server: Server, options: dict[str, str]) -> tuple[str, int | None, str]:
    """Host, port and the variable that decides the port, from whichever options this server has for them."""
    host = options.get("--host") or options.get("--server.address") or ""
    if server is Server.FLASK:
        host = host or options.get("-h", "")
    text = options.get("--port") or options.get("--server.port") or options.get("-p", "")
    bound = next(
        (options[name] for name in ("-b", "--bind", "--listen", "--http", "--http-socket") if options.get(name)), ""
    )
    if bound:
        bound_host, text = split_address(bound)
        host = host or bound_host
    port, variable = port_of(text)
    return host, port, variable


def split_address(text: str) -> tuple[str, str]:
    """Host and port of "0.0.0.0:8000", ":8000", "8000", "[::]:80"; a Unix socket has neither."""
    text = text.strip().removeprefix("tcp://")
    if text.startswith(("unix:", "/", "fd://")):
        return "", ""
    match = re.fullmatch(r"(.*?):?(\$\{.*\}|\$\w+|\{\}|[0-9]*)", text)
    return (match[1].strip("[]"), match[2]) if match else ("", "")


def port_of(text: str) -> tuple[int | None, str]:
    """The number and the environment variable in "8000", "$PORT", "${PORT:-8000}"."""
    if re.fullmatch(r"[0-9]{1,5}", text):
        return (int(text) if 0 < int(text) < 65536 else None), ""
    match = re.fullmatch(r"\$\{?(\w+)(?::?-([0-9]{1,5}))?\}?", text)
    if not match:
        return None, ""
    return port_of(match[2])[0] if match[2] else None, match[1]
