"""The process in which a cloud is played: its options, its address, its readiness and its end, whatever cloud it is."""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.serving import BaseWSGIServer

from mldeploy.core.errors import MldeployError
from mldeploy.rehearsal import background
from mldeploy.rehearsal.door.serving import listening, serve
from mldeploy.rehearsal.errors import RehearsalError
from mldeploy.rehearsal.place import Place

if TYPE_CHECKING:
    import ssl

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

FRONT_DOOR, REGISTRY_DOOR, REGISTRY = 4566, 5000, 5001
"""The ports on a rehearsal's own address."""


@dataclass(frozen=True)
class Options:
    """What a rehearsal is like.

    folder: all that it writes to disk. pace: seconds that each phase of a thing's life takes at least. containers: what
    runs in it are containers on the engine; otherwise they are said to be. tied: it ends when standard input ends.
    flags: what a cloud has of its own.
    """

    folder: Path
    pace: float
    containers: bool
    tied: bool
    flags: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def parse(cls, arguments: Sequence[str], flags: Sequence[str] = ()) -> Options:
        parser = argparse.ArgumentParser(prog="rehearsal")
        parser.add_argument("folder", type=Path)
        parser.add_argument("--pace", type=float, default=1.0)
        parser.add_argument("--no-containers", dest="containers", action="store_false")
        parser.add_argument("--tied", action="store_true", help="end when standard input ends")
        for flag in flags:
            parser.add_argument(f"--{flag}", dest="flags", action="append_const", const=flag)
        values = vars(parser.parse_args(arguments))
        return cls(**{**values, "flags": frozenset(values.get("flags") or ())})


class Addresses:
    """A part of 127.0.0.0/8 that no other rehearsal has, 127.A.B.0/24: its owner listens at the front door's port."""

    def __init__(self) -> None:
        self.prefix = f"127.{random.randint(16, 250)}.{random.randint(0, 255)}"  # noqa: S311 - to meet nobody

    @property
    def own(self) -> str:
        """Where the front door and the registry are."""
        return f"{self.prefix}.1"


def play(options: Options, opened: Callable[[Options, ExitStack], Place]) -> int:
    """Play until SIGTERM, or until standard input ends if tied. Prints the one line that `background` waits for.

    opened: starts everything, and leaves on the stack how it is ended.
    """
    if not options.tied and os.fork():
        return 0
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    try:
        with ExitStack() as stack:
            opened(options, stack).write(options.folder)
            sys.stdout.write(f"{background.READY}\n")
            sys.stdout.flush()
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if options.tied:
                threading.Thread(target=_until_alone, args=(ended,), daemon=True).start()
            ended.wait()
    except MldeployError as error:
        sys.stdout.write(json.dumps([error.what, error.todo]) + "\n")
        return 1
    return 0


def _until_alone(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def claimed(tls: Callable[[str], ssl.SSLContext] | None = None) -> tuple[Addresses, BaseWSGIServer]:
    """An address that nobody else has, and the front door's server on it, which does not answer yet.

    tls: makes the certificate for an address. Set the server's `app`, then `answer` it. Raises RehearsalError.
    """
    for _ in range(100):
        addresses = Addresses()
        try:
            return addresses, listening(addresses.own, FRONT_DOOR, _nobody, tls(addresses.own) if tls else None)
        except OSError:
            continue
    todo = "On Linux every address that begins with 127. can be used; on other systems a rehearsal cannot run yet."
    raise RehearsalError("rehearsal", "no address of this machine can be listened on", todo)


def answer(server: BaseWSGIServer, stack: ExitStack) -> None:
    """Let a server answer until the stack is left."""
    serve(server)
    stack.callback(server.shutdown)


def _nobody(_environ: WSGIEnvironment, _start: StartResponse) -> Iterable[bytes]:
    raise ConnectionResetError
