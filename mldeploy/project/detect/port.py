"""Detect the port: collect every port in the folder and choose the one that applies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mldeploy.project.detect.documents import parse_toml_tables, table_at
from mldeploy.project.detect.findings import Certainty, Detected, Remark, Severity, Source
from mldeploy.project.detect.starts.command import Command, Server, is_socket, parse_port, split_address
from mldeploy.project.detect.starts.dockerfile import Dockerfile
from mldeploy.project.detect.starts.server_starts import GunicornConfig, ServerCall
from mldeploy.project.detect.tree import Tree

DEFAULTS: Final = {
    "Flask": 5000,
    "Dash": 8050,
    "Streamlit": 8501,
    "Gradio": 7860,
    "aiohttp": 8080,
    "Bottle": 8080,
    "Django": 8000,
    "FastAPI": 8000,
    "Starlette": 8000,
}
"""The default port of each framework."""


@dataclass(frozen=True)
class PortClaim:
    """One location that sets a port. how: its description in messages."""

    port: int
    source: Source
    how: str
    certainty: Certainty


def choose_port(claims: Iterable[PortClaim], framework: str) -> tuple[Detected[int] | None, tuple[Remark, ...]]:
    """Choose the port, and return a remark if other locations set a different one. claims: the deciding one first.

    Without a claim, it is the default of the framework (a guess), or None without a framework.
    """
    all_claims = tuple(claims)
    if not all_claims:
        known = DEFAULTS.get(framework)
        reason = f"no file sets a port; {framework} usually has {known}"
        return (Detected(known, Source("."), Certainty.GUESS, reason) if known else None), ()
    first = all_claims[0]
    others = [claim for claim in all_claims[1:] if claim.port != first.port]
    remarks = [_contradiction(first, others)] if others else []
    return Detected(first.port, first.source, first.certainty), tuple(remarks)


def _contradiction(first: PortClaim, others: list[PortClaim]) -> Remark:
    conflicts = ", ".join(f"{claim.port} in {claim.source} ({claim.how})" for claim in others)
    what = f"{first.how} sets port {first.port}, but other locations set {conflicts}"
    todo = f"Port {first.port} is used. Set `port` in mldeploy.toml, and change the other locations to the same port."
    return Remark("port-differs", Severity.WARNING, first.source, what, todo)


def list_port_claims(
    tree: Tree,
    commands: Iterable[Detected[Command]],
    config: GunicornConfig | None,
    dockerfile: Dockerfile | None,
    runs: Iterable[ServerCall],
) -> tuple[PortClaim, ...]:
    """Collect every location that sets a port, the deciding one first: commands, then the Dockerfile, then the code.

    If the code itself is the command (`python app.py`), the port in the code decides, regardless of the Dockerfile.
    """
    environment = _environment(dockerfile)
    commands = tuple(commands)
    claims = [*_of_commands(commands, environment), *_of_config(config, environment)]
    others = [[*_of_docker(dockerfile), *_of_streamlit(tree)], [*_of_code(runs, environment)]]
    if commands and commands[0].value.server is Server.PYTHON:
        others.reverse()
    claims += [claim for each in others for claim in each]
    return tuple({(claim.port, claim.source): claim for claim in claims}.values())


def _environment(dockerfile: Dockerfile | None) -> dict[str, int]:
    """The ports that environment variables of the Dockerfile hold."""
    values = {name: parse_port(value)[0] for name, (value, _) in dockerfile.environment.items()} if dockerfile else {}
    return {name: value for name, value in values.items() if value}


def _of_commands(commands: Iterable[Detected[Command]], environment: dict[str, int]) -> Iterator[PortClaim]:
    for detected in commands:
        command = detected.value
        number = environment.get(command.variable) or command.port
        if number:
            how = command.server.value if command.server else "the command"
            yield PortClaim(number, detected.source, how, detected.certainty)


def _of_config(config: GunicornConfig | None, environment: dict[str, int]) -> Iterator[PortClaim]:
    if config and config.bind:
        text, source = config.bind
        number = environment.get(config.variable) or parse_port(split_address(text)[1])[0]
        if number and not is_socket(text):
            yield PortClaim(number, source, "bind", Certainty.CERTAIN)


def _of_docker(dockerfile: Dockerfile | None) -> Iterator[PortClaim]:
    if not dockerfile:
        return
    for name, (value, source) in dockerfile.environment.items():
        if re.fullmatch(r"(?:\w+_)?PORT", name) and (number := parse_port(value)[0]):
            yield PortClaim(number, source, f"ENV {name}", Certainty.CERTAIN)
    for number, source in dockerfile.exposed:
        yield PortClaim(number, source, "EXPOSE", Certainty.LIKELY)


def _of_streamlit(tree: Tree) -> Iterator[PortClaim]:
    file = tree.get(".streamlit/config.toml")
    number = table_at(parse_toml_tables(tree.text(file)), "server").get("port") if file else None
    if file and isinstance(number, int) and 0 < number < 65536:
        line = next((at for at, text in enumerate(tree.lines(file), 1) if re.match(r"\s*port\s*=", text)), 0)
        yield PortClaim(number, Source(file.path, line), "server.port", Certainty.CERTAIN)


def _of_code(runs: Iterable[ServerCall], environment: dict[str, int]) -> Iterator[PortClaim]:
    for run in runs:
        number = environment.get(run.variable) or run.port
        if number:
            how = "the code" if run.server is Server.PYTHON else run.server.value
            yield PortClaim(number, run.source, how, Certainty.LIKELY)
