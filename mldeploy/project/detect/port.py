"""The port: every place that names one, and the one that holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mldeploy.project.detect.command import Command, Server, port_of, split_address
from mldeploy.project.detect.dockerfile import Dockerfile
from mldeploy.project.detect.documents import table, toml
from mldeploy.project.detect.findings import Certainty, Found, Remark, Severity, Source
from mldeploy.project.detect.runs import Run
from mldeploy.project.detect.served import GunicornConfig
from mldeploy.project.detect.tree import Tree

DEFAULTS: Final = {
    "Flask": 5000,
    "Dash": 8050,
    "Streamlit": 8501,
    "Gradio": 7860,
    "Bottle": 8080,
    "Django": 8000,
    "FastAPI": 8000,
    "Starlette": 8000,
}
"""Where a framework listens if nobody says anything."""


@dataclass(frozen=True)
class Claim:
    """One place that names a port. how: the words for it in a message."""

    port: int
    source: Source
    how: str
    certainty: Certainty


def port(claims: Iterable[Claim], framework: str) -> tuple[Found[int] | None, tuple[Remark, ...]]:
    """The port that holds, and a remark for each place that says otherwise. claims: the deciding one first.

    Where nothing names one, it is the framework's own, which is a guess; None where there is no framework either.
    """
    found = tuple(claims)
    if not found:
        known = DEFAULTS.get(framework)
        return (Found(known, Source("."), Certainty.GUESS) if known else None), ()
    first = found[0]
    others = [claim for claim in found[1:] if claim.port != first.port]
    remarks = [_contradiction(first, others)] if others else []
    return Found(first.port, first.source, first.certainty), tuple(remarks)


def _contradiction(first: Claim, others: list[Claim]) -> Remark:
    said = ", ".join(f"{claim.port} in {claim.source} ({claim.how})" for claim in others)
    what = f"{first.how} says port {first.port}, but there is also {said}"
    todo = f"Port {first.port} was taken: `port` in mldeploy.toml is the one that holds. Bring the others in line."
    return Remark("port-differs", Severity.WARNING, first.source, what, todo)


def claims(
    tree: Tree,
    commands: Iterable[Found[Command]],
    config: GunicornConfig | None,
    dockerfile: Dockerfile | None,
    runs: Iterable[Run],
) -> tuple[Claim, ...]:
    """Every place that names a port, the deciding one first: commands, then what Docker is told, then the code.

    Where the code itself is the command (`python app.py`), what it says is where it listens, whatever Docker is told.
    """
    environment = _environment(dockerfile)
    commands = tuple(commands)
    found = [*_of_commands(commands, environment), *_of_config(config, environment)]
    others = [[*_of_docker(dockerfile), *_of_streamlit(tree)], [*_of_code(runs, environment)]]
    if commands and commands[0].value.server is Server.PYTHON:
        others.reverse()
    found += [claim for each in others for claim in each]
    return tuple({(claim.port, claim.source): claim for claim in found}.values())


def _environment(dockerfile: Dockerfile | None) -> dict[str, int]:
    """The ports that environment variables of the Dockerfile hold."""
    values = {name: port_of(value)[0] for name, (value, _) in dockerfile.environment.items()} if dockerfile else {}
    return {name: value for name, value in values.items() if value}


def _of_commands(commands: Iterable[Found[Command]], environment: dict[str, int]) -> Iterator[Claim]:
    for found in commands:
        command = found.value
        number = environment.get(command.variable) or command.port
        if number:
            how = command.server.value if command.server else "the command"
            yield Claim(number, found.source, how, found.certainty)


def _of_config(config: GunicornConfig | None, environment: dict[str, int]) -> Iterator[Claim]:
    if config and config.bind:
        text, source = config.bind
        number = environment.get(config.variable) or port_of(split_address(text)[1])[0]
        if number:
            yield Claim(number, source, "bind", Certainty.CERTAIN)


def _of_docker(dockerfile: Dockerfile | None) -> Iterator[Claim]:
    if not dockerfile:
        return
    for name, (value, source) in dockerfile.environment.items():
        if re.fullmatch(r"(?:\w+_)?PORT", name) and (number := port_of(value)[0]):
            yield Claim(number, source, f"ENV {name}", Certainty.CERTAIN)
    for number, source in dockerfile.exposed:
        yield Claim(number, source, "EXPOSE", Certainty.LIKELY)


def _of_streamlit(tree: Tree) -> Iterator[Claim]:
    file = tree.get(".streamlit/config.toml")
    number = table(toml(tree.text(file)), "server").get("port") if file else None
    if file and isinstance(number, int) and 0 < number < 65536:
        line = next((at for at, text in enumerate(tree.lines(file), 1) if re.match(r"\s*port\s*=", text)), 0)
        yield Claim(number, Source(file.path, line), "server.port", Certainty.CERTAIN)


def _of_code(runs: Iterable[Run], environment: dict[str, int]) -> Iterator[Claim]:
    for run in runs:
        number = environment.get(run.variable) or run.port
        if number:
            how = "the code" if run.server is Server.PYTHON else run.server.value
            yield Claim(number, run.source, how, Certainty.LIKELY)
