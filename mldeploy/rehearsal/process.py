"""The process of a stand-in: options, address, start and stop."""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.serving import BaseWSGIServer

from mldeploy.core.errors import MldeployError
from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError
from mldeploy.rehearsal import background
from mldeploy.rehearsal.gateway.serving import create_server, serve
from mldeploy.rehearsal.orphans import PATIENCE_SECONDS, remove_orphans
from mldeploy.rehearsal.record import RehearsalError, RehearsalRecord, Remains

if TYPE_CHECKING:
    import ssl

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

GATEWAY_PORT, REGISTRY_PORT = 4566, 5000
"""Ports on a rehearsal's address."""


@dataclass(frozen=True)
class StandInOptions:
    """Options of a stand-in.

    folder: for all its files. pace: minimum seconds of each phase of an object's life. containers: run containers on
    the engine; otherwise simulate them. tied: end when standard input ends. flags: options of one cloud.
    """

    folder: Path
    pace: float
    containers: bool
    tied: bool
    flags: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def parse(cls, arguments: Sequence[str], flags: Sequence[str] = ()) -> StandInOptions:
        parser = argparse.ArgumentParser(prog="rehearsal")
        parser.add_argument("folder", type=Path)
        parser.add_argument("--pace", type=float, default=1.0)
        parser.add_argument("--no-containers", dest="containers", action="store_false")
        parser.add_argument("--tied", action="store_true", help="end when standard input ends")
        for flag in flags:
            parser.add_argument(f"--{flag}", dest="flags", action="append_const", const=flag)
        values = vars(parser.parse_args(arguments))
        return cls(**{**values, "flags": frozenset(values.get("flags") or ())})


class LoopbackBlock:
    """A random block 127.A.B.0/24. Its owner listens on the gateway port of `own`."""

    def __init__(self) -> None:
        self.prefix = f"127.{random.randint(16, 250)}.{random.randint(0, 255)}"  # noqa: S311 - not for security

    @property
    def own(self) -> str:
        """The address of the gateway and the registry."""
        return f"{self.prefix}.1"


def run_stand_in(options: StandInOptions, start: Callable[[StandInOptions, ExitStack], RehearsalRecord]) -> int:
    """Run until SIGTERM, or until standard input ends if tied. Prints the line that `background` waits for.

    start: starts everything, and registers its end on the stack.
    """
    if not options.tied and os.fork():
        return 0
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    try:
        with ExitStack() as stack:
            if options.containers:
                stack.enter_context(_without_leftovers(options))
            start(options, stack).write(options.folder)
            sys.stdout.write(f"{background.READY}\n")
            sys.stdout.flush()
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if options.tied:
                threading.Thread(target=_wait_for_eof, args=(ended,), daemon=True).start()
            ended.wait()
    except MldeployError as error:
        sys.stdout.write(json.dumps([error.what, error.todo]) + "\n")
        return 1
    return 0


@contextmanager
def _without_leftovers(options: StandInOptions) -> Iterator[None]:
    """Remove leftovers of killed stand-ins at the start, and those of this one at the end if it is tied."""
    with suppress(EngineError):
        engine = Engine.connect(PATIENCE_SECONDS)
        with closing(engine.client):
            remove_orphans(engine)
    yield
    remains = Remains.read(options.folder)
    if options.tied and remains is not None:
        with suppress(EngineError):
            engine = Engine.connect(PATIENCE_SECONDS)
            with closing(engine.client):
                background.remove_leftovers(engine, remains)


def _wait_for_eof(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def claim_address(tls: Callable[[str], ssl.SSLContext] | None = None) -> tuple[LoopbackBlock, BaseWSGIServer]:
    """Claim a free address, and create the gateway's server on it. It does not answer yet.

    tls: creates the TLS context for an address. Set the server's `app`, then call `serve_until_exit`. Raises
    RehearsalError.
    """
    for _ in range(100):
        addresses = LoopbackBlock()
        try:
            return addresses, create_server(
                addresses.own, GATEWAY_PORT, _drop_connection, tls(addresses.own) if tls else None
            )
        except OSError:
            continue
    todo = "Use Linux, where all addresses in 127.0.0.0/8 are available. Other systems are not supported yet."
    raise RehearsalError("rehearsal", "cannot listen on any address in 127.0.0.0/8", todo)


def serve_until_exit(server: BaseWSGIServer, stack: ExitStack) -> None:
    """Run a server until the stack is closed."""
    serve(server)
    stack.callback(server.shutdown)


def _drop_connection(_environ: WSGIEnvironment, _start: StartResponse) -> Iterable[bytes]:
    raise ConnectionResetError
