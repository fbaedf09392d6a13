"""A command in a Pod, or what runs there itself, and whoever talks to it through the API server.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/: the channels of `exec` and `attach`.
"""

from __future__ import annotations

import json
from contextlib import closing, suppress

from mldeploy.core.sockets import readable
from mldeploy.rehearsal.containers.host import Container, HostError
from mldeploy.rehearsal.containers.talk import Talk
from mldeploy.rehearsal.kubernetes.api.asked import Asked
from mldeploy.rehearsal.kubernetes.api.channels import CLOSE, ERROR, RESIZE, STDERR, STDIN, STDOUT, Channels
from mldeploy.rehearsal.kubernetes.objects.types import Object


def run(asked: Asked, container: Container, channels: Channels) -> None:
    """A command, to its end; the last message is a Status. Raises OSError if the client leaves before."""
    command, tty = list(asked.query.get("command", ())), asked.flag("tty")
    try:
        if asked.flag("stdin") or tty:
            with closing(container.talk(command, tty=tty)) as talk:
                _converse(asked, talk, channels)
                code = talk.code()
        else:
            ran = container.execute(command)
            _tell(asked, channels, [(STDOUT, ran.out), (STDERR, ran.err)])
            code = ran.code
    except HostError as error:
        channels.send(ERROR, json.dumps(_failed(str(error), None)).encode())
    else:
        channels.send(ERROR, json.dumps(_ended(code)).encode())


def attach(asked: Asked, container: Container, channels: Channels) -> None:
    """To what runs there, until it ends. Raises OSError if the client leaves before."""
    try:
        with closing(container.attach()) as talk:
            _converse(asked, talk, channels)
        channels.send(ERROR, json.dumps(_ended(0)).encode())
    except HostError as error:
        channels.send(ERROR, json.dumps(_failed(str(error), None)).encode())


def _converse(asked: Asked, talk: Talk, channels: Channels) -> None:
    """Hand on what either side says, until the program has said all."""
    while True:
        ready = readable([channels.connection, talk.connection], 0 if channels.waits() else None)
        if channels.connection in ready or channels.waits():
            for channel, data in channels.received():
                _take(talk, channel, data)
        if talk.connection in ready:
            said = talk.received()
            if said is None:
                return
            _tell(asked, channels, said)


def _take(talk: Talk, channel: int, data: bytes) -> None:
    if channel == STDIN:
        with suppress(OSError):  # a program need not listen
            talk.send(data)
    elif channel == CLOSE and data[:1] == bytes([STDIN]):
        talk.end_input()
    elif channel == RESIZE:
        with suppress(ValueError, KeyError):
            size = json.loads(data)
            talk.resize(int(size["Width"]), int(size["Height"]))


def _tell(asked: Asked, channels: Channels, said: list[tuple[int, bytes]]) -> None:
    for channel, data in said:
        if data and asked.flag("stdout" if channel == STDOUT else "stderr"):
            channels.send(channel, data)


def _ended(code: int) -> Object:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return _failed(f"command terminated with non-zero exit code: exit code {code}", code)


def _failed(message: str, code: int | None) -> Object:
    status: Object = {"metadata": {}, "status": "Failure", "message": message}
    if code is None:
        return {**status, "reason": "InternalError", "code": 500}
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return {**status, "reason": "NonZeroExitCode", "details": {"causes": causes}}
